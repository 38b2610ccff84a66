/* `tunefarm report`: one line on the report channel, for shell scripts inside a trial. Every option
 * that is not its own is a metric, because only the study knows its metrics' names.
 *
 * Called by main.c. Starts often (once a step of a script), so it opens nothing: no settings, no
 * farm. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "command.h"
#include "json.h"

#define MAX_METRICS 64

static const struct opt_row report_rows[] = {
    {.name = "step",
     .type = OPT_STR,
     .value = "N",
     .help = "The step (epoch) that is reported: a whole number. Without it the result is final."},
    {.name = "loss",
     .type = OPT_STR,
     .value = "X",
     .help = "The loss. Any other --NAME X reports a metric of that name; which of them is tuned "
             "for is said by objective.metric."},
    {.name = "checkpoint",
     .type = OPT_STR,
     .value = "URI",
     .help = "A checkpoint was written there; needs --step."},
    {.name = "error", .type = OPT_STR, .value = "TEXT", .help = "The trial has failed."},
    {.name = "pruned", .type = OPT_FLAG, .help = "The trial was stopped as not promising."},
};
static const struct opt_table report_table = {
    .program = "tunefarm report",
    .usage = "tunefarm report [--step N] --METRIC X ...\n"
             "tunefarm report --checkpoint URI --step N\n"
             "tunefarm report --error TEXT\n"
             "tunefarm report --pruned",
    .summary = "report a loss from a shell script inside a trial",
    .text = "Writes one line to the report channel of the trial in which it runs "
            "($TUNEFARM_FD).\n\n"
            " tunefarm report --step 3 --loss 0.41 --acc 0.9\n"
            " tunefarm report --loss 0.38",
    .rows = report_rows,
    .n = sizeof report_rows / sizeof report_rows[0],
};

struct report {
    const char *checkpoint, *error;
    bool pruned, has_step;
    int64_t step;
    struct str names[MAX_METRICS];
    double values[MAX_METRICS];
    size_t n;
};

static err_t add_metric(struct report *r, struct str name, const char *value, struct errmsg *em)
{
    double v;
    if (!str_to_f64(str_of(value), &v))
        return errmsg_set(em, ERR_INVALID, "--" STR_FMT ": \"%.60s\" is no number", STR_ARG(name),
                          value);
    if (r->n == MAX_METRICS)
        return errmsg_set(em, ERR_LIMIT, "more than %d metrics", MAX_METRICS);
    r->names[r->n] = name;
    r->values[r->n++] = v;
    return ERR_OK;
}

static err_t take(struct report *r, struct str name, const char *value, struct errmsg *em)
{
    if (str_is(name, "step")) {
        r->has_step = true;
        if (str_to_i64(str_of(value), &r->step) && r->step >= 0)
            return ERR_OK;
        return errmsg_set(em, ERR_INVALID, "--step: \"%.60s\" is no step; expected 0, 1, 2 ...",
                          value);
    }
    if (str_is(name, "checkpoint"))
        r->checkpoint = value;
    else if (str_is(name, "error"))
        r->error = value;
    else
        return add_metric(r, name, value, em);
    return ERR_OK;
}

static err_t parse(struct report *r, int argc, char **argv, struct errmsg *em)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strncmp(arg, "--", 2) != 0 || arg[2] == 0)
            return errmsg_set(em, ERR_INVALID, "\"%.60s\": expected --NAME and a number", arg);
        size_t n = strcspn(arg + 2, "=");
        struct str name = str_make(arg + 2, n);
        if (str_is(name, "pruned")) {
            r->pruned = true;
            continue;
        }
        const char *value = arg[2 + n] == '=' ? arg + 3 + n : i + 1 < argc ? argv[++i] : NULL;
        if (!value)
            return errmsg_set(em, ERR_INVALID, "%.60s needs a value", arg);
        err_t e = take(r, name, value, em);
        if (e)
            return e;
    }
    if (!r->checkpoint && !r->error && !r->pruned && r->n == 0)
        return errmsg_set(em, ERR_INVALID, "nothing to report; expected for example --loss 0.41");
    if (r->checkpoint && !r->has_step)
        return errmsg_set(em, ERR_INVALID, "--checkpoint needs --step");
    return ERR_OK;
}

static void encode(const struct report *r, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    if (r->has_step)
        jsonw_ki64(&w, "step", r->step);
    for (size_t i = 0; i < r->n; i++) {
        jsonw_key(&w, r->names[i]);
        jsonw_f64(&w, r->values[i]);
    }
    if (r->checkpoint)
        jsonw_kstr(&w, "checkpoint", str_of(r->checkpoint));
    if (r->error)
        jsonw_kstr(&w, "error", str_of(r->error));
    if (r->pruned)
        jsonw_kbool(&w, "pruned", true);
    jsonw_end(&w);
    buf_addc(out, '\n');
}

static err_t channel(int *fd, struct errmsg *em)
{
    const char *text = getenv("TUNEFARM_FD");
    uint64_t number;
    if (!text)
        return errmsg_set(em, ERR_INVALID,
                          "TUNEFARM_FD is not set; `tunefarm report` is for programs that a worker "
                          "runs as a trial");
    if (!str_to_u64(str_of(text), &number) || number > 65535)
        return errmsg_set(em, ERR_INVALID,
                          "TUNEFARM_FD is \"%.40s\"; expected the number of a descriptor", text);
    *fd = (int)number;
    return ERR_OK;
}

static err_t send_line(int fd, struct str line, struct errmsg *em)
{
    while (line.n > 0) {
        ssize_t n = send(fd, line.p, line.n, MSG_NOSIGNAL);
        if (n < 0 && errno == ENOTSOCK)
            n = write(fd, line.p, line.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return errmsg_set(em, errno == EBADF ? ERR_INVALID : ERR_IO,
                              "the report channel (TUNEFARM_FD=%d) cannot be written: %s", fd,
                              strerror(errno));
        line = str_make(line.p + n, line.n - (size_t)n);
    }
    return ERR_OK;
}

static bool wants_text(int argc, char **argv)
{
    static const char *const words[] = {"--help", "-h", "--man", "--version"};
    for (int i = 1; i < argc; i++)
        for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
            if (strcmp(argv[i], words[k]) == 0)
                return true;
    return false;
}

static err_t print_text(void *settings, const struct opts *o, struct errmsg *em)
{
    (void)settings;
    (void)o;
    (void)em;
    return ERR_OK;
}

int cmd_report(int argc, char **argv)
{
    struct report r = {0};
    struct errmsg em = {{0}};
    struct buf line;
    int fd = -1;
    if (wants_text(argc, argv)) {
        const char *settings[1];
        return client_main(&report_table, settings, NULL, argc, argv, 0, SIZE_MAX, print_text);
    }
    buf_init(&line, 0);
    err_t e = parse(&r, argc, argv, &em);
    if (!e)
        e = channel(&fd, &em);
    if (!e) {
        encode(&r, &line);
        e = send_line(fd, buf_str(&line), &em);
    }
    buf_fini(&line);
    return e ? client_fail(e, &em) : 0;
}
