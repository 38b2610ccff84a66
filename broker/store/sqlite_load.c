/* Reading everything back at a start: rows, then the records behind them; and blobs by digest.
 *
 * Called on the owner's thread before the journal's thread runs. Values are read as they are;
 * whether they make sense is for the core, which refuses what contradicts itself. Texts are valid
 * during a callback only. */
#include "sqlite_db.h"

#include <stdlib.h>

#include "hash.h"

#define REQUESTS_LOADED "4096"

static struct str column_text(sqlite3_stmt *st, int i)
{
    const char *p = (const char *)sqlite3_column_text(st, i);
    return str_make(p, (size_t)sqlite3_column_bytes(st, i));
}

static void column_bytes(sqlite3_stmt *st, int i, void *out, size_t n)
{
    const void *p = sqlite3_column_blob(st, i);
    if (p && (size_t)sqlite3_column_bytes(st, i) == n)
        memcpy(out, p, n);
}

static uint64_t column_u64(sqlite3_stmt *st, int i)
{
    return (uint64_t)sqlite3_column_int64(st, i);
}

typedef err_t on_row(struct db *d, sqlite3_stmt *st, const struct journal_reader *r,
                     struct errmsg *em);

static err_t each(struct db *d, const char *sql, uint64_t from, const struct journal_reader *r,
                  on_row *fn, struct errmsg *em)
{
    sqlite3_stmt *st;
    err_t e = ERR_OK;
    if (sqlite3_prepare_v2(d->sql, sql, -1, &st, NULL) != SQLITE_OK)
        return errmsg_set(em, ERR_CORRUPT, "%s: %s", d->file, sqlite3_errmsg(d->sql));
    sqlite3_bind_int64(st, 1, (int64_t)from);
    int rc;
    while (e == ERR_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
        e = fn(d, st, r, em);
    if (e == ERR_OK && rc != SQLITE_DONE)
        e = errmsg_set(em, (rc & 0xff) == SQLITE_CORRUPT ? ERR_CORRUPT : ERR_IO,
                       "%s cannot be read: %s", d->file, sqlite3_errmsg(d->sql));
    sqlite3_finalize(st);
    return e;
}

void db_study_image(sqlite3_stmt *st, struct study_image *s)
{
    *s = (struct study_image){.number = column_u64(st, 0),
                              .seq = column_u64(st, 1),
                              .study_seq = column_u64(st, 2),
                              .name = column_text(st, 3),
                              .state = (uint8_t)sqlite3_column_int(st, 4),
                              .maximize = sqlite3_column_int(st, 5) != 0,
                              .metric = column_text(st, 6),
                              .why = column_text(st, 7),
                              .spec_number = (uint32_t)sqlite3_column_int64(st, 10),
                              .optimizer_epoch = (uint32_t)sqlite3_column_int64(st, 11)};
    column_bytes(st, 8, s->spec.b, sizeof s->spec.b);
    column_bytes(st, 9, s->search.b, sizeof s->search.b);
    s->trials = column_u64(st, 12);
    for (unsigned i = 0; i <= TRIAL_CANCELLED; i++)
        s->count[i] = column_u64(st, 13 + (int)i);
    s->has_best = sqlite3_column_type(st, 23) != SQLITE_NULL;
    s->best = sqlite3_column_double(st, 23);
    s->best_trial = column_u64(st, 24);
    s->created_ms = sqlite3_column_int64(st, 25);
    s->ended_ms = sqlite3_column_int64(st, 26);
    s->elapsed_ms = column_u64(st, 27);
    s->paused = sqlite3_column_int(st, 28) != 0;
    s->compacted = column_u64(st, 29);
}

static err_t read_study(struct db *d, sqlite3_stmt *st, const struct journal_reader *r,
                        struct errmsg *em)
{
    struct study_image s;
    (void)d;
    db_study_image(st, &s);
    return r->study(r->self, &s, em);
}

uint32_t db_decide(sqlite3_stmt *st, int i, int64_t out[DB_DECIDE])
{
    const char *p = (const char *)sqlite3_column_text(st, i);
    uint32_t n = 0;
    while (p && *p && n < DB_DECIDE) {
        char *end;
        out[n++] = strtoll(p, &end, 10);
        if (end == p)
            return n - 1;
        p = *end == ',' ? end + 1 : end;
    }
    return n;
}

static void read_trial_head(sqlite3_stmt *st, struct trial_image *t)
{
    int flags = sqlite3_column_int(st, 6);
    t->study = column_u64(st, 0);
    t->number = column_u64(st, 1);
    t->seq = column_u64(st, 2);
    t->state = (uint8_t)sqlite3_column_int(st, 3);
    t->why = (uint8_t)sqlite3_column_int(st, 4);
    t->last_close = (uint8_t)sqlite3_column_int(st, 5);
    t->front = flags & DB_FLAG_FRONT;
    t->enqueued = flags & DB_FLAG_ENQUEUED;
    t->adopted = flags & DB_FLAG_ADOPTED;
    t->has_draw = flags & DB_FLAG_DRAW;
    t->has_value = flags & DB_FLAG_VALUE;
    t->has_step = flags & DB_FLAG_STEP;
    t->has_resume = flags & DB_FLAG_RESUME;
    t->attempt = (uint32_t)sqlite3_column_int64(st, 7);
    t->final_attempt = (uint32_t)sqlite3_column_int64(st, 8);
    t->lost = (uint32_t)sqlite3_column_int64(st, 9);
    t->crashes = (uint32_t)sqlite3_column_int64(st, 10);
    t->spec_number = (uint32_t)sqlite3_column_int64(st, 11);
}

/* What a final trial does not need in memory. */
static void read_trial_rest(sqlite3_stmt *st, struct trial_image *t, int64_t decide[DB_DECIDE])
{
    t->based_on = column_u64(st, 13);
    t->behind = (uint32_t)sqlite3_column_int64(st, 14);
    t->step = sqlite3_column_int64(st, 16);
    t->created_ms = sqlite3_column_int64(st, 17);
    t->started_ms = sqlite3_column_int64(st, 18);
    t->finished_ms = sqlite3_column_int64(st, 19);
    t->retry_ms = sqlite3_column_int64(st, 20);
    t->runtime_ms = column_u64(st, 21);
    t->exit_code = sqlite3_column_int64(st, 22);
    t->signal = (uint32_t)sqlite3_column_int64(st, 23);
    t->resume_step = sqlite3_column_int64(st, 25);
    t->params = column_text(st, 26);
    t->why_text = column_text(st, 27);
    t->metrics = column_text(st, 28);
    t->error = column_text(st, 29);
    t->resume = column_text(st, 30);
    t->n_decide = db_decide(st, 31, decide);
    t->decide = decide;
    column_bytes(st, 32, t->resume_digest.b, sizeof t->resume_digest.b);
}

static void read_trial_main(sqlite3_stmt *st, struct trial_image *t)
{
    *t = (struct trial_image){0};
    read_trial_head(st, t);
    t->draw = column_u64(st, 12);
    t->value = sqlite3_column_double(st, 15);
    column_bytes(st, 24, t->worker.b, sizeof t->worker.b);
}

void db_trial_image(sqlite3_stmt *st, struct trial_image *t, int64_t decide[DB_DECIDE])
{
    read_trial_main(st, t);
    read_trial_rest(st, t, decide);
}

static err_t read_trial(struct db *d, sqlite3_stmt *st, const struct journal_reader *r,
                        struct errmsg *em)
{
    struct trial_image t;
    int64_t decide[DB_DECIDE];
    (void)d;
    read_trial_main(st, &t);
    if (!trial_state_final(t.state))
        read_trial_rest(st, &t, decide);
    return r->trial(r->self, &t, em);
}

static err_t read_request(struct db *d, sqlite3_stmt *st, const struct journal_reader *r,
                          struct errmsg *em)
{
    (void)d;
    struct msg_reply m = {.name = column_text(st, 1),
                          .text = column_text(st, 2),
                          .number = column_u64(st, 3),
                          .seq = column_u64(st, 4)};
    column_bytes(st, 0, m.request.b, sizeof m.request.b);
    return r->request(r->self, &m, em);
}

static err_t read_record(struct db *d, sqlite3_stmt *st, const struct journal_reader *r,
                         struct errmsg *em)
{
    (void)d;
    const void *p = sqlite3_column_blob(st, 1);
    struct str body = str_make(p, (size_t)sqlite3_column_bytes(st, 1));
    return r->record(r->self, column_u64(st, 0), body, em);
}

err_t db_load(struct db *d, const struct journal_reader *r, uint64_t fold_seq, struct errmsg *em)
{
    err_t e =
        each(d, "SELECT * FROM study_row WHERE ?1 >= 0 ORDER BY number", 0, r, read_study, em);
    if (e == ERR_OK)
        e = each(d, "SELECT * FROM trial_row WHERE study > ?1", 0, r, read_trial, em);
    if (e == ERR_OK)
        e = each(d,
                 "SELECT * FROM (SELECT * FROM request WHERE seq > ?1 ORDER BY seq DESC "
                 "LIMIT " REQUESTS_LOADED ") ORDER BY seq",
                 0, r, read_request, em);
    if (e == ERR_OK)
        e = each(d, "SELECT seq, body FROM journal WHERE seq > ?1 ORDER BY seq", fold_seq, r,
                 read_record, em);
    return e;
}

err_t db_blob(struct db *d, struct digest digest, struct buf *out, struct errmsg *em)
{
    sqlite3_stmt *st = db_use(d, DB_BLOB_GET);
    bool found = false;
    size_t before = out->n;
    sqlite3_bind_blob(st, 1, digest.b, sizeof digest.b, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, 0);
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        found = true;
        buf_add(out, sqlite3_column_blob(st, 1), (size_t)sqlite3_column_bytes(st, 1));
    }
    sqlite3_reset(st);
    if (rc != SQLITE_DONE)
        return errmsg_set(em, ERR_CORRUPT, "%s cannot be read: %s", d->file,
                          sqlite3_errmsg(d->sql));
    if (found && !digest_eq(hash_bytes(str_make(out->p + before, out->n - before)), digest))
        return errmsg_set(em, ERR_CORRUPT, "%s: a blob in it is damaged", d->file);
    if (found)
        return ERR_OK;
    char hex[HEX_SIZE(32)];
    str_hex(hex, digest.b, sizeof digest.b);
    return errmsg_set(em, ERR_NOT_FOUND, "the database has no blob %s", hex);
}
