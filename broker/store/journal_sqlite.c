/* The journal on SQLite: a thread that owns the connection.
 *
 * Groups come through a queue; whatever the loop gathers while one is committed is the next. In
 * between, when nothing waits, the thread runs a slice of a person's question, checkpoints the log,
 * or looks whether a full disk has room again. Upkeep, a backup or a compaction, has a short slice
 * after each group too, so that it ends on a farm that is never idle.
 *
 * A commit that fails for want of room is rolled back and tried again, after the ballast was given
 * up; the group waits as long as it takes, and journal_full() tells the core to make nothing but
 * ends. Any other failed commit has an unknown outcome, so the process ends without another word:
 * what is on the disk is read at the next start. */
#include "journal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "checkup.h"
#include "clock.h"
#include "dbguard.h"
#include "machine.h"
#include "sqlite_backup.h"
#include "sqlite_compact.h"
#include "sqlite_db.h"
#include "sqlite_sql.h"

#define RETRY_MS     500
#define IDLE_MS      1000
#define LOG_IDLE     (1u << 20) /* a smaller log is not worth a checkpoint while idle */
#define SQL_NS       (5 * NS_PER_S)
#define SQL_BYTES    (8u << 20)
#define WAL_LIMIT    (64u << 20)
#define CHECK_NS     (5 * NS_PER_MS)
#define SLICE_NS     (4 * NS_PER_MS) /* of upkeep, when nothing waits */
#define SLICE_BUSY   NS_PER_MS       /* and between two groups */
#define UPKEEP_LOG   (4u << 20)      /* a checkpoint of more would hold up commits for longer */
#define UPKEEP_MS    20              /* how often upkeep that waits is looked at */
#define ROOM_MINIMUM (16u << 20) /* free bytes for going on after a full disk without a ballast */

struct journal_sqlite {
    struct journal j;
    struct journal_config c;
    struct db db;
    pthread_t thread;
    bool started;
    uint64_t durable_seq;  /* thread */
    bool lost;             /* thread: the file is not in its place, and could not be rescued yet */
    bool idle_done;        /* thread: the log was checkpointed since the last commit */
    struct list questions; /* thread: of struct question */
    struct list upkeep;    /* thread: of struct upkeep; the first is worked on */
    bool upkeep_waits;     /* thread: it has nothing to do at present */
    pthread_mutex_t lock;  /* what follows */
    pthread_cond_t cond;
    struct list queue, done;
    bool stop, full;
    struct journal_stats stats;
};
struct question { /* one of the two */
    struct sql_run *run;
    struct checkup *check;
    struct list link;
};
struct upkeep { /* one of the two */
    struct backup_run *backup;
    struct compact_run *compact;
    struct list link;
};

/* ---- thread ---- */

static void set_full(struct journal_sqlite *s, bool full)
{
    pthread_mutex_lock(&s->lock);
    bool changed = s->full != full;
    s->full = full;
    pthread_mutex_unlock(&s->lock);
    if (changed)
        s->c.wake(s->c.self);
}

static bool stopping(struct journal_sqlite *s)
{
    pthread_mutex_lock(&s->lock);
    bool stop = s->stop;
    pthread_mutex_unlock(&s->lock);
    return stop;
}

static void nap(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* The disk is full: the ballast goes, so that what is under way fits, and the log's pages may be
 * used again. */
static void make_room(struct journal_sqlite *s)
{
    ballast_drop(s->c.file);
    set_full(s, true);
    db_checkpoint(&s->db, false);
}

static void check_commit(const struct journal_sqlite *s, int rc)
{
    if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_FULL)
        return;
    /* A constraint fails only if an index and its table contradict one another. */
    if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_CONSTRAINT) {
        fprintf(stderr, "tunefarm-broker: %s is damaged, and nothing can be written to it (%s)\n",
                s->c.file, sqlite3_errstr(rc));
        _exit(err_exit_code(ERR_CORRUPT));
    }
    fprintf(stderr, "tunefarm-broker: %s: the commit failed (%s); ending at once\n", s->c.file,
            sqlite3_errstr(rc));
    abort();
}

/* Told to end while nothing can be written: nothing of the group was promised. */
_Noreturn static void end_full(const struct journal_sqlite *s)
{
    fprintf(stderr,
            "tunefarm-broker: %s: ended while its disk is full; what did not fit was acknowledged "
            "to nobody\n",
            s->c.file);
    _exit(err_exit_code(ERR_FULL));
}

static void write_group(struct journal_sqlite *s, const struct group *g)
{
    for (int tries = 0;; tries++) {
        int rc = db_write(&s->db, g);
        if (rc == SQLITE_OK)
            return;
        check_commit(s, rc);
        make_room(s);
        if (tries && stopping(s))
            end_full(s);
        if (tries)
            nap(RETRY_MS);
    }
}

static void commit(struct journal_sqlite *s, struct group *g)
{
    int64_t began = clock_now();
    write_group(s, g);
    s->idle_done = false;
    if (g->fx.n_records)
        s->durable_seq = g->fx.records[g->fx.n_records - 1].seq;
    uint64_t took = (uint64_t)(clock_now() - began);
    pthread_mutex_lock(&s->lock);
    s->stats.groups++;
    s->stats.records += g->fx.n_records;
    s->stats.commit_ns += took;
    if (took > s->stats.commit_max_ns)
        s->stats.commit_max_ns = took;
    pthread_mutex_unlock(&s->lock);
    if (db_log_bytes(&s->db) > s->c.wal_limit)
        db_checkpoint(&s->db, false);
}

static void post(struct journal_sqlite *s, struct group *g)
{
    pthread_mutex_lock(&s->lock);
    list_push(&s->done, &g->link);
    pthread_mutex_unlock(&s->lock);
    s->c.wake(s->c.self);
}

static void question_free(struct question *q)
{
    list_remove(&q->link);
    sql_run_free(q->run);
    checkup_free(q->check);
    free(q);
}

static void questions_free(struct journal_sqlite *s)
{
    LIST_FOREACH_SAFE (it, tmp, &s->questions)
        question_free(CONTAINER_OF(it, struct question, link));
}

/* For questions: a group, or the end. */
static bool something_waits(void *self)
{
    struct journal_sqlite *s = self;
    pthread_mutex_lock(&s->lock);
    bool waits = s->stop || !list_empty(&s->queue);
    pthread_mutex_unlock(&s->lock);
    return waits;
}

static void begin_question(struct journal_sqlite *s, const struct fx_ask *ask)
{
    struct sql_limits limits = {s->c.sql_ns, s->c.sql_bytes, something_waits, s};
    struct question *q = alloc_zero(sizeof *q);
    if (ask->kind == ASK_SQL)
        q->run = sql_run_new(&s->db, ask, &limits);
    else
        q->check = checkup_new(&s->db, ask, s->c.envelope, true);
    list_push(&s->questions, &q->link);
}

static void answer_machine(struct journal_sqlite *s, const struct fx_ask *ask, struct group *g)
{
    struct machine_store m = {
        .file = s->c.file, .ballast = s->c.ballast, .log_bytes = db_log_bytes(&s->db)};
    pthread_mutex_lock(&s->lock);
    m.full = s->full;
    m.stats = s->stats;
    pthread_mutex_unlock(&s->lock);
    machine_answer(&m, ask, g, s->durable_seq);
}

static void take_upkeep(struct journal_sqlite *s, const struct fx_ask *ask)
{
    struct upkeep *u = alloc_zero(sizeof *u);
    if (ask->kind == ASK_BACKUP)
        u->backup = backup_run_new(&s->db, ask);
    else
        u->compact = compact_run_new(&s->db, ask);
    list_push(&s->upkeep, &u->link);
}

static void take_questions(struct journal_sqlite *s, struct group *g)
{
    for (size_t i = 0; i < g->fx.n_asks; i++) {
        const struct fx_ask *ask = &g->fx.asks[i];
        if (ask->kind == ASK_SQL || (ask->kind == ASK_CHECK && s->c.envelope))
            begin_question(s, ask);
        else if (ask->kind == ASK_BACKUP || ask->kind == ASK_COMPACT)
            take_upkeep(s, ask);
        else if (ask->kind == ASK_MACHINE)
            answer_machine(s, ask, g);
        else
            db_answer(&s->db, ask, g, s->durable_seq);
    }
}

static void serve(struct journal_sqlite *s, struct group *g)
{
    if (effects_writes(&g->fx))
        commit(s, g);
    take_questions(s, g);
    post(s, g);
}

/* A slice of the question that waited longest; the others have their turn after it. */
static void serve_question(struct journal_sqlite *s)
{
    struct question *q = LIST_FIRST(&s->questions, struct question, link);
    struct group *g = group_new();
    list_remove(&q->link);
    bool last = q->run ? sql_run_slice(q->run, g, s->durable_seq)
                       : checkup_slice(q->check, g, CHECK_NS, something_waits, s);
    if (last)
        free(q);
    else
        list_push(&s->questions, &q->link);
    if (g->n_answers)
        post(s, g);
    else
        group_free(g);
}

static bool is_full(struct journal_sqlite *s)
{
    pthread_mutex_lock(&s->lock);
    bool full = s->full;
    pthread_mutex_unlock(&s->lock);
    return full;
}

/* A slice of upkeep, which waits while the disk has no room. */
static void serve_upkeep(struct journal_sqlite *s, bool busy)
{
    struct upkeep *u = LIST_FIRST(&s->upkeep, struct upkeep, link);
    s->upkeep_waits = u && is_full(s);
    if (!u || s->upkeep_waits)
        return;
    struct group *g = group_new();
    int64_t until = clock_now() + (busy ? SLICE_BUSY : SLICE_NS);
    int rc = SQLITE_OK;
    enum chore next = u->backup ? backup_run_slice(u->backup, until, g, s->durable_seq)
                                : compact_run_slice(u->compact, until, g, &rc);
    check_commit(s, rc);
    if (rc != SQLITE_OK)
        make_room(s);
    s->upkeep_waits = next == CHORE_WAIT;
    if (next == CHORE_LAST) {
        list_remove(&u->link);
        free(u);
    }
    if (g->n_answers)
        post(s, g);
    else
        group_free(g);
    if (db_log_bytes(&s->db) > UPKEEP_LOG)
        db_checkpoint(&s->db, false);
}

static void drop_upkeep(struct journal_sqlite *s)
{
    LIST_FOREACH_SAFE (it, tmp, &s->upkeep) {
        struct upkeep *u = CONTAINER_OF(it, struct upkeep, link);
        list_remove(&u->link);
        backup_run_free(u->backup);
        compact_run_free(u->compact);
        free(u);
    }
}

/* Somebody removed or replaced the file: what is acknowledged from now on would be found by no
 * later start. All of it is still here, so it is written out before the end. */
static void end_without_file(struct journal_sqlite *s)
{
    questions_free(s);
    drop_upkeep(s);
    int rc = db_rescue(&s->db);
    if (rc == SQLITE_OK) {
        fprintf(stderr,
                "tunefarm-broker: %s was removed or replaced while in use; everything is in "
                "%s.rescued: move it back, without %s-wal\n",
                s->c.file, s->c.file, s->c.file);
        abort();
    }
    if (!s->lost)
        fprintf(stderr,
                "tunefarm-broker: %s was removed or replaced while in use, and %s.rescued cannot "
                "be written (%s); trying again until it can\n",
                s->c.file, s->c.file, sqlite3_errstr(rc));
    s->lost = true;
    set_full(s, true);
}

static void rest(struct journal_sqlite *s)
{
    if (!db_in_place(&s->db)) {
        end_without_file(s);
        return;
    }
    if (!s->idle_done && db_log_bytes(&s->db) > LOG_IDLE)
        db_checkpoint(&s->db, false);
    s->idle_done = true;
    if (is_full(s) && ballast_room(s->c.file) > 2 * s->c.ballast + ROOM_MINIMUM &&
        ballast_make(s->c.file, s->c.ballast))
        set_full(s, false);
}

static struct timespec after_ms(long ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

/* The next group; NULL with *idle when none came for a while, NULL without when a question or
 * upkeep is to go on or it is time to end. Groups come first: an end is not taken before all of
 * them are done. */
static struct group *next_group(struct journal_sqlite *s, bool *idle, bool *end)
{
    bool upkeep = !list_empty(&s->upkeep);
    bool work = !list_empty(&s->questions) || (upkeep && !s->upkeep_waits);
    struct timespec until = after_ms(upkeep ? UPKEEP_MS : IDLE_MS);
    pthread_mutex_lock(&s->lock);
    int rc = 0;
    while (list_empty(&s->queue) && !work && !s->stop && rc == 0)
        rc = pthread_cond_timedwait(&s->cond, &s->lock, &until);
    struct group *g = LIST_FIRST(&s->queue, struct group, link);
    if (g)
        list_remove(&g->link);
    *end = !g && s->stop;
    *idle = !g && rc != 0 && !upkeep;
    pthread_mutex_unlock(&s->lock);
    return g;
}

static void *run(void *self)
{
    struct journal_sqlite *s = self;
    int64_t rested = 0;
    for (;;) {
        bool idle, end;
        struct group *g = next_group(s, &idle, &end);
        if (end)
            return NULL;
        if (g)
            serve(s, g);
        else if (!list_empty(&s->questions))
            serve_question(s);
        serve_upkeep(s, g != NULL);
        int64_t now = clock_now();
        if (idle || now - rested > 5 * NS_PER_S) {
            rested = now;
            rest(s);
        }
    }
}

/* ---- owner ---- */

static struct journal_sqlite *of(struct journal *j)
{
    return CONTAINER_OF(j, struct journal_sqlite, j);
}

static err_t on_load(struct journal *j, const struct journal_reader *r, struct errmsg *em)
{
    return db_load(&of(j)->db, r, j->ids.fold_seq, em);
}

static err_t on_blob(struct journal *j, struct digest d, struct buf *out, struct errmsg *em)
{
    return db_blob(&of(j)->db, d, out, em);
}

static err_t on_start(struct journal *j, struct errmsg *em)
{
    struct journal_sqlite *s = of(j);
    err_t e = db_begin(&s->db, em);
    if (e != ERR_OK)
        return e;
    if (!ballast_make(s->c.file, s->c.ballast))
        return errmsg_set(em, ERR_FULL,
                          "there is no room for %s.ballast; free %llu MiB, or set --ballast 0",
                          s->c.file, (unsigned long long)(s->c.ballast >> 20));
    s->started = pthread_create(&s->thread, NULL, run, s) == 0;
    return s->started ? ERR_OK
                      : errmsg_set(em, ERR_FAILED, "the journal's thread cannot be started");
}

static void on_submit(struct journal *j, struct group *g)
{
    struct journal_sqlite *s = of(j);
    pthread_mutex_lock(&s->lock);
    list_push(&s->queue, &g->link);
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
}

static struct group *on_done(struct journal *j)
{
    struct journal_sqlite *s = of(j);
    pthread_mutex_lock(&s->lock);
    struct group *g = LIST_FIRST(&s->done, struct group, link);
    if (g)
        list_remove(&g->link);
    pthread_mutex_unlock(&s->lock);
    return g;
}

static bool on_full(struct journal *j)
{
    return is_full(of(j));
}

static struct journal_stats on_stats(struct journal *j)
{
    struct journal_sqlite *s = of(j);
    pthread_mutex_lock(&s->lock);
    struct journal_stats stats = s->stats;
    pthread_mutex_unlock(&s->lock);
    return stats;
}

static void end_thread(struct journal_sqlite *s)
{
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
}

static void on_close(struct journal *j)
{
    struct journal_sqlite *s = of(j);
    if (s->started)
        end_thread(s);
    questions_free(s);
    drop_upkeep(s);
    for (struct group *g; (g = on_done(j));)
        group_free(g);
    if (s->started && !db_in_place(&s->db))
        end_without_file(s);
    if (s->started)
        db_checkpoint(&s->db, true);
    db_close(&s->db);
    if (s->started)
        ballast_drop(s->c.file);
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->lock);
    free((char *)s->c.file);
    free(s);
}

static const struct journal_ops ops = {on_load, on_blob, on_start, on_submit,
                                       on_done, on_full, on_stats, on_close};

static void no_wake(void *self)
{
    (void)self;
}

err_t journal_open(struct journal **out, const struct journal_config *c, struct errmsg *em)
{
    struct journal_sqlite *s = alloc_zero(sizeof *s);
    s->j.ops = &ops;
    s->c = *c;
    s->c.wal_limit = c->wal_limit ? c->wal_limit : WAL_LIMIT;
    s->c.sql_ns = c->sql_ns ? c->sql_ns : SQL_NS;
    s->c.sql_bytes = c->sql_bytes ? c->sql_bytes : SQL_BYTES;
    s->c.wake = c->wake ? c->wake : no_wake;
    err_t e = db_open(&s->db, c, &s->j.ids, em);
    if (e != ERR_OK) {
        free(s);
        return e;
    }
    s->c.file = str_dupz(str_of(c->file));
    s->durable_seq = s->j.ids.last_seq;
    list_init(&s->queue);
    list_init(&s->done);
    list_init(&s->questions);
    list_init(&s->upkeep);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->cond, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&s->lock, NULL);
    *out = &s->j;
    return ERR_OK;
}
