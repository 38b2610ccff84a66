/* Whole files: written and read back, replaced without a trace of the way, refused with a sentence.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tempdir.h"
#include "wholefile.h"

static struct tempdir dir;

static int make(void **state)
{
    (void)state;
    tempdir_make(&dir);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    tempdir_remove(&dir);
    return 0;
}

static void holds(const char *path, const char *text)
{
    struct buf b;
    struct errmsg em = {""};
    buf_init(&b, 0);
    if (wholefile_read(path, &b, &em))
        fail_msg("%s", em.text);
    assert_true(str_is(buf_str(&b), text));
    buf_fini(&b);
}

static int files(void)
{
    int n = 0;
    DIR *d = opendir(dir.path);
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void a_file_is_replaced_and_keeps_its_mode(void **state)
{
    (void)state;
    char path[256];
    struct stat st;
    tempdir_file(&dir, "a", path, sizeof path);
    assert_int_equal(wholefile_write(path, STR("one"), NULL), ERR_OK);
    holds(path, "one");
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(wholefile_write(path, STR(""), NULL), ERR_OK);
    holds(path, "");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(files(), 1);
}

static void a_name_without_a_folder_is_here(void **state)
{
    (void)state;
    char *here = getcwd(NULL, 0);
    assert_non_null(here);
    assert_int_equal(chdir(dir.path), 0);
    assert_int_equal(wholefile_write("b", STR("x"), NULL), ERR_OK);
    holds("b", "x");
    assert_int_equal(chdir(here), 0);
    free(here);
}

static void faults_leave_nothing(void **state)
{
    (void)state;
    char path[256];
    struct buf b;
    struct errmsg em = {""};
    tempdir_file(&dir, "none/a", path, sizeof path);
    assert_int_equal(wholefile_write(path, STR("x"), &em), ERR_NOT_FOUND);
    assert_non_null(strstr(em.text, path));
    tempdir_file(&dir, "folder", path, sizeof path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(wholefile_write(path, STR("x"), &em), ERR_IO);
    assert_int_equal(files(), 1);
    buf_init(&b, 0);
    assert_int_equal(wholefile_read(path, &b, &em), ERR_INVALID);
    tempdir_file(&dir, "none", path, sizeof path);
    assert_int_equal(wholefile_read(path, &b, &em), ERR_NOT_FOUND);
    tempdir_file(&dir, "pipe", path, sizeof path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(wholefile_read(path, &b, &em), ERR_INVALID);
    tempdir_file(&dir, "large", path, sizeof path);
    assert_int_equal(wholefile_write(path, STR("0123456789"), &em), ERR_OK);
    buf_fini(&b);
    buf_init(&b, 9);
    assert_int_equal(wholefile_read(path, &b, &em), ERR_LIMIT);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_replaced_and_keeps_its_mode, make, clear),
        cmocka_unit_test_setup_teardown(a_name_without_a_folder_is_here, make, clear),
        cmocka_unit_test_setup_teardown(faults_leave_nothing, make, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
