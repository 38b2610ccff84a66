/* `tunefarm export`: every trial of a study, or every report, as CSV or JSON lines. Asked for page
 * by page behind the last number seen, so that a study of a million trials needs the memory of one
 * page.
 *
 * Called by main.c. Values are exact. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alloc.h"
#include "command.h"
#include "csv.h"
#include "json.h"
#include "source.h"
#include "spec.h"

#define PAGE 1000

struct export_settings {
    struct client client;
    int format; /* 0 csv, 1 jsonl */
    const char *output;
    bool reports;
};
static const struct opt_row export_rows[] = {
    {.name = "format",
     .letter = 'f',
     .type = OPT_CHOICE,
     .offset = offsetof(struct export_settings, format),
     .initial = "csv",
     .choices = "csv|jsonl",
     .help = "csv: a head line and a column for each parameter; jsonl: one object a line."},
    {.name = "output",
     .letter = 'o',
     .type = OPT_STR,
     .offset = offsetof(struct export_settings, output),
     .value = "FILE",
     .help = "Write to FILE, which appears when all is written. Default: standard output."},
    {.name = "reports",
     .letter = 'r',
     .type = OPT_FLAG,
     .offset = offsetof(struct export_settings, reports),
     .help = "Every intermediate report in place of the trials."},
    CLIENT_ROW_BROKER(struct export_settings),
    CLIENT_ROW_KEY(struct export_settings),
    CLIENT_ROW_DB(struct export_settings),
    CLIENT_ROW_TIMEOUT(struct export_settings),
};
static const struct opt_table export_table = {
    .program = "tunefarm export",
    .usage = "tunefarm export [OPTION ...] STUDY",
    .summary = "write all trials as CSV or JSON lines",
    .text = "Writes all trials of a study in order of their numbers, with every digit. A parameter "
            "that is not active in a trial has an empty field, one whose value is null the text "
            "null. A study may be exported while it runs.",
    .rows = export_rows,
    .n = sizeof export_rows / sizeof export_rows[0],
};

static const char trial_columns[] =
    "number, state, loss, params, attempt, attempts, worker, host, step, created, started, "
    "finished, runtime, exit_code, signal, error, metrics, spec_number";
static const char report_columns[] =
    "study_seq, trial as number, attempt, step, value as loss, text as metrics, time";

/* Names of parameters, each once, in order of appearance. */
struct names {
    char **v;
    size_t n, cap;
};

struct export
{
    const struct export_settings *s;
    const char *study;
    FILE *out;
    struct names params;
    bool headed;
    int64_t last; /* number (study_seq) of the last row */
    uint64_t number_of_study;
    struct buf line;
};

static void names_add(struct names *names, struct str name)
{
    for (size_t i = 0; i < names->n; i++)
        if (str_is(name, names->v[i]))
            return;
    if (names->n == names->cap) {
        names->cap = names->cap ? names->cap * 2 : 32;
        names->v = alloc_grow(names->v, names->cap, sizeof *names->v);
    }
    names->v[names->n++] = str_dupz(name);
}

static void names_fini(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->v[i]);
    free(names->v);
}

static struct json_object *inner(const struct row *r, const char *column)
{
    struct json_object *v = NULL;
    struct str text = row_text(r, column);
    if (text.n == 0 || json_parse(text, JSON_NONFINITE, &v, NULL) != ERR_OK)
        return NULL;
    if (json_object_is_type(v, json_type_object))
        return v;
    json_object_put(v);
    return NULL;
}

/* A parameter may have the name of a column of the trial. */
static void head_param(struct buf *out, const struct row *r, const char *name)
{
    struct buf text;
    buf_init(&text, 0);
    for (size_t i = 0; i < r->n; i++)
        if (str_is(r->columns[i], name))
            buf_addz(&text, "params.");
    buf_addz(&text, name);
    csv_field(out, buf_str(&text));
    buf_fini(&text);
}

static void csv_head(struct export *x, const struct row *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (i)
            buf_addc(&x->line, ',');
        if (!str_is(r->columns[i], "params")) {
            csv_field(&x->line, r->columns[i]);
            continue;
        }
        for (size_t k = 0; k < x->params.n; k++) {
            if (k)
                buf_addc(&x->line, ',');
            head_param(&x->line, r, x->params.v[k]);
        }
    }
    buf_addc(&x->line, '\n');
}

/* An option may be null: that is its text, since nothing stands for a parameter that is not active.
 */
static void param_field(struct buf *out, struct json_object *params, const char *name)
{
    struct json_object *v;
    bool active = json_object_object_get_ex(params, name, &v);
    if (active && !v)
        buf_addz(out, "null");
    else if (active)
        csv_value(out, v);
}

static void csv_row(struct export *x, const struct row *r)
{
    struct json_object *params = inner(r, "params");
    for (size_t i = 0; i < r->n; i++) {
        if (i)
            buf_addc(&x->line, ',');
        if (!str_is(r->columns[i], "params")) {
            csv_value(&x->line, json_object_array_get_idx(r->values, i));
            continue;
        }
        for (size_t k = 0; k < x->params.n; k++) {
            if (k)
                buf_addc(&x->line, ',');
            param_field(&x->line, params, x->params.v[k]);
        }
    }
    buf_addc(&x->line, '\n');
    json_object_put(params);
}

static void json_row(struct export *x, const struct row *r)
{
    struct jsonw w;
    struct buf text;
    buf_init(&text, 0);
    jsonw_init(&w, &x->line);
    jsonw_object(&w);
    for (size_t i = 0; i < r->n; i++) {
        bool packed = str_is(r->columns[i], "params") || str_is(r->columns[i], "metrics");
        struct json_object *v = json_object_array_get_idx(r->values, i);
        jsonw_key(&w, r->columns[i]);
        buf_clear(&text);
        if (packed && json_object_is_type(v, json_type_string) && json_object_get_string_len(v))
            buf_addz(&text, json_object_get_string(v));
        else if (v)
            json_write(&text, v);
        else
            buf_addz(&text, "null");
        jsonw_raw(&w, buf_str(&text));
    }
    jsonw_end(&w);
    buf_addc(&x->line, '\n');
    buf_fini(&text);
}

static err_t write_line(struct export *x, struct errmsg *em)
{
    bool ok = buf_ok(&x->line) && client_write(x->out, buf_str(&x->line));
    buf_clear(&x->line);
    return ok ? ERR_OK
              : errmsg_set(em, ERR_IO, "the output cannot be written: %s", strerror(errno));
}

static err_t on_row(void *self, const struct row *r, struct errmsg *em)
{
    struct export *x = self;
    if (x->s->format == 0 && !x->headed)
        csv_head(x, r);
    x->headed = true;
    if (r->values) {
        x->last = row_int(r, x->s->reports ? "study_seq" : "number", x->last);
        if (x->s->format == 0)
            csv_row(x, r);
        else
            json_row(x, r);
    }
    return write_line(x, em);
}

/* Reports come in the order in which they arrived, which is the order of their index. */
static void page_query(const struct export *x, char *query, size_t size)
{
    if (x->s->reports)
        snprintf(query, size,
                 "select %s from event where study = %llu and study > 0 and study_seq > %lld and "
                 "kind = 'reported' order by study_seq limit %d",
                 report_columns, (unsigned long long)x->number_of_study, (long long)x->last, PAGE);
    else
        snprintf(query, size,
                 "select %s from trial where study = '%s' and number > %lld order by number limit "
                 "%d",
                 trial_columns, x->study, (long long)x->last, PAGE);
}

static err_t write_pages(struct export *x, struct source *s, struct errmsg *em)
{
    char query[800];
    uint64_t n;
    err_t e;
    x->last = -1;
    do {
        page_query(x, query, sizeof query);
        e = source_page(s, query, &n, on_row, x, em);
    } while (!e && n > 0);
    return e;
}

static err_t on_key(void *self, const struct row *r, struct errmsg *em)
{
    struct export *x = self;
    (void)em;
    if (!r->values)
        return ERR_OK;
    x->last = row_int(r, "number", x->last);
    struct json_object *params = inner(r, "params");
    if (params) {
        json_object_object_foreach(params, key, unused)
        {
            (void)unused;
            names_add(&x->params, str_of(key));
        }
    }
    json_object_put(params);
    return ERR_OK;
}

/* Trials of other versions of an edited study may have parameters that the present space has not.
 */
static err_t add_older_names(struct export *x, struct source *s, struct errmsg *em)
{
    char query[400];
    uint64_t n;
    err_t e;
    x->last = -1;
    do {
        snprintf(query, sizeof query,
                 "select number, params from trial where study = '%s' and number > %lld and "
                 "spec_number < (select max(spec_number) from trial where study = '%s') order by "
                 "number limit %d",
                 x->study, (long long)x->last, x->study, PAGE);
        e = source_page(s, query, &n, on_key, x, em);
    } while (!e && n > 0);
    return e;
}

static err_t find_names(struct export *x, struct source *s, const struct study_row *study,
                        struct errmsg *em)
{
    struct spec *spec;
    if (x->s->format != 0 || x->s->reports)
        return ERR_OK;
    err_t e = spec_parse(str_of(study->spec), &spec, em);
    if (e)
        return e;
    for (uint32_t i = 0; i < spec->space->n; i++)
        names_add(&x->params, spec->space->params[i].name);
    spec_free(spec);
    return add_older_names(x, s, em);
}

/* Writes to a file beside the target, which is put in its place when it is whole. */
static err_t to_file(struct export *x, struct source *s, struct errmsg *em)
{
    struct buf part;
    const char *target = x->s->output;
    buf_init(&part, 0);
    buf_printf(&part, "%s.part", target);
    x->out = fopen(buf_z(&part), "we");
    err_t e =
        x->out ? ERR_OK
               : errmsg_set(em, ERR_IO, "%s cannot be written: %s", buf_z(&part), strerror(errno));
    if (!e) {
        e = write_pages(x, s, em);
        if (fclose(x->out) && !e)
            e = errmsg_set(em, ERR_IO, "%s cannot be written: %s", buf_z(&part), strerror(errno));
        if (!e && rename(buf_z(&part), target))
            e = errmsg_set(em, ERR_IO, "%s cannot be written: %s", target, strerror(errno));
        if (e)
            unlink(buf_z(&part));
    }
    buf_fini(&part);
    return e;
}

static err_t on_compacted(void *self, const struct row *r, struct errmsg *em)
{
    const struct export *x = self;
    (void)em;
    if (r->values && row_int(r, "compacted", 0) > 0)
        client_note("%s was compacted up to its event %lld: of trials that were final, only the "
                    "last reports and those that decided are left",
                    x->study, (long long)row_int(r, "compacted", 0));
    return ERR_OK;
}

/* Nobody should take a thinned curve for a whole one. */
static err_t note_compaction(struct export *x, struct source *s, struct errmsg *em)
{
    char query[200];
    snprintf(query, sizeof query, "select compacted from study where name = '%s'", x->study);
    err_t e = source_sql(s, query, NULL, 0, on_compacted, x, em);
    /* A database of before version 3 has no such column, and was never compacted. */
    return e == ERR_INVALID ? ERR_OK : e;
}

static err_t export_all(struct export *x, struct source *s, struct errmsg *em)
{
    if (x->s->output)
        return to_file(x, s, em);
    x->out = stdout;
    err_t e = write_pages(x, s, em);
    if (!e && fflush(stdout))
        e = errmsg_set(em, ERR_IO, "the output cannot be written: %s", strerror(errno));
    return e;
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    struct export x = {.s = settings, .study = o->operands[0]};
    struct source *s;
    struct study_row study;
    err_t e = source_open(&s, &x.s->client, x.study, em);
    if (e)
        return e;
    buf_init(&x.line, 0);
    e = source_study(s, x.study, &study, em);
    x.number_of_study = study.number;
    if (!e && x.s->reports)
        e = note_compaction(&x, s, em);
    if (!e)
        e = find_names(&x, s, &study, em);
    if (!e)
        e = export_all(&x, s, em);
    buf_fini(&x.line);
    names_fini(&x.params);
    study_row_fini(&study);
    source_close(s);
    return e;
}

int cmd_export(int argc, char **argv)
{
    struct export_settings s;
    return client_main(&export_table, &s, &s.client, argc, argv, 1, 1, work);
}
