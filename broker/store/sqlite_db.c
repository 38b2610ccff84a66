/* Opening the database, and its statements.
 *
 * One process, one connection: the write-ahead log's known races need two. locking_mode EXCLUSIVE
 * also keeps the log's index in memory. Checkpoints are made by hand, so that none runs inside a
 * commit. */
#include "sqlite_db.h"

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

static const char *const texts[DB_STATEMENTS] = {
    [DB_BEGIN] = "BEGIN IMMEDIATE",
    [DB_COMMIT] = "COMMIT",
    [DB_ROLLBACK] = "ROLLBACK",
    [DB_RECORD] = "INSERT INTO journal VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
    [DB_TRIAL] = "INSERT OR REPLACE INTO trial_row "
                 "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,"
                 "?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30,?31,?32)",
    [DB_STUDY] = "INSERT OR REPLACE INTO study_row "
                 "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,"
                 "?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29)",
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
};

static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON;"
                              "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -32768;";
static const char log_pragmas[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;";

sqlite3_stmt *db_use(struct db *d, enum db_statement s)
{
    if (!d->st[s])
        REQUIRE(sqlite3_prepare_v3(d->sql, texts[s], -1, SQLITE_PREPARE_PERSISTENT, &d->st[s],
                                   NULL) == SQLITE_OK);
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

static uint64_t last_seq(struct db *d)
{
    sqlite3_stmt *st;
    uint64_t v = 0;
    if (sqlite3_prepare_v2(d->sql, "SELECT max(seq) FROM journal", -1, &st, NULL) != SQLITE_OK)
        return 0;
    if (sqlite3_step(st) == SQLITE_ROW)
        v = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
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
    if (db_run(d, DB_BEGIN) != SQLITE_OK)
        return open_error(d, em);
    *ids = (struct journal_ids){.farm = meta_get(d, "farm"),
                                .timeline = meta_get(d, "timeline"),
                                .epoch = meta_get(d, "epoch") + 1,
                                .fold_seq = meta_get(d, "fold_seq"),
                                .last_seq = last_seq(d)};
    if (!ids->farm) {
        uint64_t random[2];
        hash_random(random, sizeof random);
        ids->farm = random[0] >> 1 | 1;
        ids->timeline = random[1] >> 1 | 1;
        meta_set(d, "farm", ids->farm);
        meta_set(d, "timeline", ids->timeline);
        meta_set(d, "created_ms", (uint64_t)clock_wall_ms());
    }
    meta_set(d, "epoch", ids->epoch);
    sqlite3_exec(d->sql, tidy, NULL, NULL, NULL);
    if (db_run(d, DB_COMMIT) != SQLITE_OK)
        return open_error(d, em);
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

err_t db_open(struct db *d, const char *file, struct journal_ids *ids, struct errmsg *em)
{
    *d = (struct db){.lock = -1, .file = str_dupz(str_of(file))};
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
    e = sqlite3_exec(d->sql, pragmas, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : open_error(d, em);
    if (e == ERR_OK)
        e = sqlite3_exec(d->sql, log_pragmas, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK
                                                                             : open_error(d, em);
    if (e == ERR_OK)
        e = dbschema_prepare(d->sql, file, em);
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
    return (uint64_t)d->log_pages * 4096;
}
