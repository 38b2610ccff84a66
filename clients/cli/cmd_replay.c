/* `tunefarm replay`: recomputes every proposal of a study from its journal. The records are asked
 * for page by page and told to the optimizer of this installation, one specification after the
 * other: what was proposed under it, then what had happened by then.
 *
 * Called by main.c. */
#include <json-c/json.h>
#include <stdio.h>

#include "alloc.h"
#include "codec.h"
#include "command.h"
#include "json.h"
#include "judge.h"
#include "source.h"

#define PAGE 1000

struct replay_settings {
    struct client client;
};
static const struct opt_row replay_rows[] = {CLIENT_ROWS_READ(struct replay_settings)};
static const struct opt_table replay_table = {
    .program = "tunefarm replay",
    .usage = "tunefarm replay [OPTION ...] STUDY",
    .summary = "recompute every proposal from the journal",
    .text = "The same specification, seed and order of events give the same proposals. Replay asks "
            "for every proposal of the study again, each with exactly the results that were known "
            "when it was made, and compares. It says that all are equal, or names the first trial "
            "that differs, what its journal holds and what came. Restarts, points given by "
            "enqueue and changed specifications (--edit) are taken into account. The study may "
            "run meanwhile. Nothing is changed.",
    .more = "EXIT STATUS\n"
            "0: all are equal. 1: one differs. Others as in tunefarm(1).\n\n",
    .rows = replay_rows,
    .n = sizeof replay_rows / sizeof replay_rows[0],
};

struct replay {
    struct source *s;
    const char *study;
    struct judge judge;
    struct arena arena;
    uint64_t last;     /* study_seq of the last row */
    uint64_t based_on; /* the greatest of the proposals under the present specification */
    bool history;      /* records are told as history, else as proposals */
};
struct version {
    uint64_t from; /* study_seq of the record that brought it */
    char *spec;
};
struct versions {
    struct version *v;
    size_t n, cap;
};

static err_t damaged(const struct replay *r, struct errmsg *em)
{
    return errmsg_set(em, ERR_CORRUPT, "record %llu of %s cannot be read",
                      (unsigned long long)r->last, r->study);
}

static void tell_proposal(struct replay *r, const struct record *record)
{
    struct proposal p = {.draw = record->number,
                         .params = record->text,
                         .why = record->note,
                         .based_on = record->based_on,
                         .behind = record->behind};
    struct msg_propose m = {.proposals = {&p, 1}};
    p.why.n = str_utf8_cut(p.why, 1024);
    judge_tell(&r->judge, MSG_PROPOSE, &m);
    r->based_on = record->based_on > r->based_on ? record->based_on : r->based_on;
}

static void tell_history(struct replay *r, const struct record *record)
{
    struct msg_events m = {.records = {record, 1}};
    judge_tell(&r->judge, MSG_EVENTS, &m);
}

static err_t on_record(void *self, const struct row *row, struct errmsg *em)
{
    struct replay *r = self;
    struct str hex = row_text(row, "body");
    struct record record;
    if (!row->values)
        return ERR_OK;
    r->last = (uint64_t)row_int(row, "study_seq", 0);
    arena_clear(&r->arena);
    uint8_t *bytes = arena_alloc(&r->arena, hex.n / 2 + 1);
    if (!bytes || !str_from_hex(hex, bytes, hex.n / 2) ||
        record_decode(&record, str_make(bytes, hex.n / 2), &r->arena, NULL))
        return damaged(r, em);
    if (r->history)
        tell_history(r, &record);
    else
        tell_proposal(r, &record);
    return ERR_OK;
}

/* All records of these kinds between two places, both not included. */
static err_t tell_between(struct replay *r, const char *kinds, uint64_t after, uint64_t before,
                          struct errmsg *em)
{
    char query[512];
    uint64_t n;
    err_t e = ERR_OK;
    r->last = after;
    do {
        snprintf(query, sizeof query,
                 "select study_seq, body from record where study = '%s' and study_seq > %llu and "
                 "study_seq < %llu and kind in (%s) order by study_seq limit %d",
                 r->study, (unsigned long long)r->last, (unsigned long long)before, kinds, PAGE);
        e = source_page(r->s, query, &n, on_record, r, em);
    } while (!e && n > 0 && !r->judge.gone);
    return e;
}

static err_t tell_version(struct replay *r, const struct version *v, uint64_t before,
                          struct errmsg *em)
{
    struct msg_attached m = {.spec = str_of(v->spec)};
    judge_tell(&r->judge, MSG_ATTACHED, &m);
    r->based_on = 0;
    r->history = false;
    err_t e = tell_between(r, "'proposed'", v->from, before, em);
    r->history = true;
    if (!e && r->based_on)
        e = tell_between(r,
                         "'proposed', 'enqueued', 'reported', 'finished', 'study_closed', "
                         "'study_opened'",
                         0, r->based_on + 1, em);
    return e;
}

static err_t on_version(void *self, const struct row *row, struct errmsg *em)
{
    struct versions *all = self;
    (void)em;
    if (!row->values)
        return ERR_OK;
    if (all->n == all->cap) {
        all->cap = all->cap ? all->cap * 2 : 8;
        all->v = alloc_grow(all->v, all->cap, sizeof *all->v);
    }
    all->v[all->n++] =
        (struct version){(uint64_t)row_int(row, "study_seq", 0), str_dupz(row_text(row, "spec"))};
    return ERR_OK;
}

static err_t find_versions(struct replay *r, struct versions *all, struct errmsg *em)
{
    char query[400];
    size_t before;
    err_t e = ERR_OK;
    do {
        before = all->n;
        snprintf(query, sizeof query,
                 "select study_seq, spec from record where study = '%s' and study_seq > %llu and "
                 "kind in ('study_created', 'spec_added') order by study_seq limit 10",
                 r->study, (unsigned long long)(before ? all->v[before - 1].from : 0));
        e = source_sql(r->s, query, NULL, 0, on_version, all, em);
    } while (!e && all->n > before);
    return e;
}

static void versions_fini(struct versions *all)
{
    for (size_t i = 0; i < all->n; i++)
        free(all->v[i].spec);
    free(all->v);
}

static err_t tell_all(struct replay *r, struct errmsg *em)
{
    struct versions all = {0};
    err_t e = find_versions(r, &all, em);
    for (size_t i = 0; i < all.n && !e; i++)
        e = tell_version(r, &all.v[i], i + 1 < all.n ? all.v[i + 1].from : (uint64_t)INT64_MAX, em);
    versions_fini(&all);
    return e;
}

static err_t on_trial(void *self, const struct row *row, struct errmsg *em)
{
    (void)em;
    if (row->values)
        *(int64_t *)self = row_int(row, "number", -1);
    return ERR_OK;
}

static void add_member(struct buf *out, const char *title, struct json_object *v)
{
    buf_printf(out, "  %s ", title);
    if (v)
        json_write(out, v);
    else
        buf_addz(out, "nothing");
    buf_addc(out, '\n');
}

static err_t tell_difference(struct replay *r, struct json_object *d, bool json, struct errmsg *em)
{
    int64_t trial = -1, draw = json_object_get_int64(json_get(d, "draw"));
    char query[300];
    struct buf out;
    snprintf(query, sizeof query, "select number from trial where study = '%s' and draw = %lld",
             r->study, (long long)draw);
    err_t e = source_sql(r->s, query, NULL, 0, on_trial, &trial, em);
    if (e)
        return e;
    buf_init(&out, 0);
    if (json) {
        json_object_object_add(d, "trial", json_object_new_int64(trial));
    } else {
        buf_printf(&out, "trial %lld of %s (draw %lld, based on event %lld): %s differs\n",
                   (long long)trial, r->study, (long long)draw,
                   (long long)json_object_get_int64(json_get(d, "based_on")),
                   json_object_get_string(json_get(d, "what")));
        add_member(&out, "recorded  ", json_get(d, "expected"));
        add_member(&out, "recomputed", json_get(d, "came"));
        e = client_print(&out, em);
    }
    buf_fini(&out);
    return e ? e
             : errmsg_set(em, ERR_FAILED,
                          "trial %lld of %s was not proposed by this program from this journal",
                          (long long)trial, r->study);
}

static err_t tell_equal(const struct replay *r, struct json_object *answer, struct errmsg *em)
{
    struct buf out;
    long long n = json_object_get_int64(json_get(answer, "proposals"));
    long long reasons = json_object_get_int64(json_get(answer, "reasons"));
    buf_init(&out, 0);
    if (n == 0)
        buf_printf(&out, "%s has no proposals\n", r->study);
    else
        buf_printf(&out, "%lld proposal%s recomputed, all equal\n", n, n == 1 ? "" : "s");
    if (reasons)
        buf_printf(&out, "the reasons of %lld read differently: another version gave them\n",
                   reasons);
    err_t e = client_print(&out, em);
    buf_fini(&out);
    return e;
}

static err_t print_json(struct json_object *answer, struct errmsg *em)
{
    struct buf out;
    buf_init(&out, 0);
    json_write(&out, answer);
    buf_addc(&out, '\n');
    err_t e = client_print(&out, em);
    buf_fini(&out);
    return e;
}

static err_t tell_verdict(struct replay *r, struct str text, bool json, struct errmsg *em)
{
    struct json_object *answer = NULL;
    err_t e = json_parse(text, JSON_NONFINITE, &answer, em);
    struct json_object *fault = json_get(answer, "error"), *d = json_get(answer, "difference");
    if (e)
        return errmsg_wrap(em, e, "the answer of the optimizer");
    if (fault)
        e = errmsg_set(em, ERR_INVALID, "%s cannot be recomputed: %s", r->study,
                       json_object_get_string(fault));
    else if (d)
        e = tell_difference(r, d, json, em);
    else if (!json)
        e = tell_equal(r, answer, em);
    if (json && !fault && (!e || e == ERR_FAILED)) {
        err_t bad = print_json(answer, em);
        e = bad ? bad : e;
    }
    json_object_put(answer);
    return e;
}

static err_t replay(struct source *s, const char *name, bool json, struct errmsg *em)
{
    struct study_row study = {0};
    struct replay r = {.s = s, .study = name};
    struct buf answer;
    err_t e = source_study(s, name, &study, em);
    study_row_fini(&study);
    if (e)
        return e;
    buf_init(&answer, 0);
    arena_init(&r.arena, 0);
    e = judge_start(&r.judge, em);
    if (!e)
        e = tell_all(&r, em);
    if (!e)
        e = judge_ask(&r.judge, &answer, em);
    if (!e)
        e = tell_verdict(&r, buf_str(&answer), json, em);
    judge_fini(&r.judge);
    arena_fini(&r.arena);
    buf_fini(&answer);
    return e;
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct client *c = &((struct replay_settings *)settings)->client;
    struct source *s;
    err_t e = source_open(&s, c, o->operands[0], em);
    if (e)
        return e;
    e = replay(s, o->operands[0], c->json, em);
    source_close(s);
    return e;
}

int cmd_replay(int argc, char **argv)
{
    struct replay_settings s;
    return client_main(&replay_table, &s, &s.client, argc, argv, 1, 1, work);
}
