/* The report channel from the program's side: see tunefarm_report.h. Linked into user programs, so
 * it uses nothing but libc, prints nothing unasked, and never ends the process.
 *
 * Incoming lines are read into one growing buffer (at most 1 MiB) and read in place. */
#include "tunefarm_report.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report_json.h"

#define READ_LIMIT  (1u << 20)
#define MAX_METRICS 32

struct metric {
    char name[64];
    double value;
};
struct tunefarm {
    int fd; /* -1 = not under tunefarm: reports go to standard output */
    bool served, over, in_trial, ended, has_last, stopped, wanted;
    char metric[132];
    char *in; /* bytes read */
    size_t n, cap;
    char *line;                                   /* the current trial's */
    char *params, *dir, *resume, *checkpoint_dir; /* owned texts of it */
    int64_t resume_step;
    struct chain *texts; /* what tunefarm_param_text() gave */
    uint64_t trial, attempt, seed;
    double last;
    char why[32];
    struct metric metrics[MAX_METRICS];
    int n_metrics;
};
struct chain {
    struct chain *next;
    char text[];
};

/* ---- the channel ---- */

static void forget_trial(struct tunefarm *t)
{
    free(t->line);
    free(t->params);
    free(t->dir);
    free(t->resume);
    free(t->checkpoint_dir);
    t->line = t->params = t->dir = t->resume = t->checkpoint_dir = NULL;
    while (t->texts) {
        struct chain *next = t->texts->next;
        free(t->texts);
        t->texts = next;
    }
}

/* Appends what can be read; false at the end of everything. */
static bool read_more(struct tunefarm *t)
{
    if (t->n + 1 >= t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 4096;
        char *in = cap <= READ_LIMIT ? realloc(t->in, cap) : NULL;
        if (!in)
            return false;
        t->in = in;
        t->cap = cap;
    }
    ssize_t n;
    do {
        n = read(t->fd, t->in + t->n, t->cap - t->n - 1);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    t->n += (size_t)n;
    return true;
}

/* The next line as a heap copy; NULL: there is none yet (wait false), or the worker is gone. */
static char *take_line(struct tunefarm *t, bool wait)
{
    for (;;) {
        char *nl = t->n ? memchr(t->in, '\n', t->n) : NULL;
        if (nl) {
            size_t n = (size_t)(nl - t->in);
            char *line = malloc(n + 1);
            if (!line)
                return NULL;
            memcpy(line, t->in, n);
            line[n] = 0;
            t->n -= n + 1;
            memmove(t->in, nl + 1, t->n);
            return line;
        }
        struct pollfd p = {.fd = t->fd, .events = POLLIN};
        if (t->over || (!wait && poll(&p, 1, 0) <= 0))
            return NULL;
        t->over = !read_more(t);
    }
}

static void send_bytes(struct tunefarm *t, const char *p, size_t n)
{
    int fd = t->fd >= 0 ? t->fd : STDOUT_FILENO;
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return; /* the worker is gone: it will end this process */
        p += k;
        n -= (size_t)k;
    }
}

/* A line in the making. */
struct out {
    char text[16384];
    size_t n;
};

static void add(struct out *o, const char *s)
{
    size_t n = strlen(s);
    if (n < sizeof o->text - o->n) {
        memcpy(o->text + o->n, s, n);
        o->n += n;
    }
}

static void add_string(struct out *o, const char *s)
{
    char escaped[8];
    add(o, "\"");
    for (; *s && o->n < sizeof o->text - 64; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", c);
        else if (c < 0x20)
            snprintf(escaped, sizeof escaped, "\\u%04x", c);
        else
            snprintf(escaped, sizeof escaped, "%c", c);
        add(o, escaped);
    }
    add(o, "\"");
}

static void add_number(struct out *o, const char *name, double v)
{
    char text[40];
    if (isnan(v))
        snprintf(text, sizeof text, "NaN");
    else if (isinf(v))
        snprintf(text, sizeof text, v > 0 ? "Infinity" : "-Infinity");
    else
        snprintf(text, sizeof text, "%.17g", v);
    for (char *p = text; *p; p++)
        if (*p == ',')
            *p = '.'; /* the program may have set a locale */
    add_string(o, name);
    add(o, ":");
    add(o, text);
}

static void add_metrics(struct tunefarm *t, struct out *o)
{
    for (int i = 0; i < t->n_metrics; i++) {
        add(o, ",");
        add_number(o, t->metrics[i].name, t->metrics[i].value);
    }
    t->n_metrics = 0;
}

static void send_line(struct tunefarm *t, struct out *o)
{
    add(o, "}\n");
    send_bytes(t, o->text, o->n);
}

static bool may_report(const struct tunefarm *t)
{
    return t && t->in_trial && !t->ended;
}

/* ---- trials ---- */

struct tunefarm *tunefarm_open(void)
{
    struct tunefarm *t = calloc(1, sizeof *t);
    const char *fd = getenv("TUNEFARM_FD"), *metric = getenv("TUNEFARM_METRIC"),
               *serve = getenv("TUNEFARM_SERVE");
    if (!t)
        return NULL;
    t->fd = fd ? (int)strtol(fd, NULL, 10) : -1;
    t->served = serve && strcmp(serve, "1") == 0;
    snprintf(t->metric, sizeof t->metric, "%s", metric ? metric : "loss");
    return t;
}

void tunefarm_close(struct tunefarm *t)
{
    if (!t)
        return;
    forget_trial(t);
    free(t->in);
    free(t);
}

static void begin_trial(struct tunefarm *t, char *line)
{
    forget_trial(t);
    t->line = line;
    t->trial = report_json_u64(report_json_member(line, "trial"));
    t->attempt = report_json_u64(report_json_member(line, "attempt"));
    t->seed = report_json_u64(report_json_member(line, "seed"));
    const char *params = report_json_member(line, "params"), *dir = report_json_member(line, "dir"),
               *resume = report_json_member(line, "resume");
    if (params)
        t->params = strndup(params, (size_t)(report_json_skip(params) - params));
    t->dir = dir ? report_json_string(dir) : NULL;
    t->resume = resume ? report_json_string(resume) : NULL;
    t->resume_step = (int64_t)report_json_u64(report_json_member(line, "resume_step"));
    const char *checkpoints = report_json_member(line, "checkpoint_dir");
    t->checkpoint_dir = checkpoints ? report_json_string(checkpoints) : NULL;
    t->in_trial = true;
    t->ended = t->has_last = t->stopped = t->wanted = false;
    t->n_metrics = 0;
}

static void close_trial(struct tunefarm *t)
{
    if (!may_report(t) || t->fd < 0)
        return;
    if (t->stopped)
        tunefarm_prune(t);
    else if (t->has_last)
        tunefarm_final(t, t->last);
    else
        tunefarm_error(t, "the program went on to the next trial without a result", 0);
}

int tunefarm_next(struct tunefarm *t)
{
    if (!t)
        return 0;
    bool first = !t->in_trial;
    if (!first && (t->fd < 0 || !t->served))
        return 0;
    close_trial(t);
    if (t->fd < 0) {
        begin_trial(t, NULL);
        return 1;
    }
    char *line;
    while ((line = take_line(t, true)) != NULL) {
        if (report_json_member(line, "params")) {
            begin_trial(t, line);
            return 1;
        }
        bool end =
            report_json_member(line, "exit") != NULL; /* else a stop of a trial that has ended */
        free(line);
        if (end)
            break;
    }
    return 0;
}

uint64_t tunefarm_trial(const struct tunefarm *t)
{
    return t ? t->trial : 0;
}

uint64_t tunefarm_attempt(const struct tunefarm *t)
{
    return t ? t->attempt : 0;
}

uint64_t tunefarm_seed(const struct tunefarm *t)
{
    return t ? t->seed : 0;
}

const char *tunefarm_dir(const struct tunefarm *t)
{
    return t && t->dir ? t->dir : ".";
}

const char *tunefarm_resume(const struct tunefarm *t)
{
    return t ? t->resume : NULL;
}

int64_t tunefarm_resume_step(const struct tunefarm *t)
{
    return t && t->resume ? t->resume_step : 0;
}

const char *tunefarm_checkpoint_dir(const struct tunefarm *t)
{
    return t && t->checkpoint_dir ? t->checkpoint_dir : tunefarm_dir(t);
}

const char *tunefarm_params(const struct tunefarm *t)
{
    return t && t->params ? t->params : "{}";
}

double tunefarm_param(const struct tunefarm *t, const char *name, double otherwise)
{
    double v;
    return t && report_json_number(report_json_member(t->params, name), &v) ? v : otherwise;
}

int64_t tunefarm_param_int(const struct tunefarm *t, const char *name, int64_t otherwise)
{
    double v;
    return t && report_json_number(report_json_member(t->params, name), &v) && fabs(v) < 9e18
               ? (int64_t)v
               : otherwise;
}

const char *tunefarm_param_text(const struct tunefarm *t, const char *name, const char *otherwise)
{
    const char *value = t ? report_json_member(t->params, name) : NULL;
    if (!value)
        return otherwise;
    char *text = *value == '"' ? report_json_string(value)
                               : strndup(value, (size_t)(report_json_skip(value) - value));
    struct chain *c = text ? malloc(sizeof *c + strlen(text) + 1) : NULL;
    if (c) {
        struct tunefarm *mine = (struct tunefarm *)t; /* the text lives as long as the trial */
        memcpy(c->text, text, strlen(text) + 1);
        c->next = mine->texts;
        mine->texts = c;
    }
    free(text);
    return c ? c->text : otherwise;
}

/* ---- reports ---- */

void tunefarm_metric(struct tunefarm *t, const char *name, double value)
{
    if (!t || t->n_metrics == MAX_METRICS || strlen(name) >= sizeof t->metrics[0].name)
        return;
    struct metric *m = &t->metrics[t->n_metrics++];
    snprintf(m->name, sizeof m->name, "%s", name);
    m->value = value;
}

int tunefarm_report(struct tunefarm *t, int64_t step, double loss)
{
    struct out o = {.n = 0};
    char text[48];
    if (!may_report(t))
        return t ? t->stopped : 0;
    snprintf(text, sizeof text, "{\"step\":%lld,", (long long)step);
    add(&o, text);
    add_number(&o, t->metric, loss);
    add_metrics(t, &o);
    send_line(t, &o);
    t->has_last = true;
    t->last = loss;
    return tunefarm_stopped(t);
}

/* What the worker has to say about the current trial. */
static void listen(struct tunefarm *t)
{
    char *line;
    if (!t || t->fd < 0 || !t->in_trial)
        return;
    while (!t->stopped && (line = take_line(t, false)) != NULL) {
        const char *stop = report_json_member(line, "stop"),
                   *trial = report_json_member(line, "trial");
        bool mine = !trial || report_json_u64(trial) == t->trial;
        if (stop && mine) {
            char *why = report_json_string(stop);
            snprintf(t->why, sizeof t->why, "%.31s", why ? why : "stop");
            free(why);
            t->stopped = true;
        }
        t->wanted |= mine && report_json_member(line, "checkpoint") != NULL;
        free(line);
    }
}

int tunefarm_stopped(struct tunefarm *t)
{
    listen(t);
    return t && t->fd >= 0 && t->in_trial && t->stopped;
}

int tunefarm_checkpoint_wanted(struct tunefarm *t)
{
    listen(t);
    return t && t->wanted;
}

const char *tunefarm_stop_why(const struct tunefarm *t)
{
    return t && t->stopped ? t->why : NULL;
}

void tunefarm_checkpoint(struct tunefarm *t, const char *uri, int64_t step)
{
    struct out o = {.n = 0};
    char text[48];
    if (!may_report(t))
        return;
    t->wanted = false;
    add(&o, "{\"checkpoint\":");
    add_string(&o, uri);
    snprintf(text, sizeof text, ",\"step\":%lld", (long long)step);
    add(&o, text);
    send_line(t, &o);
}

/* It was asked to stop for the time being. */
static bool interrupted(const struct tunefarm *t)
{
    return t->stopped && (strcmp(t->why, "drain") == 0 || strcmp(t->why, "pause") == 0);
}

void tunefarm_final(struct tunefarm *t, double loss)
{
    struct out o = {.n = 0};
    if (!may_report(t))
        return;
    if (interrupted(t)) {
        tunefarm_prune(t);
        return;
    }
    add(&o, "{");
    add_number(&o, t->metric, loss);
    add_metrics(t, &o);
    send_line(t, &o);
    t->ended = true;
}

void tunefarm_prune(struct tunefarm *t)
{
    struct out o = {.n = 0};
    if (!may_report(t))
        return;
    add(&o, "{\"pruned\":true");
    send_line(t, &o);
    t->ended = true;
}

void tunefarm_error(struct tunefarm *t, const char *text, int retry)
{
    struct out o = {.n = 0};
    if (!may_report(t))
        return;
    add(&o, retry ? "{\"retry\":true,\"error\":" : "{\"retry\":false,\"error\":");
    add_string(&o, text);
    send_line(t, &o);
    t->ended = true;
}
