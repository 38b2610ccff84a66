/* A walk over the study from its last record to its first, in slices. What the sieve lets go is
 * deleted in one transaction a slice; a crash between two leaves a journal with fewer reports,
 * which the record COMPACTED, written before the first slice, has announced.
 *
 * A slice is not flushed by itself: the next group's commit does that, and a slice lost with the
 * machine leaves reports that nobody counts on being gone. Pages that became free are given back to
 * the file system at the end, if the database can do that without being written anew. */
#include "sqlite_compact.h"

#include <stdlib.h>

#include "alloc.h"
#include "clock.h"
#include "sieve.h"

#define SLICE_DROPS 512
#define TELL_NS     (200 * NS_PER_MS)
#define VACUUM_STEP "PRAGMA incremental_vacuum(64)"

struct compact_run {
    struct db *d;
    uint64_t token, study;
    uint64_t top, next; /* study_seq: where the walk began, and where it goes on */
    struct sieve sieve;
    uint64_t drops[SLICE_DROPS];
    size_t n_drops;
    uint64_t dropped;
    int64_t told;
    bool walked;
};

/* ---- what the sieve asks ---- */

static void look_up(void *self, uint64_t number, struct sieve_trial *out)
{
    const struct compact_run *r = self;
    sqlite3_stmt *st = db_use(r->d, DB_TRIAL_STATE);
    *out = (struct sieve_trial){0};
    sqlite3_bind_int64(st, 1, (int64_t)r->study);
    sqlite3_bind_int64(st, 2, (int64_t)number);
    if (sqlite3_step(st) == SQLITE_ROW) {
        out->final = trial_state_final((unsigned)sqlite3_column_int(st, 0));
        out->n_decide = db_decide(st, 1, out->decide);
    }
    sqlite3_reset(st);
}

struct compact_run *compact_run_new(struct db *d, const struct fx_ask *ask)
{
    struct compact_run *r = alloc_zero(sizeof *r);
    r->d = d;
    r->token = ask->token;
    r->study = ask->study;
    r->top = r->next = ask->to;
    sieve_init(&r->sieve, r, look_up);
    return r;
}

void compact_run_free(struct compact_run *r)
{
    if (!r)
        return;
    sieve_fini(&r->sieve);
    free(r);
}

/* ---- the walk ---- */

static void look(struct compact_run *r, sqlite3_stmt *st)
{
    struct sieve_record x = {.seq = (uint64_t)sqlite3_column_int64(st, 0),
                             .kind = (uint8_t)sqlite3_column_int(st, 2),
                             .trial = (uint64_t)sqlite3_column_int64(st, 3),
                             .attempt = (uint32_t)sqlite3_column_int64(st, 4),
                             .has_step = sqlite3_column_type(st, 5) != SQLITE_NULL,
                             .step = sqlite3_column_int64(st, 5),
                             .has_value = sqlite3_column_int(st, 6) != 0};
    uint64_t drop = sieve_look(&r->sieve, &x);
    if (drop)
        r->drops[r->n_drops++] = drop;
}

static int walk(struct compact_run *r, int64_t until)
{
    sqlite3_stmt *st = db_use(r->d, DB_BACKWARDS);
    int rc = SQLITE_ROW;
    sqlite3_bind_int64(st, 1, (int64_t)r->study);
    sqlite3_bind_int64(st, 2, (int64_t)r->next);
    for (unsigned n = 0; r->n_drops < SLICE_DROPS && (n % 64 || n == 0 || clock_now() < until);
         n++) {
        rc = sqlite3_step(st);
        if (rc != SQLITE_ROW)
            break;
        look(r, st);
        r->next = (uint64_t)sqlite3_column_int64(st, 1) - 1;
    }
    sqlite3_reset(st);
    if (rc == SQLITE_DONE)
        r->walked = true;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int delete_all(struct compact_run *r)
{
    sqlite3_stmt *st = db_use(r->d, DB_DROP);
    int rc = db_run(r->d, DB_BEGIN);
    for (size_t i = 0; i < r->n_drops && rc == SQLITE_OK; i++) {
        sqlite3_bind_int64(st, 1, (int64_t)r->drops[i]);
        rc = sqlite3_step(st);
        sqlite3_reset(st);
        rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    if (rc == SQLITE_OK)
        rc = db_run(r->d, DB_COMMIT);
    return rc;
}

static int delete_found(struct compact_run *r)
{
    if (!r->n_drops)
        return SQLITE_OK;
    int rc = db_unflushed(r->d, true);
    if (rc == SQLITE_OK)
        rc = delete_all(r);
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(r->d->sql) &&
        db_run(r->d, DB_ROLLBACK) != SQLITE_OK)
        rc = SQLITE_IOERR;
    if (db_unflushed(r->d, false) != SQLITE_OK)
        rc = SQLITE_IOERR;
    if (rc == SQLITE_OK) {
        r->dropped += r->n_drops;
        r->n_drops = 0;
    }
    return rc;
}

/* ---- giving back ---- */

/* True: there is nothing (more) to give back. */
static bool give_back(struct compact_run *r, int64_t until, int *rc)
{
    if (!r->d->shrinks)
        return true;
    do {
        if (!db_number(r->d->sql, "PRAGMA freelist_count"))
            return true;
        *rc = sqlite3_exec(r->d->sql, VACUUM_STEP, NULL, NULL, NULL);
    } while (*rc == SQLITE_OK && clock_now() < until);
    return false;
}

static void answer(struct compact_run *r, struct group *g, bool last)
{
    struct fx_ask ask = {.kind = ASK_COMPACT, .token = r->token};
    struct answer *a = group_answer(g, &ask);
    a->at = r->top - r->next;
    a->of = r->top;
    a->dropped = r->dropped;
    a->free = (uint64_t)db_number(r->d->sql, "PRAGMA freelist_count") * DB_PAGE;
    a->complete = last;
}

enum chore compact_run_slice(struct compact_run *r, int64_t until, struct group *g, int *rc)
{
    *rc = SQLITE_OK;
    bool end = false;
    if (!r->walked || r->n_drops) {
        if (!r->walked && r->n_drops < SLICE_DROPS)
            *rc = walk(r, until);
        if (*rc == SQLITE_OK)
            *rc = delete_found(r);
    } else {
        end = give_back(r, until, rc);
    }
    int64_t now = clock_now();
    if (end || now - r->told > TELL_NS) {
        r->told = now;
        answer(r, g, end);
    }
    if (!end)
        return CHORE_ON;
    compact_run_free(r);
    return CHORE_LAST;
}
