/* The limit of open descriptors, in child processes, as a hard limit is never raised again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "openfiles.h"
#include "str.h"

struct outcome {
    err_t e;
    uint64_t before, now;
    struct errmsg em;
};

static struct outcome raise_with(rlim_t soft, rlim_t hard, uint64_t needed)
{
    struct outcome o = {.e = ERR_OK};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit r = {soft, hard};
        setrlimit(RLIMIT_NOFILE, &r);
        o.e = openfiles_raise(needed, &o.before, &o.em);
        getrlimit(RLIMIT_NOFILE, &r);
        o.now = r.rlim_cur;
        _exit(write(ends[1], &o, sizeof o) == sizeof o ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(read(ends[0], &o, sizeof o), sizeof o);
    close(ends[0]);
    close(ends[1]);
    return o;
}

static void test_limits(void **unused)
{
    (void)unused;
    struct outcome o = raise_with(64, 300, 256);
    assert_int_equal(o.e, ERR_OK);
    assert_int_equal(o.before, 64);
    assert_int_equal(o.now, 300);
    o = raise_with(64, 64, 256);
    assert_int_equal(o.e, ERR_FAILED);
    assert_non_null(strstr(o.em.text, "64 open files are allowed here, at least 256 are needed"));
    o = raise_with(64, 64, 64);
    assert_int_equal(o.e, ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
