/* fsync by path: files, folders, and what is not there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "flush.h"
#include "tempdir.h"

static void test_files_and_folders(void **state)
{
    struct tempdir dir;
    char file[300];
    (void)state;
    tempdir_make(&dir);
    tempdir_file(&dir, "file", file, sizeof file);
    tempdir_write(file, STR("x"));
    assert_true(flush_path(file));
    assert_true(flush_path(dir.path));
    assert_true(flush_folder_of(file));
    assert_true(flush_folder_of("/name"));
    assert_true(flush_folder_of("name")); /* of the working directory */
    tempdir_remove(&dir);
}

static void test_what_is_not_there(void **state)
{
    struct tempdir dir;
    char file[300];
    (void)state;
    tempdir_make(&dir);
    tempdir_file(&dir, "no/file", file, sizeof file);
    errno = 0;
    assert_false(flush_path(file));
    assert_int_equal(errno, ENOENT);
    errno = 0;
    assert_false(flush_folder_of(file));
    assert_int_equal(errno, ENOENT);
    tempdir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_and_folders),
        cmocka_unit_test(test_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
