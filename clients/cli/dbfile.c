/* The commands that read must work when no farm runs: the database is the user's. It is opened
 * read-only; a write-ahead log that a killed broker left is read too, which needs a shared-memory
 * file beside it for a moment. Where that cannot be made (a read-only medium) and there is no log,
 * the file is read as one that nobody changes.
 *
 * Called by source.c. It and dbcopy.c are the files of the command line that know SQLite; the views
 * it knows no more than their names in its callers' questions. */
#include "dbfile.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "alloc.h"
#include "json.h"

#define MAX_COLUMNS 256

struct dbfile {
    sqlite3 *db;
    char *path;
};

/* A file URI; the characters that mean something in one are escaped. */
static void add_uri(struct buf *out, const char *path, const char *query)
{
    buf_addz(out, "file:");
    for (const char *p = path; *p; p++) {
        if (strchr("?#%", *p))
            buf_printf(out, "%%%02X", (unsigned char)*p);
        else
            buf_addc(out, *p);
    }
    buf_addz(out, query);
}

static int try_open(struct dbfile *d, const char *query)
{
    struct buf uri;
    buf_init(&uri, 0);
    add_uri(&uri, d->path, query);
    int rc = sqlite3_open_v2(buf_z(&uri), &d->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    buf_fini(&uri);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(d->db, 500);
        rc = sqlite3_exec(d->db, "select 1 from study limit 1", NULL, NULL, NULL);
    }
    return rc;
}

static bool log_left(const char *path)
{
    struct buf name;
    struct stat st;
    buf_init(&name, 0);
    buf_printf(&name, "%s-wal", path);
    bool there = stat(buf_z(&name), &st) == 0 && st.st_size > 0;
    buf_fini(&name);
    return there;
}

static err_t open_error(const struct dbfile *d, int rc, struct errmsg *em)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return errmsg_set(em, ERR_REFUSED,
                          "%s is in use by a running broker; ask that with --broker ADDRESS",
                          d->path);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return errmsg_set(em, ERR_CORRUPT, "%s is no database of a farm: %s", d->path,
                          sqlite3_errmsg(d->db));
    case SQLITE_ERROR:
        return errmsg_set(em, ERR_VERSION,
                          "%s is no database of a farm, or one of another version: %s", d->path,
                          sqlite3_errmsg(d->db));
    default:
        return errmsg_set(em, ERR_IO, "%s cannot be read: %s", d->path, sqlite3_errmsg(d->db));
    }
}

err_t dbfile_open(struct dbfile **out, const char *path, struct errmsg *em)
{
    struct stat st;
    if (stat(path, &st))
        return errmsg_set(em, ERR_NOT_FOUND, "there is no database %s", path);
    struct dbfile *d = alloc_zero(sizeof *d);
    d->path = str_dupz(str_of(path));
    int rc = try_open(d, "?mode=ro");
    if ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY) {
        if (!log_left(path)) {
            sqlite3_close(d->db);
            rc = try_open(d, "?immutable=1");
        }
    }
    if (rc != SQLITE_OK) {
        err_t e = open_error(d, rc, em);
        dbfile_close(d);
        return e;
    }
    *out = d;
    return ERR_OK;
}

void dbfile_close(struct dbfile *d)
{
    if (!d)
        return;
    sqlite3_close(d->db);
    free(d->path);
    free(d);
}

struct sqlite3 *dbfile_sqlite(const struct dbfile *d)
{
    return d->db;
}

static void bind(sqlite3_stmt *st, const struct str *args, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int64_t whole;
        double number;
        int at = (int)i + 1;
        if (str_to_i64(args[i], &whole))
            sqlite3_bind_int64(st, at, whole);
        else if (str_to_f64(args[i], &number))
            sqlite3_bind_double(st, at, number);
        else
            sqlite3_bind_text(st, at, args[i].p, (int)args[i].n, SQLITE_TRANSIENT);
    }
}

static void add_value(struct jsonw *w, sqlite3_stmt *st, int i)
{
    switch (sqlite3_column_type(st, i)) {
    case SQLITE_INTEGER:
        jsonw_i64(w, sqlite3_column_int64(st, i));
        break;
    case SQLITE_FLOAT:
        jsonw_f64(w, sqlite3_column_double(st, i));
        break;
    case SQLITE_NULL:
        jsonw_null(w);
        break;
    default: {
        const void *p = sqlite3_column_blob(st, i);
        jsonw_str(w, str_make(p, (size_t)sqlite3_column_bytes(st, i)));
    }
    }
}

static err_t step_rows(struct dbfile *d, sqlite3_stmt *st, const struct str *columns, size_t n,
                       dbfile_row *row, void *self, struct errmsg *em)
{
    struct buf text;
    buf_init(&text, 64u << 20);
    bool any = false;
    err_t e = ERR_OK;
    int rc;
    while (!e && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct jsonw w;
        buf_clear(&text);
        jsonw_init(&w, &text);
        jsonw_array(&w);
        for (size_t i = 0; i < n; i++)
            add_value(&w, st, (int)i);
        jsonw_end(&w);
        e = row(self, columns, n, buf_str(&text), em);
        any = true;
    }
    if (!e && rc != SQLITE_DONE)
        e = errmsg_set(em, ERR_INVALID, "%s", sqlite3_errmsg(d->db));
    if (!e && !any)
        e = row(self, columns, n, (struct str){0}, em);
    buf_fini(&text);
    return e;
}

static err_t check_statement(struct dbfile *d, int rc, sqlite3_stmt *st, const char *tail,
                             struct errmsg *em)
{
    if (rc != SQLITE_OK)
        return errmsg_set(em, ERR_INVALID, "%s", sqlite3_errmsg(d->db));
    if (!st)
        return errmsg_set(em, ERR_INVALID, "the question is empty; expected one SELECT");
    if (tail && tail[strspn(tail, " \t\r\n;")])
        return errmsg_set(em, ERR_INVALID, "more than one statement; expected one SELECT");
    if (!sqlite3_stmt_readonly(st))
        return errmsg_set(em, ERR_REFUSED, "only questions are allowed; expected one SELECT");
    if (sqlite3_column_count(st) < 1 || sqlite3_column_count(st) > MAX_COLUMNS)
        return errmsg_set(em, ERR_INVALID, "a statement without columns; expected one SELECT");
    return ERR_OK;
}

err_t dbfile_sql(struct dbfile *d, const char *query, const struct str *args, size_t n_args,
                 dbfile_row *row, void *self, struct errmsg *em)
{
    sqlite3_stmt *st = NULL;
    const char *tail = NULL;
    struct str columns[MAX_COLUMNS];
    int rc = sqlite3_prepare_v2(d->db, query, -1, &st, &tail);
    err_t e = check_statement(d, rc, st, tail, em);
    if (!e) {
        size_t n = (size_t)sqlite3_column_count(st);
        for (size_t i = 0; i < n; i++)
            columns[i] = str_of(sqlite3_column_name(st, (int)i));
        bind(st, args, n_args);
        e = step_rows(d, st, columns, n, row, self, em);
    }
    sqlite3_finalize(st);
    return e;
}
