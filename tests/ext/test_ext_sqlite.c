/* What the journal relies on in SQLite: WAL with FULL syncing can be had, a transaction is all or
 * nothing, and the exclusive lock keeps a second broker out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sqlite3.h>
#include <string.h>
#include <cmocka.h>

#include "tempdir.h"

static struct tempdir dir;
static char path[256];

static int setup(void **state)
{
    (void)state;
    tempdir_make(&dir);
    tempdir_file(&dir, "db", path, sizeof path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tempdir_remove(&dir);
    return 0;
}

static void text_of(sqlite3 *db, const char *sql, char *out, size_t size)
{
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    str_copyz(out, size, str_of((const char *)sqlite3_column_text(s, 0)));
    sqlite3_finalize(s);
}

static int run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static sqlite3 *opened(void)
{
    sqlite3 *db;
    char mode[16];
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(run(db, "PRAGMA locking_mode=EXCLUSIVE"), SQLITE_OK);
    text_of(db, "PRAGMA journal_mode=WAL", mode, sizeof mode);
    assert_string_equal(mode, "wal");
    assert_int_equal(run(db, "PRAGMA synchronous=FULL"), SQLITE_OK);
    text_of(db, "PRAGMA synchronous", mode, sizeof mode);
    assert_string_equal(mode, "2");
    assert_int_equal(run(db, "CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY) STRICT"),
                     SQLITE_OK);
    return db;
}

static void test_exclusive_keeps_a_second_one_out(void **state)
{
    (void)state;
    sqlite3 *first = opened(), *second;
    assert_int_equal(run(first, "INSERT INTO t VALUES (1)"), SQLITE_OK);
    assert_int_equal(sqlite3_open(path, &second), SQLITE_OK);
    assert_int_equal(run(second, "SELECT * FROM t"), SQLITE_BUSY);
    assert_int_equal(run(second, "INSERT INTO t VALUES (2)"), SQLITE_BUSY);
    sqlite3_close(second);
    sqlite3_close(first);
    assert_int_equal(sqlite3_open(path, &second), SQLITE_OK); /* and goes with its process */
    assert_int_equal(run(second, "INSERT INTO t VALUES (2)"), SQLITE_OK);
    sqlite3_close(second);
}

static void test_a_transaction_without_commit_leaves_nothing(void **state)
{
    (void)state;
    char n[16];
    sqlite3 *db = opened();
    assert_int_equal(
        run(db, "DELETE FROM t; BEGIN; INSERT INTO t VALUES (5); INSERT INTO t VALUES (6)"),
        SQLITE_OK);
    sqlite3_close(db);
    db = opened();
    text_of(db, "SELECT count(*) FROM t", n, sizeof n);
    assert_string_equal(n, "0");
    sqlite3_close(db);
}

static void test_a_failed_statement_keeps_the_transaction_open(void **state)
{
    (void)state;
    sqlite3 *db = opened();
    assert_int_equal(run(db, "DELETE FROM t; BEGIN; INSERT INTO t VALUES (7)"), SQLITE_OK);
    assert_int_equal(run(db, "INSERT INTO t VALUES (7)"), SQLITE_CONSTRAINT);
    assert_int_equal(sqlite3_get_autocommit(db), 0);
    assert_int_equal(run(db, "ROLLBACK"), SQLITE_OK);
    assert_int_equal(run(db, "INSERT INTO t VALUES ('no number')"), SQLITE_MISMATCH);
    sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exclusive_keeps_a_second_one_out),
        cmocka_unit_test(test_a_transaction_without_commit_leaves_nothing),
        cmocka_unit_test(test_a_failed_statement_keeps_the_transaction_open),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
