/* A new file is whole or not there, and nothing is replaced that is no database of a farm. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "newfile.h"
#include "tempdir.h"

static struct tempdir dir;
static char path[200], lock[220], log_file[220];

static int setup(void **unused)
{
    (void)unused;
    tempdir_make(&dir);
    tempdir_file(&dir, "copy.db", path, sizeof path);
    snprintf(lock, sizeof lock, "%s.lock", path);
    snprintf(log_file, sizeof log_file, "%s-wal", path);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    tempdir_remove(&dir);
    return 0;
}

static bool is_there(const char *name)
{
    struct stat st;
    return stat(name, &st) == 0;
}

/* The head of a database of ours. */
static void write_database(const char *name)
{
    char head[100] = "SQLite format 3";
    memcpy(head + 68, "TFM1", 4);
    tempdir_write(name, str_make(head, sizeof head));
}

static err_t try_begin(bool force)
{
    struct newfile n;
    struct errmsg em = {{0}};
    err_t e = newfile_begin(&n, path, force, &em);
    assert_true((e == ERR_OK) == (em.text[0] == 0));
    if (e == ERR_OK)
        newfile_abandon(&n);
    return e;
}

static void test_it_appears_at_the_end(void **unused)
{
    (void)unused;
    struct newfile n;
    struct errmsg em = {{0}};
    struct stat st;
    assert_int_equal(newfile_begin(&n, path, false, &em), ERR_OK);
    assert_int_equal(stat(n.part, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    tempdir_write(n.part, STR("all of it"));
    newfile_flush(&n);
    assert_false(is_there(path));
    assert_true(newfile_room(&n) > 0);
    assert_int_equal(newfile_end(&n, &em), ERR_OK);
    assert_true(is_there(path) && !is_there(n.part));
}

static void test_abandoned(void **unused)
{
    (void)unused;
    struct newfile n;
    struct errmsg em;
    assert_int_equal(newfile_begin(&n, path, false, &em), ERR_OK);
    newfile_abandon(&n);
    assert_false(is_there(path) || is_there(n.part));
}

static void test_a_part_that_was_left_is_replaced(void **unused)
{
    (void)unused;
    char part[220];
    snprintf(part, sizeof part, "%s.part", path);
    tempdir_write(part, STR("half"));
    assert_int_equal(try_begin(false), ERR_OK);
}

static void test_what_is_there_stays(void **unused)
{
    (void)unused;
    write_database(path);
    assert_int_equal(try_begin(false), ERR_EXISTS);
    assert_int_equal(try_begin(true), ERR_OK);
    tempdir_write(path, STR("a letter, longer than the head of a database; it is long enough to "
                            "reach the mark, and there it says something else"));
    assert_int_equal(try_begin(true), ERR_EXISTS);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(try_begin(true), ERR_EXISTS);
}

static void test_somebody_was_faster(void **unused)
{
    (void)unused;
    struct newfile n;
    struct errmsg em = {{0}};
    assert_int_equal(newfile_begin(&n, path, false, &em), ERR_OK);
    tempdir_write(path, STR("theirs"));
    assert_true(newfile_end(&n, &em) != ERR_OK);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 6);
    assert_false(is_there(n.part));
}

static void test_a_database_in_use(void **unused)
{
    (void)unused;
    write_database(path);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(try_begin(true), ERR_EXISTS);
    close(fd);
    assert_int_equal(try_begin(true), ERR_OK);
}

/* SQLite would take it for the new file's. */
static void test_a_log_of_another(void **unused)
{
    (void)unused;
    struct newfile n;
    struct errmsg em = {{0}};
    tempdir_write(log_file, STR("pages"));
    assert_int_equal(try_begin(false), ERR_EXISTS);
    assert_int_equal(newfile_begin(&n, path, true, &em), ERR_OK);
    assert_int_equal(newfile_end(&n, &em), ERR_OK);
    assert_true(is_there(path) && !is_there(log_file));
}

static void test_places_that_cannot_be(void **unused)
{
    (void)unused;
    struct newfile n;
    struct errmsg em = {{0}};
    char far[300];
    snprintf(far, sizeof far, "%s/none/x.db", dir.path);
    assert_int_equal(newfile_begin(&n, far, false, &em), ERR_IO);
    assert_int_equal(newfile_begin(&n, "", false, &em), ERR_LIMIT);
    if (access("/proc/self/mounts", R_OK) == 0)
        assert_true(newfile_begin(&n, "/proc/x.db", false, &em) != ERR_OK);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_appears_at_the_end),
        TEST(test_abandoned),
        TEST(test_a_part_that_was_left_is_replaced),
        TEST(test_what_is_there_stays),
        TEST(test_somebody_was_faster),
        TEST(test_a_database_in_use),
        TEST(test_a_log_of_another),
        TEST(test_places_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
