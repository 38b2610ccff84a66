/* The file that says where a run's broker is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "addrfile.h"
#include "tempdir.h"

static struct tempdir dir;
static char db[300];

static int setup(void **state)
{
    (void)state;
    tempdir_make(&dir);
    tempdir_file(&dir, "x.db", db, sizeof db);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tempdir_remove(&dir);
    return 0;
}

static void test_claim_find_release(void **state)
{
    (void)state;
    struct addrfile a, b;
    struct errmsg em;
    struct stat st;
    char endpoint[100];
    assert_false(addrfile_find(db, endpoint, sizeof endpoint));
    assert_int_equal(addrfile_claim(&a, db, &em), ERR_OK);
    assert_false(addrfile_find(db, endpoint, sizeof endpoint)); /* claimed, nothing to reach yet */
    assert_int_equal(addrfile_write(&a, "ipc:///run/b", &em), ERR_OK);
    assert_true(addrfile_find(db, endpoint, sizeof endpoint));
    assert_string_equal(endpoint, "ipc:///run/b");
    assert_int_equal(stat(a.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(addrfile_claim(&b, db, &em), ERR_EXISTS);
    assert_non_null(strstr(em.text, "another tunefarm run"));
    char pid[32];
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    assert_non_null(strstr(em.text, pid));
    char small[5];
    assert_false(addrfile_find(db, small, sizeof small));
    addrfile_release(&a);
    assert_false(addrfile_find(db, endpoint, sizeof endpoint));
    assert_int_equal(access(a.path, F_OK), -1);
}

/* What a killed run leaves is no run: its lock is gone. */
static void test_stale_file(void **state)
{
    (void)state;
    struct addrfile a;
    struct errmsg em;
    char endpoint[100];
    pid_t child = fork();
    if (child == 0) {
        if (addrfile_claim(&a, db, NULL) || addrfile_write(&a, "ipc:///old", NULL))
            _exit(1);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_false(addrfile_find(db, endpoint, sizeof endpoint));
    assert_int_equal(addrfile_claim(&a, db, &em), ERR_OK);
    addrfile_release(&a);
}

static void test_bad_contents(void **state)
{
    (void)state;
    struct addrfile a;
    struct errmsg em;
    char endpoint[100];
    assert_int_equal(addrfile_claim(&a, db, &em), ERR_OK);
    assert_int_equal(pwrite(a.fd, " \n", 2, 0), 2);
    assert_false(addrfile_find(db, endpoint, sizeof endpoint));
    assert_int_equal(pwrite(a.fd, "nospace\n", 8, 0), 8);
    assert_false(addrfile_find(db, endpoint, sizeof endpoint));
    addrfile_release(&a);
    addrfile_release(&a);
    assert_int_equal(addrfile_claim(&a, "/nowhere/at/all", &em), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_claim_find_release, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stale_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_contents, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
