/* Opening the database, and its statements.
 *
 * One process, one connection: the write-ahead log's known races need two. locking_mode EXCLUSIVE
 * also keeps the log's index in memory. Checkpoints are made by hand, so that none runs inside a
 * commit. */
#include "sqlite_db.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "dbguard.h"
#include "dbschema.h"
#include "hash.h"

/* Of one value: far over any of ours, and a question can make none that does not fit into memory.
 */
#define VALUE_BYTES (4 << 20)
/* More starts than a farm has between a backup and the day it is needed. */
#define EPOCH_LEAP 4096

static const char *const texts[DB_STATEMENTS] = {
    [DB_BEGIN] = "BEGIN IMMEDIATE",
    [DB_COMMIT] = "COMMIT",
    [DB_ROLLBACK] = "ROLLBACK",
    [DB_RECORD] = "INSERT INTO journal VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
    [DB_TRIAL] = "INSERT OR REPLACE INTO trial_row "
                 "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,"
                 "?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30,?31,?32,?33)",
    [DB_STUDY] = "INSERT OR REPLACE INTO study_row "
                 "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,"
                 "?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30)",
    [DB_WORKER] =
        "INSERT OR REPLACE INTO worker_row VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)",
    [DB_BLOB_HAVE] = "SELECT size FROM blob WHERE digest = ?1 AND at = 0",
    [DB_BLOB_PUT] = "INSERT INTO blob VALUES(?1,?2,?3,?4)",
    [DB_BLOB_GET] = "SELECT at, bytes FROM blob WHERE digest = ?1 AND at >= ?2 ORDER BY at",
    [DB_REQUEST] = "INSERT OR IGNORE INTO request VALUES(?1,?2,?3,?4,?5,?6)",
    [DB_META_SET] = "INSERT OR REPLACE INTO meta VALUES(?1,?2)",
    [DB_META_GET] = "SELECT value FROM meta WHERE key = ?1",
    [DB_BY_SEQ] =
        "SELECT seq, study_seq, kind, body FROM journal WHERE seq >= ?2 AND seq <= ?3 ORDER BY seq",
    [DB_BY_STUDY] = "SELECT seq, study_seq, kind, body FROM journal WHERE study = ?1 AND study > 0 "
                    "AND study_seq >= ?2 "
                    "AND study_seq <= ?3 ORDER BY study_seq",
    [DB_BACKWARDS] = "SELECT seq, study_seq, kind, trial, attempt, step, value IS NOT NULL FROM "
                     "journal WHERE study = ?1 AND study > 0 AND study_seq <= ?2 ORDER BY "
                     "study_seq DESC",
    [DB_DROP] = "DELETE FROM journal WHERE seq = ?1",
    [DB_TRIAL_STATE] = "SELECT state, decide FROM trial_row WHERE study = ?1 AND number = ?2",
};

static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON;"
                              "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -32768;"
                              "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;";
/* Of a new database: what compaction frees is given back to the file system. */
static const char first_pragmas[] = "PRAGMA auto_vacuum = INCREMENTAL;";
static bool prepare_one(struct db *d, enum db_statement s)
{
    return d->st[s] || sqlite3_prepare_v3(d->sql, texts[s], -1, SQLITE_PREPARE_PERSISTENT,
                                          &d->st[s], NULL) == SQLITE_OK;
}

sqlite3_stmt *db_use(struct db *d, enum db_statement s)
{
    REQUIRE(prepare_one(d, s));
    return d->st[s];
}

int db_run(struct db *d, enum db_statement s)
{
    sqlite3_stmt *st = db_use(d, s);
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static err_t open_error(const struct db *d, struct errmsg *em)
{
    int rc = sqlite3_errcode(d->sql) & 0xff;
    if (rc == SQLITE_NOTADB)
        return errmsg_set(em, ERR_INVALID,
                          "%s is no database; name another file (it was not changed)", d->file);
    if (rc == SQLITE_CORRUPT)
        return errmsg_set(em, ERR_CORRUPT, "%s is damaged: %s (it was not changed)", d->file,
                          sqlite3_errmsg(d->sql));
    if (rc == SQLITE_BUSY)
        return errmsg_set(em, ERR_EXISTS, "another program has %s open; close it first", d->file);
    return errmsg_set(em, rc == SQLITE_FULL ? ERR_FULL : ERR_IO, "%s cannot be opened: %s", d->file,
                      sqlite3_errmsg(d->sql));
}

/* Called by SQLite after each commit. The log begins anew after a whole checkpoint; its file keeps
 * its size. */
static int on_log(void *self, sqlite3 *sql, const char *name, int pages)
{
    struct db *d = self;
    (void)sql;
    (void)name;
    d->log_pages = pages;
    return SQLITE_OK;
}

static uint64_t meta_get(struct db *d, const char *key)
{
    sqlite3_stmt *st = db_use(d, DB_META_GET);
    sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
    uint64_t v = sqlite3_step(st) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
    sqlite3_reset(st);
    return v;
}

static void meta_set(struct db *d, const char *key, uint64_t v)
{
    sqlite3_stmt *st = db_use(d, DB_META_SET);
    sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, (int64_t)v);
    sqlite3_step(st);
    sqlite3_reset(st);
}

int64_t db_number(sqlite3 *sql, const char *query)
{
    sqlite3_stmt *st;
    int64_t v = 0;
    if (sqlite3_prepare_v2(sql, query, -1, &st, NULL) != SQLITE_OK)
        return 0;
    if (sqlite3_step(st) == SQLITE_ROW)
        v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

int db_unflushed(struct db *d, bool unflushed)
{
    return sqlite3_exec(d->sql,
                        unflushed ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL",
                        NULL, NULL, NULL);
}

static uint64_t random_id(void)
{
    uint64_t v;
    hash_random(&v, sizeof v);
    return v >> 1 | 1;
}

/* Which file it is, as far as the file system tells: a copy of it is another. 0 = it does not tell.
 */
static uint64_t file_identity(const char *file)
{
    struct statx st;
    if (statx(AT_FDCWD, file, 0, STATX_INO | STATX_BTIME, &st) != 0)
        return 0;
    uint64_t born = st.stx_mask & STATX_BTIME
                        ? (uint64_t)st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec
                        : 0;
    return (st.stx_ino * UINT64_C(0x9e3779b97f4a7c15) ^ born) >> 1 | 1;
}

/* A database that was restored, or that somebody copied, is another timeline: what workers hold was
 * granted by the farm that it is a copy of, perhaps after the copy was made, and its attempts would
 * carry the numbers of others. Sessions of the two do not meet either. */
static void begin_timeline(struct db *d, struct journal_ids *ids)
{
    uint64_t was = meta_get(d, "file"), is = file_identity(d->file);
    ids->copied = ids->timeline && was && is && was != is && !d->copy;
    ids->restored = ids->farm && !ids->timeline;
    if (!ids->farm) {
        ids->farm = random_id();
        meta_set(d, "farm", ids->farm);
        meta_set(d, "created_ms", (uint64_t)clock_wall_ms());
    }
    if (!ids->timeline || ids->copied) {
        ids->timeline = random_id();
        ids->epoch += ids->copied || ids->restored ? EPOCH_LEAP : 0;
        meta_set(d, "timeline", ids->timeline);
    }
    if (is != was)
        meta_set(d, "file", is);
}

static err_t execute(const struct db *d, const char *sql, struct errmsg *em)
{
    return sqlite3_exec(d->sql, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : open_error(d, em);
}

/* Another start of the farm: durable before anybody hears its epoch. Workers of the last one are
 * gone until they come back; old answers and workers are forgotten. */
static err_t begin_epoch(struct db *d, struct journal_ids *ids, struct errmsg *em)
{
    char tidy[256];
    long long week_ago = (long long)clock_wall_ms() - 7LL * 86400000;
    snprintf(tidy, sizeof tidy,
             "UPDATE worker_row SET state = %d WHERE state < %d; DELETE FROM request WHERE wall_ms "
             "< %lld;",
             WORKER_GONE, WORKER_LEFT, week_ago);
    *ids = (struct journal_ids){.farm = meta_get(d, "farm"),
                                .timeline = meta_get(d, "timeline"),
                                .epoch = meta_get(d, "epoch") + 1,
                                .fold_seq = meta_get(d, "fold_seq"),
                                .last_seq =
                                    (uint64_t)db_number(d->sql, "SELECT max(seq) FROM journal")};
    begin_timeline(d, ids);
    meta_set(d, "epoch", ids->epoch);
    return execute(d, tidy, em);
}

/* Tables and columns are what this program knows; a file may say anything. */
static err_t prepare_all(struct db *d, struct errmsg *em)
{
    for (unsigned s = 0; s < DB_STATEMENTS; s++) {
        if (!prepare_one(d, s))
            return errmsg_set(em, ERR_CORRUPT, "%s is damaged: %s (it was not changed)", d->file,
                              sqlite3_errmsg(d->sql));
    }
    return ERR_OK;
}

static bool which(const char *file, dev_t *dev, ino_t *ino)
{
    struct stat st;
    if (stat(file, &st) != 0)
        return false;
    *dev = st.st_dev;
    *ino = st.st_ino;
    return true;
}

/* What is written here, and in begin_epoch(), stays in a transaction that db_begin() commits: by
 * then everything was read, so a file that is refused is as it was. */
static err_t prepare(struct db *d, struct errmsg *em)
{
    int64_t version = 0;
    err_t e = execute(d, pragmas, em);
    if (e == ERR_OK)
        e = dbschema_check(d->sql, d->file, &version, em);
    if (e == ERR_OK && !version)
        e = execute(d, first_pragmas, em);
    if (e == ERR_OK && db_run(d, DB_BEGIN) != SQLITE_OK)
        e = open_error(d, em);
    if (e == ERR_OK)
        e = dbschema_prepare(d->sql, d->file, version, em);
    if (e == ERR_OK)
        e = prepare_all(d, em);
    d->shrinks = e == ERR_OK && db_number(d->sql, "PRAGMA auto_vacuum") == 2;
    return e;
}

err_t db_open(struct db *d, const struct journal_config *c, struct journal_ids *ids,
              struct errmsg *em)
{
    const char *file = c->file;
    *d = (struct db){.lock = -1, .file = str_dupz(str_of(file)), .copy = c->copy};
    err_t e = dbguard_lock(file, &d->lock, em);
    if (e == ERR_OK)
        e = dbguard_place(file, em);
    if (e != ERR_OK)
        goto fail_lock;
    if (sqlite3_open_v2(file, &d->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        e = open_error(d, em);
        goto fail_open;
    }
    (void)which(file, &d->dev, &d->ino);
    sqlite3_extended_result_codes(d->sql, 1);
    sqlite3_limit(d->sql, SQLITE_LIMIT_LENGTH, VALUE_BYTES);
    sqlite3_db_config(d->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(d->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    e = prepare(d, em);
    if (e == ERR_OK)
        e = begin_epoch(d, ids, em);
    sqlite3_wal_hook(d->sql, on_log, d);
    if (e == ERR_OK)
        return ERR_OK;
fail_open:
    for (size_t i = 0; i < DB_STATEMENTS; i++)
        sqlite3_finalize(d->st[i]);
    sqlite3_close(d->sql);
fail_lock:
    dbguard_unlock(d->lock);
    free(d->file);
    return e;
}

err_t db_begin(struct db *d, struct errmsg *em)
{
    if (db_run(d, DB_COMMIT) != SQLITE_OK)
        return open_error(d, em);
    err_t e = execute(d, "PRAGMA journal_mode = WAL", em);
    sqlite3_db_config(d->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return e;
}

/* A file: URI; the characters that mean something in one are escaped. */
static int open_uri(struct db *d, const char *query)
{
    struct buf uri = {0};
    buf_addz(&uri, "file:");
    for (const char *p = d->file; *p; p++) {
        if (strchr("?#%", *p))
            buf_printf(&uri, "%%%02X", (unsigned char)*p);
        else
            buf_addc(&uri, *p);
    }
    buf_addz(&uri, query);
    int rc = sqlite3_open_v2(buf_z(&uri), &d->sql,
                             SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    buf_fini(&uri);
    return rc == SQLITE_OK ? sqlite3_exec(d->sql, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL)
                           : rc;
}

static bool log_left(const char *file)
{
    struct buf name = {0};
    struct stat st;
    buf_printf(&name, "%s-wal", file);
    bool there = stat(buf_z(&name), &st) == 0 && st.st_size > 0;
    buf_fini(&name);
    return there;
}

/* Where the log's index cannot be made (a read-only medium) the file is read as one that nobody
 * changes. */
err_t db_open_reading(struct db *d, const char *file, struct errmsg *em)
{
    struct stat st;
    if (stat(file, &st) != 0)
        return errmsg_set(em, ERR_NOT_FOUND, "there is no database %s", file);
    *d = (struct db){.lock = -1, .file = str_dupz(str_of(file))};
    int rc = open_uri(d, "?mode=ro");
    if (((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY) && !log_left(file)) {
        sqlite3_close(d->sql);
        rc = open_uri(d, "?immutable=1");
    }
    err_t e = rc == SQLITE_OK ? dbschema_look(d->sql, file, em) : open_error(d, em);
    if (e != ERR_OK)
        db_close(d);
    return e;
}

void db_close(struct db *d)
{
    for (size_t i = 0; i < DB_STATEMENTS; i++)
        sqlite3_finalize(d->st[i]);
    sqlite3_close(d->sql);
    dbguard_unlock(d->lock);
    free(d->file);
}

bool db_in_place(const struct db *d)
{
    dev_t dev;
    ino_t ino;
    return which(d->file, &dev, &ino) && dev == d->dev && ino == d->ino;
}

int db_rescue(struct db *d)
{
    struct buf name = {0};
    sqlite3_stmt *st = NULL;
    buf_printf(&name, "%s.rescued", d->file);
    meta_set(d, "file", 0); /* it is the farm itself, and no copy */
    int rc = sqlite3_prepare_v2(d->sql, "VACUUM INTO ?1", -1, &st, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(st, 1, name.p, (int)name.n, SQLITE_STATIC);
        rc = sqlite3_step(st);
    }
    sqlite3_finalize(st);
    if (rc != SQLITE_DONE &&
        rc != SQLITE_ERROR) /* half of it; SQLITE_ERROR: another one is there */
        unlink(buf_z(&name));
    buf_fini(&name);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

void db_checkpoint(struct db *d, bool truncate)
{
    int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
    sqlite3_wal_checkpoint_v2(d->sql, NULL, mode, NULL, NULL);
}

uint64_t db_log_bytes(const struct db *d)
{
    return (uint64_t)d->log_pages * DB_PAGE;
}
