/* SQLite's own backup, page by page into a new file: pages that change after they were copied are
 * written to the copy too, so the copy is the database at the moment at which it is complete, and
 * nothing begins anew however busy the farm is.
 *
 * The journal's thread copies; a thread of the run's own flushes what was copied, so that no commit
 * waits for the disk because of a backup, and puts the file in place at the end. The copy is marked
 * as one (dbschema.h), because the farm may go on after it. */
#include "sqlite_backup.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "alloc.h"
#include "clock.h"
#include "dbschema.h"
#include "newfile.h"

#define STEP_PAGES  32 /* 128 KiB, some 0.1 ms */
#define TELL_NS     (200 * NS_PER_MS)
#define FLUSH_BYTES (16 << 20)
#define ROOM_SPARE  ((uint64_t)256 << 20)

enum flusher { FLUSH_ON, FLUSH_END, FLUSH_DROP };

struct backup_run {
    struct db *d;
    uint64_t token, seq; /* seq: of the copy */
    bool force;
    char *path;
    struct newfile file;
    bool begun;
    sqlite3 *to;
    sqlite3_backup *copy;
    int64_t told;
    uint64_t at, of; /* bytes */
    err_t e;
    struct errmsg em;
    /* the flusher's */
    pthread_t thread;
    bool threaded;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    enum flusher todo;    /* under lock */
    uint64_t copied;      /* under lock */
    atomic_bool finished; /* e and em of the end are set */
};

struct backup_run *backup_run_new(struct db *d, const struct fx_ask *ask)
{
    struct backup_run *r = alloc_zero(sizeof *r);
    r->d = d;
    r->token = ask->token;
    r->force = ask->force;
    r->path = str_dupz(str_of(ask->query));
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->cond, NULL);
    return r;
}

/* ---- the flusher ---- */

static void *flush(void *self)
{
    struct backup_run *r = self;
    uint64_t flushed = 0;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (r->todo == FLUSH_ON && r->copied - flushed < FLUSH_BYTES)
            pthread_cond_wait(&r->cond, &r->lock);
        if (r->todo != FLUSH_ON)
            break;
        flushed = r->copied;
        pthread_mutex_unlock(&r->lock);
        newfile_flush(&r->file);
        pthread_mutex_lock(&r->lock);
    }
    bool end = r->todo == FLUSH_END;
    pthread_mutex_unlock(&r->lock);
    if (end)
        r->e = newfile_end(&r->file, &r->em);
    atomic_store(&r->finished, true);
    return NULL;
}

static void tell_flusher(struct backup_run *r, enum flusher todo)
{
    pthread_mutex_lock(&r->lock);
    r->todo = todo;
    r->copied = r->at;
    pthread_cond_signal(&r->cond);
    pthread_mutex_unlock(&r->lock);
}

/* ---- the copy ---- */

static bool sqlite_fault(struct backup_run *r, int rc, const char *what)
{
    bool full = (rc & 0xff) == SQLITE_FULL;
    r->e = errmsg_set(&r->em, full ? ERR_FULL : ERR_IO, "%s %s: %s", r->path, what,
                      full ? "no space is left" : sqlite3_errstr(rc));
    return false;
}

static uint64_t source_bytes(const struct db *d)
{
    sqlite3_stmt *st = NULL;
    uint64_t pages = 0;
    if (sqlite3_prepare_v2(d->sql, "PRAGMA page_count", -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        pages = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return pages * DB_PAGE;
}

/* A copy that would fill the farm's own disk would stop the farm. */
static bool has_room(struct backup_run *r)
{
    uint64_t need = source_bytes(r->d) + ROOM_SPARE, room = newfile_room(&r->file);
    if (room >= need)
        return true;
    r->e = errmsg_set(&r->em, ERR_FULL, "%s: %llu MiB are needed there, %llu MiB are free", r->path,
                      (unsigned long long)(need >> 20), (unsigned long long)(room >> 20));
    return false;
}

static bool begin(struct backup_run *r)
{
    static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF;"
                                  "PRAGMA synchronous = OFF; PRAGMA cache_size = -4096;";
    r->e = newfile_begin(&r->file, r->path, r->force, &r->em);
    if (r->e != ERR_OK)
        return false;
    r->begun = true;
    if (!has_room(r))
        return false;
    int rc =
        sqlite3_open_v2(r->file.part, &r->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(r->to, pragmas, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return sqlite_fault(r, rc, "cannot be opened");
    r->copy = sqlite3_backup_init(r->to, "main", r->d->sql, "main");
    if (!r->copy)
        return sqlite_fault(r, sqlite3_errcode(r->to), "cannot be begun");
    r->threaded = pthread_create(&r->thread, NULL, flush, r) == 0;
    if (!r->threaded)
        r->e = errmsg_set(&r->em, ERR_FAILED, "the thread of a backup cannot be started");
    return r->threaded;
}

/* The copy is complete: it is marked and closed, and left to the flusher. */
static bool seal(struct backup_run *r, uint64_t seq)
{
    int rc = sqlite3_backup_finish(r->copy);
    r->copy = NULL;
    r->seq = seq;
    if (rc == SQLITE_OK) /* the copied header says that there is a log; a backup has none */
        rc = sqlite3_exec(r->to, "SELECT 1 FROM meta LIMIT 1; PRAGMA journal_mode = OFF", NULL,
                          NULL, NULL);
    if (rc == SQLITE_OK)
        rc = dbschema_mark_copy(r->to, clock_wall_ms());
    if (rc == SQLITE_OK)
        rc = sqlite3_close(r->to);
    if (rc != SQLITE_OK)
        return sqlite_fault(r, rc, "cannot be written");
    r->to = NULL;
    tell_flusher(r, FLUSH_END);
    return true;
}

/* False: it failed. */
static bool copy_some(struct backup_run *r, int64_t until, uint64_t seq)
{
    int rc;
    do
        rc = sqlite3_backup_step(r->copy, STEP_PAGES);
    while (rc == SQLITE_OK && clock_now() < until);
    uint64_t all = (uint64_t)sqlite3_backup_pagecount(r->copy);
    uint64_t left = (uint64_t)sqlite3_backup_remaining(r->copy);
    r->of = all * DB_PAGE;
    r->at = (all - left) * DB_PAGE;
    tell_flusher(r, FLUSH_ON);
    if (rc == SQLITE_DONE)
        return seal(r, seq);
    return rc == SQLITE_OK || sqlite_fault(r, rc, "cannot be written");
}

static void answer(struct backup_run *r, struct group *g, bool last)
{
    struct fx_ask ask = {.kind = ASK_BACKUP, .token = r->token};
    struct answer *a = group_answer(g, &ask);
    a->seq = r->seq;
    a->at = r->at;
    a->of = r->of;
    a->complete = last;
    if (r->e != ERR_OK) {
        a->fault = (uint8_t)r->e;
        a->error = arena_dup(&g->arena, str_of(r->em.text));
    }
}

static enum chore end(struct backup_run *r, struct group *g)
{
    answer(r, g, true);
    backup_run_free(r);
    return CHORE_LAST;
}

enum chore backup_run_slice(struct backup_run *r, int64_t until, struct group *g, uint64_t seq)
{
    if (!r->begun && !begin(r))
        return end(r, g);
    if (r->copy && !copy_some(r, until, seq))
        return end(r, g);
    if (atomic_load(&r->finished)) {
        pthread_join(r->thread, NULL);
        r->threaded = r->begun = false;
        return end(r, g);
    }
    int64_t now = clock_now();
    if (now - r->told > TELL_NS) {
        r->told = now;
        answer(r, g, false);
    }
    return r->copy ? CHORE_ON : CHORE_WAIT;
}

void backup_run_free(struct backup_run *r)
{
    if (!r)
        return;
    if (r->copy)
        (void)sqlite3_backup_finish(r->copy);
    sqlite3_close(r->to);
    if (r->threaded) {
        pthread_mutex_lock(&r->lock);
        if (r->todo == FLUSH_ON)
            r->todo = FLUSH_DROP;
        pthread_cond_signal(&r->cond);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
    }
    if (r->begun)
        newfile_abandon(&r->file);
    pthread_cond_destroy(&r->cond);
    pthread_mutex_destroy(&r->lock);
    free(r->path);
    free(r);
}
