/* Writing a group: its records, blobs, answers and rows in one transaction. Strings are bound
 * without copies; they stay where they are until the statement is reset.
 *
 * Called by the journal's thread. A failed commit has an unknown outcome, unless the disk was full:
 * then everything is rolled back and the same group may be tried again. */
#include "sqlite_db.h"

#include <stdio.h>

#define BLOB_PIECE 131072u

static void bind_text(sqlite3_stmt *st, int i, struct str s)
{
    if (s.n)
        sqlite3_bind_text(st, i, s.p, (int)s.n, SQLITE_STATIC);
    else
        sqlite3_bind_null(st, i);
}

static void bind_u64(sqlite3_stmt *st, int i, uint64_t v)
{
    sqlite3_bind_int64(st, i, (int64_t)v);
}

/* Null when there is nothing. */
static void bind_if(sqlite3_stmt *st, int i, bool there, int64_t v)
{
    if (there)
        sqlite3_bind_int64(st, i, v);
    else
        sqlite3_bind_null(st, i);
}

static void bind_value(sqlite3_stmt *st, int i, bool there, double v)
{
    if (there)
        sqlite3_bind_double(st, i, v); /* NaN becomes NULL */
    else
        sqlite3_bind_null(st, i);
}

static int step(sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int write_record(struct db *d, const struct effects *fx, const struct fx_record *r)
{
    sqlite3_stmt *st = db_use(d, DB_RECORD);
    bool trial = r->study && r->kind >= REC_PROPOSED;
    bind_u64(st, 1, r->seq);
    bind_u64(st, 2, r->study);
    bind_u64(st, 3, r->study_seq);
    sqlite3_bind_int(st, 4, r->kind);
    sqlite3_bind_int64(st, 5, r->wall_ms);
    bind_if(st, 6, trial, (int64_t)r->trial);
    bind_if(st, 7, r->attempt != 0, r->attempt);
    bind_if(st, 8, r->has_step, r->step);
    bind_value(st, 9, r->has_value, r->value);
    bind_text(st, 10, effects_str(fx, r->text));
    sqlite3_bind_blob(st, 11, fx->bytes.p + r->body.at, (int)r->body.n, SQLITE_STATIC);
    return step(st);
}

static int64_t flags_of(const struct trial_image *t)
{
    return (t->front ? DB_FLAG_FRONT : 0) | (t->enqueued ? DB_FLAG_ENQUEUED : 0) |
           (t->adopted ? DB_FLAG_ADOPTED : 0) | (t->has_draw ? DB_FLAG_DRAW : 0) |
           (t->has_value ? DB_FLAG_VALUE : 0) | (t->has_step ? DB_FLAG_STEP : 0) |
           (t->has_resume ? DB_FLAG_RESUME : 0);
}

static void bind_decide(sqlite3_stmt *st, int i, const struct trial_image *t)
{
    char text[64 * 21 + 1];
    size_t n = 0;
    for (uint32_t k = 0; k < t->n_decide && n + 21 < sizeof text; k++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%lld", k ? "," : "",
                              (long long)t->decide[k]);
    if (n)
        sqlite3_bind_text(st, i, text, (int)n, SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(st, i);
}

static int write_trial(struct db *d, const struct trial_image *t)
{
    sqlite3_stmt *st = db_use(d, DB_TRIAL);
    static const struct id128 none;
    static const struct digest undigested;
    int64_t head[] = {
        (int64_t)t->study, (int64_t)t->number, (int64_t)t->seq, t->state,         t->why,
        t->last_close,     flags_of(t),        t->attempt,      t->final_attempt, t->lost,
        t->crashes,        t->spec_number};
    int i = 1;
    for (size_t k = 0; k < sizeof head / sizeof *head; k++)
        sqlite3_bind_int64(st, i++, head[k]);
    bind_if(st, i++, t->has_draw, (int64_t)t->draw);
    bind_if(st, i++, t->has_draw, (int64_t)t->based_on);
    bind_if(st, i++, t->has_draw, t->behind);
    bind_value(st, i++, t->has_value, t->value);
    bind_if(st, i++, t->has_step, t->step);
    int64_t tail[] = {t->created_ms,          t->started_ms, t->finished_ms, t->retry_ms,
                      (int64_t)t->runtime_ms, t->exit_code,  t->signal};
    for (size_t k = 0; k < sizeof tail / sizeof *tail; k++)
        sqlite3_bind_int64(st, i++, tail[k]);
    if (id128_eq(t->worker, none))
        sqlite3_bind_null(st, i++);
    else
        sqlite3_bind_blob(st, i++, t->worker.b, sizeof t->worker.b, SQLITE_STATIC);
    bind_if(st, i++, t->has_resume, t->resume_step);
    bind_text(st, i++, t->params);
    bind_text(st, i++, t->why_text);
    bind_text(st, i++, t->metrics);
    bind_text(st, i++, t->error);
    bind_text(st, i++, t->resume);
    bind_decide(st, i++, t);
    if (digest_eq(t->resume_digest, undigested))
        sqlite3_bind_null(st, i);
    else
        sqlite3_bind_blob(st, i, t->resume_digest.b, sizeof t->resume_digest.b, SQLITE_STATIC);
    return step(st);
}

static int write_study(struct db *d, const struct study_image *s)
{
    sqlite3_stmt *st = db_use(d, DB_STUDY);
    int i = 1;
    bind_u64(st, i++, s->number);
    bind_u64(st, i++, s->seq);
    bind_u64(st, i++, s->study_seq);
    bind_text(st, i++, s->name);
    sqlite3_bind_int(st, i++, s->state);
    sqlite3_bind_int(st, i++, s->maximize);
    bind_text(st, i++, s->metric);
    bind_text(st, i++, s->why);
    sqlite3_bind_blob(st, i++, s->spec.b, sizeof s->spec.b, SQLITE_STATIC);
    sqlite3_bind_blob(st, i++, s->search.b, sizeof s->search.b, SQLITE_STATIC);
    bind_u64(st, i++, s->spec_number);
    bind_u64(st, i++, s->optimizer_epoch);
    bind_u64(st, i++, s->trials);
    for (unsigned k = 0; k <= TRIAL_CANCELLED; k++)
        bind_u64(st, i++, s->count[k]);
    bind_value(st, i++, s->has_best, s->best);
    bind_if(st, i++, s->has_best, (int64_t)s->best_trial);
    sqlite3_bind_int64(st, i++, s->created_ms);
    sqlite3_bind_int64(st, i++, s->ended_ms);
    bind_u64(st, i++, s->elapsed_ms);
    sqlite3_bind_int(st, i++, s->paused);
    bind_u64(st, i, s->compacted);
    return step(st);
}

static int write_worker(struct db *d, const struct worker_image *w)
{
    sqlite3_stmt *st = db_use(d, DB_WORKER);
    int i = 1;
    sqlite3_bind_blob(st, i++, w->id.b, sizeof w->id.b, SQLITE_STATIC);
    bind_text(st, i++, w->name);
    bind_text(st, i++, w->host);
    sqlite3_bind_int(st, i++, w->state);
    bind_u64(st, i++, w->slots);
    bind_u64(st, i++, w->running);
    sqlite3_bind_double(st, i++, w->cpu);
    bind_u64(st, i++, w->gpu);
    bind_if(st, i++, w->memory <= INT64_MAX, (int64_t)w->memory);
    bind_text(st, i++, w->labels);
    bind_text(st, i++, w->software);
    bind_u64(st, i++, w->pid);
    sqlite3_bind_int64(st, i++, w->joined_ms);
    sqlite3_bind_int64(st, i++, w->seen_ms);
    return step(st);
}

static bool have_blob(struct db *d, const struct digest *digest)
{
    sqlite3_stmt *st = db_use(d, DB_BLOB_HAVE);
    sqlite3_bind_blob(st, 1, digest->b, sizeof digest->b, SQLITE_STATIC);
    bool have = sqlite3_step(st) == SQLITE_ROW;
    sqlite3_reset(st);
    return have;
}

/* In pieces, so that a piece of a large one is read without walking over what is before it. */
static int write_blob(struct db *d, const struct digest *digest, struct str bytes)
{
    int rc = SQLITE_OK;
    if (have_blob(d, digest))
        return SQLITE_OK;
    for (size_t at = 0; rc == SQLITE_OK && (at < bytes.n || at == 0); at += BLOB_PIECE) {
        sqlite3_stmt *st = db_use(d, DB_BLOB_PUT);
        size_t n = bytes.n - at < BLOB_PIECE ? bytes.n - at : BLOB_PIECE;
        sqlite3_bind_blob(st, 1, digest->b, sizeof digest->b, SQLITE_STATIC);
        bind_u64(st, 2, at);
        bind_u64(st, 3, bytes.n);
        sqlite3_bind_blob(st, 4, n ? bytes.p + at : "", (int)n, SQLITE_STATIC);
        rc = step(st);
    }
    return rc;
}

static int write_request(struct db *d, const struct effects *fx, const struct fx_request *q)
{
    sqlite3_stmt *st = db_use(d, DB_REQUEST);
    sqlite3_bind_blob(st, 1, q->request.b, sizeof q->request.b, SQLITE_STATIC);
    bind_text(st, 2, effects_str(fx, q->name));
    bind_text(st, 3, effects_str(fx, q->text));
    bind_u64(st, 4, q->number);
    bind_u64(st, 5, q->seq);
    sqlite3_bind_int64(st, 6, q->wall_ms);
    return step(st);
}

static int write_fold(struct db *d, uint64_t fold_seq)
{
    sqlite3_stmt *st = db_use(d, DB_META_SET);
    sqlite3_bind_text(st, 1, "fold_seq", -1, SQLITE_STATIC);
    bind_u64(st, 2, fold_seq);
    return step(st);
}

static int write_all(struct db *d, const struct effects *fx)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < fx->n_blobs && rc == SQLITE_OK; i++)
        rc = write_blob(d, &fx->blobs[i].digest, effects_str(fx, fx->blobs[i].bytes));
    for (size_t i = 0; i < fx->n_records && rc == SQLITE_OK; i++)
        rc = write_record(d, fx, &fx->records[i]);
    for (size_t i = 0; i < fx->n_requests && rc == SQLITE_OK; i++)
        rc = write_request(d, fx, &fx->requests[i]);
    for (size_t i = 0; i < fx->n_studies && rc == SQLITE_OK; i++)
        rc = write_study(d, &fx->studies[i]);
    for (size_t i = 0; i < fx->n_trials && rc == SQLITE_OK; i++)
        rc = write_trial(d, &fx->trials[i]);
    for (size_t i = 0; i < fx->n_workers && rc == SQLITE_OK; i++)
        rc = write_worker(d, &fx->workers[i]);
    if (fx->fold_seq && rc == SQLITE_OK)
        rc = write_fold(d, fx->fold_seq);
    return rc;
}

int db_write(struct db *d, const struct group *g)
{
    int rc = db_run(d, DB_BEGIN);
    if (rc == SQLITE_OK)
        rc = write_all(d, &g->fx);
    if (rc == SQLITE_OK)
        rc = db_run(d, DB_COMMIT);
    if ((rc & 0xff) != SQLITE_FULL)
        return rc;
    if (!sqlite3_get_autocommit(d->sql) && db_run(d, DB_ROLLBACK) != SQLITE_OK)
        return SQLITE_IOERR;
    return SQLITE_FULL;
}
