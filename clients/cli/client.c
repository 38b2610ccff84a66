/* The frame around each command: options, defaults, and how a command speaks. Everything a person
 * reads about a fault goes through client_fail(), so that it always looks alike: one sentence on
 * standard error, and the exit code of the error's kind.
 *
 * TUNEFARM_BROKER and TUNEFARM_KEY are read here and not through each command's table, because
 * inside a trial other TUNEFARM_ variables mean other things. Called by the commands. */
#include "client.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "spec.h"

struct defaults_settings {
    struct client client;
};

static const struct opt_row default_rows[] = {
    CLIENT_ROW_BROKER(struct defaults_settings),
    CLIENT_ROW_KEY(struct defaults_settings),
};
static const struct opt_table default_table = {
    .program = "tunefarm",
    .env = "TUNEFARM",
    .rows = default_rows,
    .n = sizeof default_rows / sizeof default_rows[0],
};

/* The user's settings file if there is one; false if the path does not fit. */
static bool settings_path(char *path, size_t size)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int n;
    if (config && config[0])
        n = snprintf(path, size, "%s/tunefarm/tunefarm.conf", config);
    else if (home && home[0])
        n = snprintf(path, size, "%s/.config/tunefarm/tunefarm.conf", home);
    else
        return false;
    return n > 0 && (size_t)n < size && access(path, F_OK) == 0;
}

static err_t load_defaults(struct client_defaults *d, struct errmsg *em)
{
    char path[4096];
    char program[] = "tunefarm", config[] = "--config";
    char *argv[] = {program, config, path, NULL};
    struct defaults_settings settings;
    int argc = settings_path(path, sizeof path) ? 3 : 1;
    argv[argc] = NULL;
    err_t e = opt_parse(&default_table, &settings, argc, argv, &d->opts, em);
    if (!e)
        d->client = settings.client;
    return e;
}

static err_t print_about(const struct opt_table *t, const struct opts *o, struct errmsg *em)
{
    struct buf text;
    buf_init(&text, 0);
    if (o->help)
        opt_print_help(t, &text);
    else if (o->man)
        opt_print_man(t, &text);
    else
        buf_addz(&text, "tunefarm " TUNEFARM_VERSION "\n");
    err_t e = client_print(&text, em);
    buf_fini(&text);
    return e;
}

err_t client_parse(const struct opt_table *t, void *settings, struct client *c, int argc,
                   char **argv, struct opts *opts, struct client_defaults *defaults, bool *done,
                   struct errmsg *em)
{
    *opts = (struct opts){0};
    *defaults = (struct client_defaults){0};
    *done = false;
    err_t e = opt_parse(t, settings, argc, argv, opts, em);
    if (e)
        return e;
    if (opts->help || opts->man || opts->version) {
        *done = true;
        return print_about(t, opts, em);
    }
    if (!c)
        return ERR_OK;
    e = load_defaults(defaults, em);
    if (e)
        return e;
    if (!c->broker && !c->db)
        c->broker = defaults->client.broker;
    if (!c->key)
        c->key = defaults->client.key;
    if (c->broker && c->broker[0] == 0)
        c->broker = NULL;
    return ERR_OK;
}

void client_fini(struct opts *opts, struct client_defaults *defaults)
{
    opt_fini(opts);
    opt_fini(&defaults->opts);
}

int client_fail(err_t e, const struct errmsg *em)
{
    const char *text = em && em->text[0] ? em->text : err_text(e);
    fprintf(stderr, "tunefarm: %s\n", text);
    return err_exit_code(e);
}

void client_note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("tunefarm: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

bool client_write(FILE *out, struct str text)
{
    return !text.n || fwrite(text.p, 1, text.n, out) == text.n;
}

err_t client_print(const struct buf *text, struct errmsg *em)
{
    if (!buf_ok(text))
        return errmsg_set(em, ERR_LIMIT, "the output is too large");
    if (!client_write(stdout, buf_str(text)) || fflush(stdout))
        return errmsg_set(em, ERR_IO, "standard output cannot be written");
    return ERR_OK;
}

struct screen client_screen(int fd)
{
    struct screen s = {.tty = isatty(fd) == 1};
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    struct winsize size;
    s.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!s.tty)
        return s;
    s.color = !(no_color && no_color[0]) && term && strcmp(term, "dumb") != 0;
    s.width = 80;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        s.width = size.ws_col;
    return s;
}

err_t client_operands(const struct opt_table *t, const struct opts *o, size_t least, size_t most,
                      struct errmsg *em)
{
    if (o->n_operands >= least && o->n_operands <= most)
        return ERR_OK;
    size_t line = strcspn(t->usage, "\n");
    if (o->n_operands > most)
        return errmsg_set(em, ERR_INVALID, "%s: too many arguments (\"%s\"); usage: %.*s",
                          t->program, o->operands[most], (int)line, t->usage);
    return errmsg_set(em, ERR_INVALID, "%s: an argument is missing; usage: %.*s", t->program,
                      (int)line, t->usage);
}

err_t client_study_name(const char *text, struct errmsg *em)
{
    struct str s = str_of(text);
    if (spec_name_valid(s))
        return ERR_OK;
    return errmsg_set(em, ERR_INVALID,
                      "\"%.80s\" is no name of a study; expected 1 to 128 letters, digits, points, "
                      "underscores or hyphens",
                      text);
}

err_t client_number(const char *text, const char *what, uint64_t *out, struct errmsg *em)
{
    if (str_to_u64(str_of(text), out))
        return ERR_OK;
    return errmsg_set(em, ERR_INVALID, "\"%.80s\" is no %s; expected a whole number", text, what);
}

int client_main(const struct opt_table *t, void *settings, struct client *c, int argc, char **argv,
                size_t least, size_t most, client_work *work)
{
    struct opts opts;
    struct client_defaults defaults;
    struct errmsg em = {{0}};
    bool done;
    err_t e = client_parse(t, settings, c, argc, argv, &opts, &defaults, &done, &em);
    if (!e && !done)
        e = client_operands(t, &opts, least, most, &em);
    if (!e && !done)
        e = work(settings, &opts, &em);
    int code = e ? client_fail(e, &em) : 0;
    client_fini(&opts, &defaults);
    return code;
}
