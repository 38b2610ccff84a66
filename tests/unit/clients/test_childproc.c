/* Children that say when they serve and end with their parent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "childproc.h"
#include "tempdir.h"

static struct tempdir dir;
static char script[300], log_path[300];

static int setup(void **state)
{
    (void)state;
    tempdir_make(&dir);
    tempdir_file(&dir, "child.sh", script, sizeof script);
    tempdir_file(&dir, "log", log_path, sizeof log_path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tempdir_remove(&dir);
    return 0;
}

/* The script's last four arguments are --ready-fd N --parent-fd M. */
static void start(struct childproc *c, const char *text)
{
    struct errmsg em;
    tempdir_write(script, str_of(text));
    assert_int_equal(chmod(script, 0700), 0);
    childproc_init(c, "child", script);
    childproc_arg(c, "first");
    assert_int_equal(childproc_start(c, log_path, &em), ERR_OK);
}

static void test_ready_and_ended_by_the_pipe(void **state)
{
    (void)state;
    struct childproc c;
    start(&c, "#!/bin/bash\n[ \"$1 $2 $4\" = 'first --ready-fd --parent-fd' ] || exit 9\n"
              "eval \"echo READY=1 >&$3\"\neval \"exec cat <&$5\"\n");
    assert_int_equal(childproc_await_ready(&c, 60000), ERR_OK);
    assert_true(c.ready && c.pid > 0);
    assert_int_equal(getpgid(c.pid), c.pid);
    close(c.parent_fd); /* as if we were gone */
    c.parent_fd = -1;
    childproc_wait(&c, 60000);
    char how[40];
    childproc_how(&c, how, sizeof how);
    assert_string_equal(how, "exit status 0");
    childproc_fini(&c);
}

static void test_ends_before_it_serves(void **state)
{
    (void)state;
    struct childproc c;
    char how[40];
    start(&c, "#!/bin/bash\necho what is wrong >&2\nexit 3\n");
    assert_int_equal(childproc_await_ready(&c, 60000), ERR_FAILED);
    childproc_how(&c, how, sizeof how);
    assert_string_equal(how, "exit status 3");
    childproc_fini(&c);
    FILE *f = fopen(log_path, "r");
    char line[100] = "";
    assert_non_null(fgets(line, sizeof line, f));
    fclose(f);
    assert_string_equal(line, "what is wrong\n");
}

static void test_killed_when_it_does_not_end(void **state)
{
    (void)state;
    struct childproc c;
    char how[40];
    start(&c, "#!/bin/bash\ntrap '' TERM\neval \"echo READY=1 >&$3\"\nwhile :; do sleep 1; done\n");
    assert_int_equal(childproc_await_ready(&c, 60000), ERR_OK);
    childproc_signal(&c, SIGTERM);
    childproc_wait(&c, 100);
    childproc_how(&c, how, sizeof how);
    assert_string_equal(how, "signal 9");
    childproc_fini(&c);
}

static void test_program_that_is_not_there(void **state)
{
    (void)state;
    struct childproc c;
    struct errmsg em;
    char path[4200];
    childproc_init(&c, "child", "/nowhere/at/all");
    assert_int_equal(childproc_start(&c, log_path, &em), ERR_IO);
    assert_non_null(strstr(em.text, "/nowhere/at/all"));
    childproc_fini(&c);
    assert_int_equal(childproc_find("no-such-daemon", path, sizeof path, &em), ERR_NOT_FOUND);
    assert_non_null(strstr(em.text, "tunefarm-no-such-daemon"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ready_and_ended_by_the_pipe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ends_before_it_serves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_when_it_does_not_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_program_that_is_not_there, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
