/* The copy is SQLite's own backup, page by page, so a write-ahead log that was left is in it.
 *
 * What tells a backup from a database are two values in the table `meta`, which the broker looks at
 * (broker/store/sqlite_db.c): `copy_ms` is in a backup and keeps brokers away; `timeline` 0 says
 * that what comes now is not what went on after the backup.
 *
 * Called by cmd_backup.c and cmd_restore.c. */
#include "dbcopy.h"

#include <sqlite3.h>
#include <stdio.h>

#include "clock.h"
#include "dbfile.h"
#include "newfile.h"
#include "str.h"
#include "longcall.h"

#define STEP_PAGES 4096

struct copy {
    struct newfile file;
    struct dbfile *from;
    sqlite3 *to;
    enum dbcopy_as as;
};

static err_t fault(const struct copy *c, int rc, struct errmsg *em)
{
    bool full = (rc & 0xff) == SQLITE_FULL, damaged = (rc & 0xff) == SQLITE_CORRUPT;
    return errmsg_set(em,
                      full      ? ERR_FULL
                      : damaged ? ERR_CORRUPT
                                : ERR_IO,
                      "%s cannot be written: %s", c->file.path, sqlite3_errstr(rc));
}

static int copy_pages(struct copy *c)
{
    const char *doing = c->as == DBCOPY_BACKUP ? "backup" : "restore";
    sqlite3_backup *b = sqlite3_backup_init(c->to, "main", dbfile_sqlite(c->from), "main");
    if (!b)
        return sqlite3_errcode(c->to);
    while (sqlite3_backup_step(b, STEP_PAGES) == SQLITE_OK) {
        int all = sqlite3_backup_pagecount(b), left = sqlite3_backup_remaining(b);
        longcall_show(doing, (uint64_t)(all - left), (uint64_t)all);
    }
    longcall_clear();
    return sqlite3_backup_finish(b);
}

static int64_t number(sqlite3 *db, const char *query)
{
    sqlite3_stmt *st = NULL;
    int64_t v = 0;
    if (sqlite3_prepare_v2(db, query, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

static err_t check(const struct copy *c, struct errmsg *em)
{
    sqlite3_stmt *st = NULL;
    err_t e = ERR_OK;
    int rc = sqlite3_prepare_v2(c->to, "PRAGMA quick_check(1)", -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    const char *said = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
    if (!said || strcmp(said, "ok") != 0)
        e = errmsg_set(em, ERR_CORRUPT, "the backup is damaged: %.300s",
                       said ? said : sqlite3_errmsg(c->to));
    sqlite3_finalize(st);
    return e;
}

static int mark(const struct copy *c)
{
    char text[160];
    if (c->as == DBCOPY_BACKUP)
        snprintf(text, sizeof text, "INSERT OR REPLACE INTO meta VALUES('copy_ms', %lld)",
                 (long long)clock_wall_ms());
    else
        snprintf(text, sizeof text,
                 "DELETE FROM meta WHERE key = 'copy_ms';"
                 "UPDATE meta SET value = 0 WHERE key = 'timeline'");
    return sqlite3_exec(c->to, text, NULL, NULL, NULL);
}

static err_t make(struct copy *c, struct dbcopied *out, struct errmsg *em)
{
    static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF;"
                                  "PRAGMA synchronous = OFF;";
    /* The copied header says that there is a log; a file that is read only has none. */
    static const char no_log[] = "SELECT 1 FROM meta LIMIT 1; PRAGMA journal_mode = OFF;";
    int rc = sqlite3_open_v2(c->file.part, &c->to, SQLITE_OPEN_READWRITE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(c->to, pragmas, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = copy_pages(c);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(c->to, no_log, NULL, NULL, NULL);
    err_t e = rc == SQLITE_OK ? ERR_OK : fault(c, rc, em);
    if (e == ERR_OK && c->as == DBCOPY_RESTORE)
        e = check(c, em);
    if (e == ERR_OK && (rc = mark(c)) != SQLITE_OK)
        e = fault(c, rc, em);
    if (e == ERR_OK) {
        out->bytes = (uint64_t)number(c->to, "PRAGMA page_count") *
                     (uint64_t)number(c->to, "PRAGMA page_size");
        out->seq = (uint64_t)number(c->to, "SELECT max(seq) FROM journal");
    }
    if (sqlite3_close(c->to) != SQLITE_OK && e == ERR_OK)
        e = fault(c, SQLITE_IOERR, em);
    return e;
}

err_t dbcopy(const char *from, const char *to, bool force, enum dbcopy_as as, struct dbcopied *out,
             struct errmsg *em)
{
    struct copy c = {.as = as};
    err_t e = dbfile_open(&c.from, from, em);
    if (e != ERR_OK)
        return e;
    e = newfile_begin(&c.file, to, force, em);
    if (e == ERR_OK) {
        e = make(&c, out, em);
        if (e == ERR_OK)
            e = newfile_end(&c.file, em);
        else
            newfile_abandon(&c.file);
    }
    dbfile_close(c.from);
    return e;
}
