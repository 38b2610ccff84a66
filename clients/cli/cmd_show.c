/* `tunefarm show`: a study at a glance, or everything that is known about one trial.
 *
 * Called by main.c. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cell.h"
#include "command.h"
#include "json.h"
#include "listing.h"
#include "spark.h"

#define LAST_TRIALS  10
#define LAST_REPORTS 20
#define CURVE        2000
#define FIELD_WIDTH  16

struct show_settings {
    struct client client;
};
static const struct opt_row show_rows[] = {CLIENT_ROWS_READ(struct show_settings)};
static const struct opt_table show_table = {
    .program = "tunefarm show",
    .usage = "tunefarm show [OPTION ...] STUDY [TRIAL]",
    .summary = "show a study, or one of its trials",
    .text =
        "Shows the state of a study, its best trial and its last trials; or, with the number of "
        "a trial, its parameters, how it ran, its reports and its error text.",
    .rows = show_rows,
    .n = sizeof show_rows / sizeof show_rows[0],
};

static void add_field(struct buf *out, const char *name, struct json_object *v)
{
    if (!v)
        return;
    buf_printf(out, "%-*s ", FIELD_WIDTH, name);
    cell_json(out, v, 6);
    buf_addc(out, '\n');
}

/* Columns of the longest name, at least those of the fields above, so that all values stand in one
 * line. */
static size_t longest_key(struct json_object *v)
{
    size_t width = FIELD_WIDTH - 2;
    json_object_object_foreach(v, key, unused)
    {
        size_t w = cell_width(str_of(key));
        (void)unused;
        if (w > width)
            width = w < 40 ? w : 40;
    }
    return width;
}

/* The members of an object that a text column holds, indented, one a line. */
static void add_members(struct buf *out, const char *title, struct str text)
{
    struct json_object *v = NULL;
    if (text.n == 0 || json_parse(text, JSON_NONFINITE, &v, NULL) != ERR_OK)
        return;
    if (json_object_is_type(v, json_type_object) && json_object_object_length(v) > 0) {
        size_t width = longest_key(v);
        buf_printf(out, "%s\n", title);
        json_object_object_foreach(v, key, member)
        {
            buf_addz(out, "  ");
            cell_text(out, str_of(key), 40, true);
            for (size_t w = cell_width(str_of(key)); w < width; w++)
                buf_addc(out, ' ');
            buf_addc(out, ' ');
            cell_json(out, member, 6);
            buf_addc(out, '\n');
        }
    }
    json_object_put(v);
}

static err_t on_study(void *self, const struct row *r, struct errmsg *em)
{
    struct buf *out = self;
    static const char *const fields[] = {"state", "direction", "metric", "created", "trials"};
    static const char *const states[] = {"queued",   "delayed", "paused", "running",
                                         "complete", "pruned",  "failed", "cancelled"};
    (void)em;
    if (!r->values)
        return ERR_OK;
    add_field(out, "study", row_get(r, "name"));
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        add_field(out, fields[i], row_get(r, fields[i]));
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (row_int(r, states[i], 0))
            add_field(out, states[i], row_get(r, states[i]));
    return ERR_OK;
}

static err_t on_best(void *self, const struct row *r, struct errmsg *em)
{
    struct buf *out = self;
    (void)em;
    if (!r->values)
        return ERR_OK;
    buf_printf(out, "%-*s ", FIELD_WIDTH, "best");
    cell_json(out, row_get(r, "loss"), 6);
    buf_printf(out, "  (trial %lld)\n", (long long)row_int(r, "number", 0));
    add_members(out, "parameters of the best", row_text(r, "params"));
    return ERR_OK;
}

struct curve {
    double v[CURVE];
    size_t n;
    bool maximize;
};

static err_t on_loss(void *self, const struct row *r, struct errmsg *em)
{
    struct curve *c = self;
    (void)em;
    double v = row_number(r, "loss");
    if (!r->values || c->n == CURVE)
        return ERR_OK;
    if (c->n && (c->maximize ? !(v > c->v[c->n - 1]) : !(v < c->v[c->n - 1])))
        v = c->v[c->n - 1];
    c->v[c->n++] = v;
    return ERR_OK;
}

static err_t add_curve(struct source *s, const struct study_row *study, struct buf *out,
                       struct errmsg *em)
{
    char query[300];
    struct screen screen = client_screen(STDOUT_FILENO);
    struct curve *c = calloc(1, sizeof *c);
    if (!c)
        return ERR_NOMEM;
    c->maximize = study->maximize;
    snprintf(query, sizeof query,
             "select loss from trial where study = '%s' and state = 'complete' and loss is not "
             "null order by number limit %d",
             study->name, CURVE);
    err_t e = source_sql(s, query, NULL, 0, on_loss, c, em);
    if (!e && c->n > 1) {
        buf_printf(out, "%-*s ", FIELD_WIDTH, "best so far");
        spark_line(out, c->v, c->n,
                   screen.width > FIELD_WIDTH + 62 || !screen.tty ? 60
                   : screen.width > FIELD_WIDTH + 10              ? screen.width - FIELD_WIDTH - 2
                                                                  : 8,
                   screen.utf8);
        buf_addc(out, '\n');
    }
    free(c);
    return e;
}

static err_t on_any(void *self, const struct row *r, struct errmsg *em)
{
    (void)em;
    if (r->values)
        *(bool *)self = true;
    return ERR_OK;
}

/* The column of errors is there if one of these trials has one. */
static err_t add_last(struct source *s, const struct study_row *study, struct buf *out,
                      struct errmsg *em)
{
    char query[400];
    struct listing l;
    bool errors = false;
    snprintf(query, sizeof query,
             "select 1 from (select error from trial where study = '%s' order by number desc "
             "limit %d) where error is not null limit 1",
             study->name, LAST_TRIALS);
    err_t e = source_sql(s, query, NULL, 0, on_any, &errors, em);
    snprintf(query, sizeof query,
             "select number as trial, state, loss, step, attempt, params%s from trial where "
             "study = '%s' order by number desc limit %d",
             errors ? ", error" : "", study->name, LAST_TRIALS);
    if (!e)
        e = client_print(out, em);
    buf_clear(out);
    if (e)
        return e;
    listing_init(&l, LISTING_TABLE);
    l.empty = "no trials yet";
    l.brief = true;
    e = source_sql(s, query, NULL, 0, listing_row, &l, em);
    if (!e)
        e = listing_end(&l, em);
    listing_fini(&l);
    return e;
}

static err_t show_study(struct source *s, const struct study_row *study, struct errmsg *em)
{
    char query[400];
    struct buf out;
    buf_init(&out, 0);
    snprintf(query, sizeof query, "select * from study where name = '%s'", study->name);
    err_t e = source_sql(s, query, NULL, 0, on_study, &out, em);
    snprintf(query, sizeof query,
             "select number, loss, params from trial where study = '%s' and number = (select "
             "best_trial from study where name = '%s')",
             study->name, study->name);
    if (!e)
        e = source_sql(s, query, NULL, 0, on_best, &out, em);
    if (!e)
        e = add_curve(s, study, &out, em);
    buf_addz(&out, "\nlast trials\n");
    if (!e)
        e = add_last(s, study, &out, em);
    buf_fini(&out);
    return e;
}

struct trial_out {
    struct buf out;
    bool found;
};

static err_t on_trial(void *self, const struct row *r, struct errmsg *em)
{
    struct trial_out *t = self;
    (void)em;
    if (!r->values)
        return ERR_OK;
    t->found = true;
    for (size_t i = 0; i < r->n; i++) {
        struct json_object *v = json_object_array_get_idx(r->values, i);
        char name[64];
        str_copyz(name, sizeof name, r->columns[i]);
        if (str_is(r->columns[i], "error") || str_is(r->columns[i], "params") ||
            str_is(r->columns[i], "metrics") || str_is(r->columns[i], "why"))
            continue;
        add_field(&t->out, name, v);
    }
    add_members(&t->out, "parameters", row_text(r, "params"));
    add_members(&t->out, "metrics", row_text(r, "metrics"));
    add_members(&t->out, "chosen by", row_text(r, "why"));
    struct str error = row_text(r, "error");
    if (error.n) {
        buf_addz(&t->out, "error\n");
        while (error.n) {
            const char *end = memchr(error.p, '\n', error.n);
            size_t n = end ? (size_t)(end - error.p) : error.n;
            buf_addz(&t->out, "  ");
            cell_text(&t->out, str_make(error.p, n), SIZE_MAX, true);
            buf_addc(&t->out, '\n');
            n += end != NULL;
            error = str_make(error.p + n, error.n - n);
        }
    }
    return ERR_OK;
}

static err_t add_reports(struct source *s, const struct study_row *study, uint64_t trial,
                         struct errmsg *em)
{
    char query[500];
    struct listing l;
    snprintf(
        query, sizeof query,
        "select * from (select attempt, step, loss, metrics from report where study = '%s' and "
        "number = %llu order by attempt desc, step desc limit %d) order by attempt, step",
        study->name, (unsigned long long)trial, LAST_REPORTS);
    listing_init(&l, LISTING_TABLE);
    l.empty = "no reports";
    err_t e = source_sql(s, query, NULL, 0, listing_row, &l, em);
    if (!e && l.rows)
        e = listing_end(&l, em);
    listing_fini(&l);
    return e;
}

static err_t show_trial(struct source *s, const struct study_row *study, uint64_t trial,
                        struct errmsg *em)
{
    char query[300];
    struct trial_out t = {.found = false};
    buf_init(&t.out, 0);
    snprintf(query, sizeof query, "select * from trial where study = '%s' and number = %llu",
             study->name, (unsigned long long)trial);
    err_t e = source_sql(s, query, NULL, 0, on_trial, &t, em);
    if (!e && !t.found)
        e = source_no_trial(study, trial, em);
    if (!e)
        e = client_print(&t.out, em);
    if (!e)
        e = add_reports(s, study, trial, em);
    buf_fini(&t.out);
    return e;
}

static err_t show_json(struct source *s, const struct study_row *study, bool one, uint64_t trial,
                       struct errmsg *em)
{
    char query[300];
    struct listing l;
    if (one)
        snprintf(query, sizeof query, "select * from trial where study = '%s' and number = %llu",
                 study->name, (unsigned long long)trial);
    else
        snprintf(query, sizeof query, "select * from study where name = '%s'", study->name);
    listing_init(&l, LISTING_JSON);
    l.unpack = true;
    err_t e = source_sql(s, query, NULL, 0, listing_row, &l, em);
    if (!e && l.rows == 0)
        e = source_no_trial(study, trial, em);
    if (!e)
        e = listing_end(&l, em);
    listing_fini(&l);
    return e;
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct client *c = &((struct show_settings *)settings)->client;
    struct source *s;
    struct study_row study = {0};
    bool one = o->n_operands > 1;
    uint64_t trial = 0;
    err_t e = one ? client_number(o->operands[1], "trial", &trial, em) : ERR_OK;
    if (!e)
        e = source_open(&s, c, o->operands[0], em);
    if (e)
        return e;
    e = source_study(s, o->operands[0], &study, em);
    if (!e && c->json)
        e = show_json(s, &study, one, trial, em);
    else if (!e)
        e = one ? show_trial(s, &study, trial, em) : show_study(s, &study, em);
    study_row_fini(&study);
    source_close(s);
    return e;
}

int cmd_show(int argc, char **argv)
{
    struct show_settings s;
    return client_main(&show_table, &s, &s.client, argc, argv, 1, 2, work);
}
