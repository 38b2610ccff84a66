/* The checkup. Stage by stage: SQLite's look at the pages; the journal from its first record, each
 * record read, compared with its columns and folded into a farm of its own; the rows against that
 * farm; the journal's index; and the records behind the last complete rows.
 *
 * A final trial is compared when its last record was folded, and forgotten then, so memory is what
 * unfinished trials take and 48 bytes for each other one. While a farm runs, rows and journal move
 * on: the fold goes no further than `fold_seq`, up to which the rows are complete, so a row may be
 * ahead of the fold (then it is left out and counted) and never behind.
 *
 * On the journal's thread, or in a process of its own for a file. It must not write, log or wait.
 */
#include "checkup.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "clock.h"
#include "codec.h"
#include "compare.h"
#include "farm.h"
#include "findings.h"
#include "hash.h"

#define BATCH      256u        /* records or rows between looks at the clock */
#define PAGES_MOST (16u << 20) /* bytes that a running farm waits for: some 20 ms */
#define ULL(x)     (unsigned long long)(x)

enum stage { STAGE_PAGES, STAGE_FOLD, STAGE_ROWS, STAGE_INDEX, STAGE_TAIL, STAGE_DONE };
enum statement {
    ST_RECORDS,
    ST_TRIAL,
    ST_STUDY,
    ST_COMPACTED,
    ST_SURPLUS,
    ST_INDEX,
    ST_FOLD_SEQ,
    STATEMENTS
};
static const char *const texts[STATEMENTS] = {
    [ST_RECORDS] = "SELECT seq, study, study_seq, kind, wall_ms, trial, attempt, step, value, body "
                   "FROM journal WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
    [ST_TRIAL] = "SELECT * FROM trial_row WHERE study = ?1 AND number = ?2",
    [ST_STUDY] = "SELECT * FROM study_row WHERE number = ?1",
    [ST_COMPACTED] = "SELECT compacted FROM study_row WHERE number = ?1",
    [ST_SURPLUS] = "SELECT (SELECT count(*) FROM trial_row WHERE study = ?1 AND number >= ?2) + "
                   "(SELECT count(*) FROM trial_row WHERE study > ?3 LIMIT 1)",
    [ST_INDEX] = "SELECT count(*) FROM journal INDEXED BY journal_study WHERE study = ?1 AND study "
                 "> 0 AND study_seq >= ?2 AND study_seq < ?3",
    [ST_FOLD_SEQ] = "SELECT (SELECT value FROM meta WHERE key = 'fold_seq'), (SELECT max(seq) FROM "
                    "journal)",
};

/* What was read of a study's records. */
struct study_read {
    uint64_t seq, n; /* the last study_seq; how many */
    uint64_t indexed;
};
struct checkup {
    struct db *d;
    struct fx_ask ask;
    journal_envelope *envelope;
    bool running;
    enum stage stage;
    sqlite3_stmt *st[STATEMENTS];
    struct farm *farm;
    struct effects fx;
    struct arena arena;
    struct buf spec, why;
    uint64_t seq, fold_seq, last_seq; /* folded; complete in rows; in the journal */
    struct study_read *studies;       /* by number - 1 */
    uint64_t n_studies;
    uint64_t missing;   /* places in the farm's order without a record */
    uint64_t study, at; /* where STAGE_ROWS and STAGE_INDEX are */
    uint64_t records, trials, ahead;
    struct findings pages, journal, rows;
    bool pages_skipped, useless; /* the fold broke off: nothing can be compared */
};

static sqlite3_stmt *use(struct checkup *c, enum statement s)
{
    if (!c->st[s] && sqlite3_prepare_v2(c->d->sql, texts[s], -1, &c->st[s], NULL) != SQLITE_OK) {
        findings_add(&c->journal, "a table cannot be read: %s", sqlite3_errmsg(c->d->sql));
        c->useless = true;
    }
    return c->st[s];
}

static void bind(sqlite3_stmt *st, int i, uint64_t v)
{
    sqlite3_bind_int64(st, i, (int64_t)v);
}

static uint64_t column(sqlite3_stmt *st, int i)
{
    return (uint64_t)sqlite3_column_int64(st, i);
}

/* A step that tells of damaged pages. */
static bool step(struct checkup *c, sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        findings_add(&c->journal, "the database cannot be read: %s", sqlite3_errmsg(c->d->sql));
        c->useless = true;
    }
    return rc == SQLITE_ROW;
}

static void look_where(struct checkup *c)
{
    sqlite3_stmt *st = use(c, ST_FOLD_SEQ);
    if (st && step(c, st)) {
        c->fold_seq = (uint64_t)sqlite3_column_int64(st, 0);
        c->last_seq = (uint64_t)sqlite3_column_int64(st, 1);
    }
    sqlite3_reset(st);
}

/* ---- pages ---- */

static int64_t number(struct checkup *c, const char *sql)
{
    sqlite3_stmt *st;
    int64_t v = 0;
    if (sqlite3_prepare_v2(c->d->sql, sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

static void check_pages(struct checkup *c)
{
    sqlite3_stmt *st;
    int64_t bytes = number(c, "PRAGMA page_count") * number(c, "PRAGMA page_size");
    if (c->running && bytes > PAGES_MOST) {
        c->pages_skipped = true;
        return;
    }
    int rc = sqlite3_prepare_v2(c->d->sql, "PRAGMA integrity_check(20)", -1, &st, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(st, 0);
        if (text && strcmp(text, "ok") != 0)
            findings_add(&c->pages, "%.300s", text);
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_DONE)
        findings_add(&c->pages, "%s", sqlite3_errmsg(c->d->sql));
    sqlite3_finalize(st);
}

/* ---- fold ---- */

/* What people read in the columns must be what programs read in the body. */
static const char *columns_differ(sqlite3_stmt *st, const struct record *r)
{
    if (r->seq != column(st, 0) || r->study != column(st, 1) || r->study_seq != column(st, 2))
        return "its place";
    if (r->kind != column(st, 3) || r->wall_ms != sqlite3_column_int64(st, 4))
        return "its kind or time";
    if (r->study && r->kind >= REC_PROPOSED && r->trial != column(st, 5))
        return "its trial";
    if (r->attempt != column(st, 6))
        return "its attempt";
    if (r->has_step != (sqlite3_column_type(st, 7) != SQLITE_NULL) ||
        (r->has_step && r->step != sqlite3_column_int64(st, 7)))
        return "its step";
    double v = sqlite3_column_double(st, 8);
    bool is = r->has_value && r->value == r->value;
    if (is != (sqlite3_column_type(st, 8) != SQLITE_NULL) || (is && v != r->value))
        return "its value";
    return NULL;
}

/* The study_seq up to which intermediate reports may have been dropped. */
static uint64_t compacted_to(struct checkup *c, uint64_t study)
{
    sqlite3_stmt *st = use(c, ST_COMPACTED);
    uint64_t to = 0;
    if (!st)
        return 0;
    bind(st, 1, study);
    if (step(c, st))
        to = column(st, 0);
    sqlite3_reset(st);
    return to;
}

/* Places in the study's order are dense, but for what a compaction dropped; what is missing in the
 * farm's order must be missing in a study's. */
static const char *out_of_order(struct checkup *c, const struct record *r)
{
    c->missing += r->seq - c->seq - 1;
    if (!r->study)
        return NULL;
    if (r->study > c->n_studies + 1)
        return "its study does not exist";
    if (r->study == c->n_studies + 1) {
        c->studies = alloc_grow(c->studies, ++c->n_studies, sizeof *c->studies);
        c->studies[r->study - 1] = (struct study_read){0};
    }
    struct study_read *s = &c->studies[r->study - 1];
    if (r->study_seq <= s->seq)
        return "it is out of order";
    uint64_t gap = r->study_seq - s->seq - 1;
    if (gap && r->study_seq - 1 > compacted_to(c, r->study))
        return "records of its study before it are missing";
    c->missing -= gap;
    s->seq = r->study_seq;
    s->n++;
    return NULL;
}

static err_t apply(struct checkup *c, const struct record *r, struct errmsg *em)
{
    struct envelope env;
    bool spec = r->kind == REC_STUDY_CREATED || r->kind == REC_SPEC_ADDED;
    err_t e = ERR_OK;
    buf_clear(&c->spec);
    if (spec)
        e = db_blob(c->d, r->digest, &c->spec, em);
    if (spec && e == ERR_OK && !digest_eq(hash_bytes(buf_str(&c->spec)), r->digest))
        e = errmsg_set(em, ERR_CORRUPT, "its specification is damaged");
    if (spec && e == ERR_OK)
        e = c->envelope(buf_str(&c->spec), &c->arena, &env, em);
    return e == ERR_OK ? farm_load_record(c->farm, r, buf_str(&c->spec), spec ? &env : NULL, em)
                       : e;
}

static void take_record(struct checkup *c, sqlite3_stmt *st)
{
    struct record r;
    struct errmsg em;
    arena_clear(&c->arena);
    uint64_t seq = column(st, 0);
    struct str body = str_make(sqlite3_column_blob(st, 9), (size_t)sqlite3_column_bytes(st, 9));
    err_t e = record_decode(&r, body, &c->arena, &em);
    const char *fault = e == ERR_OK ? out_of_order(c, &r) : NULL;
    if (e == ERR_OK && fault)
        e = errmsg_set(&em, ERR_CORRUPT, "%s", fault);
    if (e == ERR_OK && (fault = columns_differ(st, &r)))
        findings_add(&c->journal, "record %llu: %s is another in its columns than in its body",
                     ULL(seq), fault);
    if (e == ERR_OK)
        e = apply(c, &r, &em);
    if (e != ERR_OK) {
        findings_add(&c->journal, "record %llu cannot be used: %s", ULL(seq), em.text);
        c->useless = true;
        return;
    }
    c->seq = seq;
    c->records++;
}

static uint64_t fold_batch(struct checkup *c, uint64_t to)
{
    sqlite3_stmt *st = use(c, ST_RECORDS);
    uint64_t n = 0;
    if (!st)
        return 0;
    bind(st, 1, c->seq);
    bind(st, 2, to);
    bind(st, 3, BATCH);
    for (; !c->useless && step(c, st); n++)
        take_record(c, st);
    sqlite3_reset(st);
    return n;
}

/* ---- rows ---- */

static void tell_trial(struct checkup *c, const struct trial_image *fold, const char *why)
{
    struct study_image s = {0};
    (void)farm_study(c->farm, fold->study, &s);
    findings_add(&c->rows, "study " STR_FMT ", trial %llu: %s", STR_ARG(s.name), ULL(fold->number),
                 why);
}

static void check_trial(struct checkup *c, const struct trial_image *fold)
{
    sqlite3_stmt *st = use(c, ST_TRIAL);
    struct trial_image row = {0};
    int64_t decide[DB_DECIDE];
    if (!st)
        return;
    bind(st, 1, fold->study);
    bind(st, 2, fold->number);
    if (step(c, st)) {
        db_trial_image(st, &row, decide);
        buf_clear(&c->why);
        c->trials++;
        if (row.seq > c->fold_seq && row.seq > fold->seq)
            c->ahead++;
        else if (row.seq != fold->seq)
            findings_add(&c->rows,
                         "study %llu, trial %llu: its row is of record %llu, its last one is %llu",
                         ULL(fold->study), ULL(fold->number), ULL(row.seq), ULL(fold->seq));
        else if (!compare_trial(&row, fold, &c->why))
            tell_trial(c, fold, buf_z(&c->why));
    } else if (!c->useless) {
        tell_trial(c, fold, "it has no row");
    }
    sqlite3_reset(st);
}

/* Final trials are done with; what the fold keeps of others stays for STAGE_ROWS. */
static void check_final(struct checkup *c)
{
    effects_clear(&c->fx);
    farm_flush_rows(c->farm, 0, true, &c->fx);
    for (size_t i = 0; i < c->fx.n_trials && !c->useless; i++) {
        if (trial_state_final(c->fx.trials[i].state))
            check_trial(c, &c->fx.trials[i]);
    }
}

static void check_study(struct checkup *c, const struct study_image *fold)
{
    sqlite3_stmt *st = use(c, ST_STUDY);
    struct study_image row = {0};
    if (!st)
        return;
    bind(st, 1, fold->number);
    if (step(c, st)) {
        db_study_image(st, &row);
        buf_clear(&c->why);
        if (row.seq > c->fold_seq && row.seq > fold->seq)
            c->ahead++;
        else if (!compare_study(&row, fold, &c->why))
            findings_add(&c->rows, "study " STR_FMT ": %s", STR_ARG(fold->name), buf_z(&c->why));
    } else if (!c->useless) {
        findings_add(&c->rows, "study " STR_FMT " has no row", STR_ARG(fold->name));
    }
    sqlite3_reset(st);
}

static void check_surplus(struct checkup *c, const struct study_image *fold)
{
    sqlite3_stmt *st = use(c, ST_SURPLUS);
    if (!st)
        return;
    bind(st, 1, fold->number);
    bind(st, 2, fold->trials);
    bind(st, 3, farm_counts(c->farm).studies);
    if (step(c, st) && sqlite3_column_int64(st, 0) && !c->ahead && c->fold_seq == c->last_seq)
        findings_add(&c->rows,
                     "study " STR_FMT ": %lld rows of trials that the journal does not know",
                     STR_ARG(fold->name), (long long)sqlite3_column_int64(st, 0));
    sqlite3_reset(st);
}

/* A batch of trials of one study; true when all studies are through. */
static bool check_rows(struct checkup *c)
{
    struct study_image s;
    if (!farm_study(c->farm, c->study, &s))
        return true;
    if (!c->at) {
        check_study(c, &s);
        check_surplus(c, &s);
    }
    struct trial_image t;
    unsigned looked = 0;
    for (; c->at < s.trials && looked < BATCH && !c->useless; c->at++) {
        if (farm_trial(c->farm, s.number, c->at, &t) && !trial_state_final(t.state)) {
            check_trial(c, &t);
            looked++;
        }
    }
    if (c->at >= s.trials) {
        c->study++;
        c->at = 0;
    }
    return false;
}

/* ---- index ---- */

/* What was read of a study stands in the index, counted range by range. */
static bool check_index(struct checkup *c)
{
    if (c->study > c->n_studies)
        return true;
    struct study_read *s = &c->studies[c->study - 1];
    uint64_t from = c->at + 1, to = from + 8 * (uint64_t)BATCH;
    to = to > s->seq + 1 ? s->seq + 1 : to;
    sqlite3_stmt *st = use(c, ST_INDEX);
    if (!st)
        return true;
    bind(st, 1, c->study);
    bind(st, 2, from);
    bind(st, 3, to);
    if (step(c, st))
        s->indexed += column(st, 0);
    sqlite3_reset(st);
    c->at = to - 1;
    if (c->at < s->seq)
        return false;
    /* A compaction may drop records that were read a moment ago. */
    if (s->indexed != s->n && !(c->running && compacted_to(c, c->study)))
        findings_add(&c->journal, "study %llu: the index holds %llu of %llu records", ULL(c->study),
                     ULL(s->indexed), ULL(s->n));
    c->study++;
    c->at = 0;
    return false;
}

/* ---- the stages ---- */

static void enter(struct checkup *c, enum stage next)
{
    c->stage = c->useless ? STAGE_DONE : next;
    c->study = 1;
    c->at = 0;
}

static void go_on(struct checkup *c)
{
    switch (c->stage) {
    case STAGE_PAGES:
        check_pages(c);
        enter(c, STAGE_FOLD);
        break;
    case STAGE_FOLD:
        if (!fold_batch(c, c->fold_seq))
            enter(c, STAGE_ROWS);
        check_final(c);
        break;
    case STAGE_ROWS:
        /* Rows of running trials move on while others are looked at. */
        if (fold_batch(c, c->fold_seq))
            check_final(c);
        else if (check_rows(c))
            enter(c, STAGE_INDEX);
        break;
    case STAGE_INDEX:
        if (check_index(c))
            enter(c, STAGE_TAIL);
        break;
    case STAGE_TAIL:
        if (!fold_batch(c, c->last_seq)) {
            if (c->missing)
                findings_add(&c->journal, "%llu records are missing", ULL(c->missing));
            enter(c, STAGE_DONE);
        }
        farm_flush_rows(c->farm, 0, true, &c->fx);
        effects_clear(&c->fx);
        break;
    case STAGE_DONE:
        break;
    }
    if (c->useless)
        c->stage = STAGE_DONE;
}

/* ---- the answer ---- */

#define RESTORE "restore the last backup; keep this file for a look at what happened"

static void put_answer(struct checkup *c, struct group *g)
{
    char text[200];
    struct findings_lines l = {.g = g};
    findings_lines(&l, "pages", &c->pages,
                   c->pages_skipped ? "left out: too large to look at while the farm runs (check a "
                                      "backup or the stopped farm's file with --db)"
                                    : "no damaged page",
                   RESTORE);
    snprintf(text, sizeof text, "%llu records can be read and follow one another", ULL(c->records));
    findings_lines(&l, "journal", &c->journal, text, RESTORE);
    snprintf(text, sizeof text,
             "%llu studies and %llu trials are what the journal says up to record %llu%s",
             ULL(farm_counts(c->farm).studies), ULL(c->trials - c->ahead), ULL(c->fold_seq),
             c->ahead ? "; some changed meanwhile and were left out" : "");
    if (!c->useless || c->rows.n)
        findings_lines(
            &l, "fold", &c->rows, text,
            "somebody changed the database by hand, or its disk did: restore the last backup");
    findings_answer(&l, &c->ask, c->seq);
}

/* ---- life ---- */

struct checkup *checkup_new(struct db *d, const struct fx_ask *ask, journal_envelope *envelope,
                            bool running)
{
    struct checkup *c = alloc_zero(sizeof *c);
    struct farm_config config;
    c->d = d;
    c->ask = *ask;
    c->envelope = envelope;
    c->running = running;
    farm_config_defaults(&config);
    c->farm = farm_new(&config);
    effects_init(&c->fx);
    arena_init(&c->arena, 0);
    return c;
}

void checkup_free(struct checkup *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(c->st[i]);
    farm_free(c->farm);
    effects_fini(&c->fx);
    arena_fini(&c->arena);
    buf_fini(&c->spec);
    buf_fini(&c->why);
    findings_fini(&c->pages);
    findings_fini(&c->journal);
    findings_fini(&c->rows);
    free(c->studies);
    free(c);
}

bool checkup_slice(struct checkup *c, struct group *g, int64_t budget_ns, bool (*waits)(void *self),
                   void *self)
{
    int64_t until = clock_now() + budget_ns;
    look_where(c);
    do
        go_on(c);
    while (c->stage != STAGE_DONE && clock_now() < until && !(waits && waits(self)));
    if (c->stage != STAGE_DONE)
        return false;
    put_answer(c, g);
    checkup_free(c);
    return true;
}

err_t checkup_file(const char *file, journal_envelope *envelope, struct group *g, struct errmsg *em)
{
    struct db d;
    const struct fx_ask ask = {.kind = ASK_CHECK};
    err_t e = db_open_reading(&d, file, em);
    if (e != ERR_OK)
        return e;
    struct checkup *c = checkup_new(&d, &ask, envelope, false);
    while (!checkup_slice(c, g, NS_PER_S, NULL, NULL))
        continue;
    db_close(&d);
    return ERR_OK;
}
