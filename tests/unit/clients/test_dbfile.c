/* Questions to a database file, and files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "dbfile.h"
#include "tempdir.h"

static struct tempdir dir;
static char path[300];
static struct errmsg em;

static void make(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int setup(void **state)
{
    (void)state;
    tempdir_make(&dir);
    /* Characters that mean something in a URI. */
    tempdir_file(&dir, "a?b#c%20.db", path, sizeof path);
    make("pragma journal_mode=wal; create table study_row(number integer, name text, loss real);"
         "create view study as select * from study_row;"
         "insert into study_row values (1, 'one', 0.25), (2, 'two', null), (3, 'a\"b', 1e999)");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tempdir_remove(&dir);
    return 0;
}

struct gathered {
    struct buf text;
    size_t rows;
};

static err_t gather(void *self, const struct str *columns, size_t n, struct str row,
                    struct errmsg *m)
{
    struct gathered *g = self;
    (void)m;
    if (g->rows++ == 0)
        for (size_t i = 0; i < n; i++)
            buf_printf(&g->text, STR_FMT "|", STR_ARG(columns[i]));
    buf_add_str(&g->text, row);
    return ERR_OK;
}

static void ask(const char *query, const struct str *args, size_t n, err_t e, const char *answer)
{
    struct dbfile *d;
    struct gathered g = {.rows = 0};
    buf_init(&g.text, 0);
    assert_int_equal(dbfile_open(&d, path, &em), ERR_OK);
    assert_int_equal(dbfile_sql(d, query, args, n, gather, &g, &em), e);
    assert_string_equal(buf_z(&g.text), answer);
    dbfile_close(d);
    buf_fini(&g.text);
}

static void test_answers(void **state)
{
    (void)state;
    ask("select * from study", NULL, 0, ERR_OK,
        "number|name|loss|[1,\"one\",0.25][2,\"two\",null][3,\"a\\\"b\",\"Infinity\"]");
    ask("select number from study where name = ?1 or loss > ?2",
        (struct str[]){STR("one"), STR("5")}, 2, ERR_OK, "number|[1][3]");
    ask("select name from study where number = 9;  ", NULL, 0, ERR_OK, "name|");
}

static void test_only_questions(void **state)
{
    (void)state;
    ask("delete from study_row", NULL, 0, ERR_REFUSED, "");
    ask("select 1; select 2", NULL, 0, ERR_INVALID, "");
    ask("", NULL, 0, ERR_INVALID, "");
    ask("select nonsense from nowhere", NULL, 0, ERR_INVALID, "");
    assert_non_null(strstr(em.text, "nowhere"));
    ask("create table t(x)", NULL, 0, ERR_REFUSED, "");
    ask("select count(*) as n from study", NULL, 0, ERR_OK, "n|[3]");
}

static err_t stop(void *self, const struct str *columns, size_t n, struct str row, struct errmsg *m)
{
    (void)columns;
    (void)n;
    (void)row;
    ++*(int *)self;
    return errmsg_set(m, ERR_LIMIT, "enough");
}

static void test_a_caller_may_stop(void **state)
{
    (void)state;
    struct dbfile *d;
    int rows = 0;
    assert_int_equal(dbfile_open(&d, path, &em), ERR_OK);
    assert_int_equal(dbfile_sql(d, "select * from study", NULL, 0, stop, &rows, &em), ERR_LIMIT);
    assert_int_equal(rows, 1);
    dbfile_close(d);
}

static void refused(err_t e, const char *words)
{
    struct dbfile *d;
    assert_int_equal(dbfile_open(&d, path, &em), e);
    assert_non_null(strstr(em.text, words));
}

static void test_files_that_are_none(void **state)
{
    (void)state;
    tempdir_file(&dir, "none.db", path, sizeof path);
    refused(ERR_NOT_FOUND, "no database");
    assert_int_equal(access(path, F_OK), -1); /* and none was made */
    char text[2000];
    memset(text, 'x', sizeof text);
    tempdir_write(path, str_make(text, sizeof text));
    refused(ERR_CORRUPT, "no database of a farm");
    unlink(path);
    make("create table other(x)");
    refused(ERR_VERSION, "no database of a farm");
}

static void test_file_in_use(void **state)
{
    (void)state;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "pragma locking_mode=exclusive; begin immediate; insert into "
                                  "study_row values (9, 'x', 1); commit",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    struct dbfile *d;
    /* SQLite's locks are between processes or connections alike. */
    assert_int_equal(dbfile_open(&d, path, &em), ERR_REFUSED);
    assert_non_null(strstr(em.text, "in use by a running broker"));
    sqlite3_close(db);
}

#define WITH_DB(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DB(test_answers),           WITH_DB(test_only_questions),
        WITH_DB(test_a_caller_may_stop), WITH_DB(test_files_that_are_none),
        WITH_DB(test_file_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
