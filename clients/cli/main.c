/* `tunefarm`: git style, a word says what is to be done. This file has the table of commands, the
 * overview, and the way to the daemons, which are programs of their own so that a worker's machine
 * needs few libraries.
 *
 * Each command is in its own file; nothing of their work is here. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "childproc.h"
#include "client.h"
#include "command.h"
#include "nearest.h"

static const struct command commands[] = {
    {"run", "tune a study on this machine, or follow it on a farm", cmd_run, NULL},
    {"submit", "give a study to a farm", cmd_submit, NULL},
    {"ls", "list studies", cmd_ls, NULL},
    {"show", "show a study, or one of its trials", cmd_show, NULL},
    {"watch", "follow a running study", cmd_watch, NULL},
    {"best", "show the best trials", cmd_best, NULL},
    {"export", "write all trials as CSV or JSON lines", cmd_export, NULL},
    {"stop", "stop a study or a trial", cmd_stop, NULL},
    {"pause", "hold a study or a trial back", cmd_pause, NULL},
    {"resume", "let a paused study or trial go on", cmd_resume, NULL},
    {"enqueue", "run a point of your own choice", cmd_enqueue, NULL},
    {"why", "tell why a trial was proposed", cmd_why, NULL},
    {"replay", "recompute every proposal from the journal", cmd_replay, NULL},
    {"logs", "show the output of a trial", cmd_logs, NULL},
    {"drain", "let a worker leave", cmd_drain, NULL},
    {"workers", "list workers", cmd_workers, NULL},
    {"doctor", "look for what is wrong", cmd_doctor, NULL},
    {"sql", "ask the farm's database", cmd_sql, NULL},
    {"backup", "copy the farm's database, also while it is in use", cmd_backup, NULL},
    {"restore", "make a database of a backup", cmd_restore, NULL},
    {"compact", "drop intermediate reports of finished trials", cmd_compact, NULL},
    {"report", "report a loss from a shell script inside a trial", cmd_report, NULL},
    {"broker", "the daemon that remembers", NULL, "broker"},
    {"optimizer", "the daemon that decides", NULL, "optimizer"},
    {"worker", "the daemon that runs trials", NULL, "worker"},
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static const struct opt_table overview = {
    .program = "tunefarm",
    .usage = "tunefarm COMMAND [OPTION ...] [ARGUMENT ...]\ntunefarm help [COMMAND]",
    .summary = "an asynchronous hyperparameter-tuning farm",
    .text = "An optimizer proposes trials, a broker hands them to workers, the workers run your "
            "program and stream its losses back; every loss is used before the next proposal is "
            "made. The command run does all of that on this machine; with the daemons broker, "
            "optimizer and worker it is done on several.\n\n"
            "Each command has a manual page of its own, tunefarm-COMMAND(1), and a summary, "
            "tunefarm help COMMAND.",
    .more = "EXIT STATUS\n"
            "0: done. 1: the work failed. 2: the input is not valid. 3: the broker cannot be "
            "reached, or did not answer in time. 4: there is no such thing, it exists already, or "
            "it was refused. 5: stored data are damaged. 130: interrupted.\n\n"
            "ENVIRONMENT\n"
            "TUNEFARM_BROKER and TUNEFARM_KEY name the farm and its key file. NO_COLOR turns "
            "colours off.\n\n"
            "FILES\n"
            "~/.config/tunefarm/tunefarm.conf may hold the lines `broker = ADDRESS` and `key = "
            "FILE`. A run leaves NAME.tunefarm.db, NAME.tunefarm.log and NAME.tunefarm.work in "
            "the current directory.\n\n",
};

static void list_commands(struct buf *out, const char *indent)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        buf_printf(out, "%s%-11s %s\n", indent, commands[i].name, commands[i].summary);
}

static int print_buf(struct buf *text)
{
    struct errmsg em = {{0}};
    err_t e = client_print(text, &em);
    buf_fini(text);
    return e ? client_fail(e, &em) : 0;
}

static int print_overview(void)
{
    struct buf text;
    buf_init(&text, 0);
    buf_addz(&text, "tunefarm " TUNEFARM_VERSION ": an asynchronous hyperparameter-tuning farm\n\n"
                    "Usage: tunefarm COMMAND [OPTION ...] [ARGUMENT ...]\n\nCommands:\n");
    list_commands(&text, "  ");
    buf_addz(&text,
             "\nBegin with one of\n"
             "  tunefarm run study.yaml\n"
             "  tunefarm run -n demo --trials 50 -- python3 train.py --lr~'loguniform(1e-5, 1)'\n"
             "and see `tunefarm help COMMAND` for each.\n");
    return print_buf(&text);
}

static int print_man(void)
{
    struct buf text, more;
    buf_init(&text, 0);
    buf_init(&more, 0);
    buf_addz(&more, "COMMANDS\n");
    list_commands(&more, " ");
    buf_printf(&more, "\n%s", overview.more);
    struct opt_table page = overview;
    page.more = buf_z(&more);
    opt_print_man(&page, &text);
    buf_fini(&more);
    return print_buf(&text);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[N_COMMANDS + 2];
    struct errmsg em;
    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    names[N_COMMANDS] = "help";
    names[N_COMMANDS + 1] = NULL;
    const char *near = nearest_name(str_of(name), names);
    if (near)
        errmsg_set(&em, ERR_INVALID, "there is no command %.60s; did you mean %s?", name, near);
    else
        errmsg_set(&em, ERR_INVALID, "there is no command %.60s; `tunefarm help` lists them", name);
    return client_fail(ERR_INVALID, &em);
}

static int become(const struct command *c, char **argv)
{
    char path[4400];
    struct errmsg em;
    err_t e = childproc_find(c->daemon, path, sizeof path, &em);
    if (e)
        return client_fail(e, &em);
    argv[0] = path;
    execv(path, argv);
    errmsg_set(&em, ERR_IO, "%s cannot be started: %s", path, strerror(errno));
    return client_fail(ERR_IO, &em);
}

/* argv[0] is the command's word. */
static int dispatch(const struct command *c, int argc, char **argv)
{
    if (c->daemon)
        return become(c, argv);
    char title[64];
    snprintf(title, sizeof title, "tunefarm %s", c->name);
    argv[0] = title;
    return c->run(argc, argv);
}

static int help(int argc, char **argv)
{
    if (argc < 2)
        return print_overview();
    const struct command *c = find(argv[1]);
    char flag[] = "--help";
    char *asked[] = {argv[1], flag, NULL};
    return c ? dispatch(c, 2, asked) : unknown(argv[1]);
}

/* One name a line, for shell completion. */
static int print_names(void)
{
    struct buf text;
    buf_init(&text, 0);
    for (size_t i = 0; i < N_COMMANDS; i++)
        buf_printf(&text, "%s\n", commands[i].name);
    buf_addz(&text, "help\n");
    return print_buf(&text);
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    const char *word = argc > 1 ? argv[1] : "help";
    if (strcmp(word, "--version") == 0) {
        puts("tunefarm " TUNEFARM_VERSION);
        return 0;
    }
    if (strcmp(word, "--man") == 0)
        return print_man();
    if (strcmp(word, "--commands") == 0)
        return print_names();
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return help(argc > 1 ? argc - 1 : 1, argv + (argc > 1));
    const struct command *c = find(word);
    return c ? dispatch(c, argc - 1, argv + 1) : unknown(word);
}
