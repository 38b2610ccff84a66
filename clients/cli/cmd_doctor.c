/* `tunefarm doctor`: what is wrong, and what to do about it. With a farm: its broker is asked; with
 * the file of a stopped one: that is looked through; with neither: this machine.
 *
 * Called by main.c. */
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "addrfile.h"
#include "command.h"
#include "examination.h"
#include "farmcheck.h"
#include "hostcheck.h"

struct doctor_settings {
    struct client client;
    const char *root;
    bool quick;
    int status;
};
static const struct opt_row doctor_rows[] = {
    CLIENT_ROW_BROKER(struct doctor_settings),
    CLIENT_ROW_KEY(struct doctor_settings),
    {.name = "db",
     .type = OPT_STR,
     .offset = offsetof(struct doctor_settings, client.db),
     .value = "FILE",
     .help =
         "Look through this database, which no broker may have open; if a tunefarm run works on "
         "it, that is asked."},
    {.name = "root",
     .type = OPT_STR,
     .offset = offsetof(struct doctor_settings, root),
     .value = "DIR",
     .help = "This machine: the worker's root that is tried. Default: as for tunefarm worker."},
    {.name = "quick",
     .letter = 'q',
     .type = OPT_FLAG,
     .offset = offsetof(struct doctor_settings, quick),
     .help = "A running farm: leave out the look through the database, which may take a minute."},
    CLIENT_ROW_TIMEOUT(struct doctor_settings),
    CLIENT_ROW_JSON(struct doctor_settings),
};
static const struct opt_table doctor_table = {
    .program = "tunefarm doctor",
    .usage = "tunefarm doctor [OPTION ...]",
    .summary = "look for what is wrong",
    .text =
        "Prints a line a check: ok, warn or FAIL, with what to do next. With a farm (--broker, "
        "$TUNEFARM_BROKER or the settings file) its broker is asked: whether it answers and its "
        "feed can be heard, clocks, disk and ballast, commits, open files, memory, the peers' "
        "beats and "
        "versions, what each open study waits for, odd counters, and the database: its pages, that "
        "every record of the journal can be read, and that studies and trials are what the journal "
        "says (the fold). The farm goes on meanwhile.\n\n"
        "With --db FILE the same is done to the database of a farm that does not run. With "
        "neither, "
        "this machine is looked at: programs, key, clock, timers, open files, memory, disk, and "
        "whether "
        "a worker could start programs and write here. Nothing is changed.",
    .more =
        "EXIT STATUS\n"
        "0: all is well. 1: there is something to look at (warn). 2: something is wrong (FAIL), "
        "a broker that cannot be reached included, or the options are not valid.\n\n",
    .rows = doctor_rows,
    .n = sizeof doctor_rows / sizeof doctor_rows[0],
};

static void check_farm(struct diagnosis *d, struct source *s, const struct doctor_settings *o)
{
    struct errmsg em;
    struct farmcheck f = {.s = s,
                          .endpoint = brokerlink_endpoint(source_link(s)),
                          .key = o->client.key,
                          .quick = o->quick};
    err_t e = farmcheck_run(d, &f, &em);
    if (e)
        diagnosis_add(d, HEALTH_FAIL, "broker",
                      e == ERR_UNSUPPORTED ? "bring the broker to this version"
                                           : "see the broker's log",
                      "%s", em.text);
}

static void ask_farm(struct diagnosis *d, const struct doctor_settings *o)
{
    struct source *s;
    struct errmsg em;
    if (source_open(&s, &o->client, NULL, &em)) {
        diagnosis_add(d, HEALTH_FAIL, "broker",
                      "see whether it runs there, and whether its port can be reached from here",
                      "%s", em.text);
        return;
    }
    check_farm(d, s, o);
    source_close(s);
}

/* A write-ahead log is what a broker leaves that did not end in order. */
static void tell_log(struct diagnosis *d, const char *file)
{
    char log[PATH_MAX];
    struct stat st;
    int n = snprintf(log, sizeof log, "%s-wal", file);
    if (n > 0 && (size_t)n < sizeof log && stat(log, &st) == 0 && st.st_size > 0)
        diagnosis_add(
            d, HEALTH_OK, "log", NULL,
            "the broker did not end in order; what it acknowledged is in %s, and the next "
            "start takes it",
            log);
}

static void check_file(struct diagnosis *d, const char *file)
{
    struct disk_facts f;
    if (hostcheck_look(file, &f)) {
        f.needed = (uint64_t)128 << 20;
        hostcheck_disk(d, &f);
        tell_log(d, file);
    }
    examination_run(d, file);
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    struct doctor_settings *s = settings;
    struct screen screen = client_screen(STDOUT_FILENO);
    struct hostcheck here = {.root = s->root, .key = s->client.key};
    struct diagnosis d;
    char endpoint[512];
    (void)o;
    (void)em;
    diagnosis_init(&d, s->client.json, screen.color);
    if (s->client.db && !addrfile_find(s->client.db, endpoint, sizeof endpoint))
        check_file(&d, s->client.db);
    else if (s->client.db || s->client.broker)
        ask_farm(&d, s);
    else
        hostcheck_run(&d, &here);
    diagnosis_end(&d);
    s->status = diagnosis_status(&d);
    diagnosis_fini(&d);
    return ERR_OK;
}

int cmd_doctor(int argc, char **argv)
{
    struct doctor_settings s = {.status = 0};
    int code = client_main(&doctor_table, &s, &s.client, argc, argv, 0, 0, work);
    return code ? 2 : s.status;
}
