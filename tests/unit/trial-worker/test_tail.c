/* An attempt's output on disk and in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tail.h"
#include "tempdir.h"

static struct tempdir tmp;

static int setup(void **state)
{
    static char dir[256];
    tempdir_make(&tmp);
    snprintf(dir, sizeof dir, "%s/attempt", tmp.path);
    *state = dir;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tempdir_remove(&tmp);
    return 0;
}

static void nothing_said_nothing_made(void **state)
{
    struct tail t;
    struct buf b;
    tail_init(&t);
    buf_init(&b, 0);
    tail_begin(&t, *state, 1 << 20);
    tail_end(&t);
    assert_int_not_equal(access(*state, F_OK), 0);
    assert_false(tail_made(&t));
    tail_last(&t, &b);
    assert_int_equal(b.n, 0);
    assert_int_equal(tail_read(*state, 100, &b), ERR_NOT_FOUND);
    tail_fini(&t);
    buf_fini(&b);
}

static void short_output_is_whole(void **state)
{
    struct tail t;
    struct buf b;
    tail_init(&t);
    buf_init(&b, 0);
    tail_begin(&t, *state, 1 << 20);
    tail_add(&t, STR("one\n"));
    tail_add(&t, STR("two\n"));
    tail_last(&t, &b);
    assert_string_equal(buf_z(&b), "one\ntwo\n");
    buf_clear(&b);
    assert_int_equal(tail_read(*state, 5, &b), ERR_OK); /* while it is written */
    assert_string_equal(buf_z(&b), "\ntwo\n");
    tail_end(&t);
    buf_clear(&b);
    assert_int_equal(tail_read(*state, 1000, &b), ERR_OK);
    assert_string_equal(buf_z(&b), "one\ntwo\n");
    struct stat st;
    assert_int_equal(stat(*state, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    tail_begin(&t, "/nonexistent/dir",
               1 << 20); /* a disk that cannot be written loses output only */
    tail_add(&t, STR("three\n"));
    buf_clear(&b);
    tail_last(&t, &b);
    assert_string_equal(buf_z(&b), "three\n");
    tail_fini(&t);
    buf_fini(&b);
}

/* 100,000 numbered lines into 64 KiB: the file keeps its cap, its head, its end, and says what is
 * missing. */
static void cap_keeps_head_and_end(void **state)
{
    struct tail t;
    struct buf b;
    char path[300];
    struct stat st;
    tail_init(&t);
    buf_init(&b, 0);
    tail_begin(&t, *state, 65536);
    for (int i = 0; i < 100000; i++) {
        char line[32];
        tail_add(&t, str_make(line, (size_t)snprintf(line, sizeof line, "line %d\n", i)));
    }
    assert_int_equal(tail_read(*state, 11, &b), ERR_OK);
    assert_string_equal(buf_z(&b), "line 99999\n");
    tail_end(&t);
    buf_clear(&b);
    assert_int_equal(tail_read(*state, 1 << 20, &b), ERR_OK);
    const char *text = buf_z(&b);
    assert_true(strncmp(text, "line 0\nline 1\n", 14) == 0);
    assert_non_null(strstr(text, "bytes left out ...]\n"));
    assert_string_equal(text + b.n - 22, "line 99998\nline 99999\n");
    assert_true(b.n > 65536 * 3 / 4 - 100 && b.n <= 65536 + 100);
    snprintf(path, sizeof path, "%s/output.tail", (char *)*state);
    assert_int_not_equal(stat(path, &st), 0);
    buf_clear(&b);
    tail_last(&t, &b);
    assert_true(b.n <= TAIL_LAST && strncmp(buf_z(&b), "line ", 5) == 0);
    tail_fini(&t);
    buf_fini(&b);
}

static void one_huge_write(void **state)
{
    struct tail t;
    struct buf b;
    static char bytes[300000];
    memset(bytes, 'x', sizeof bytes);
    bytes[sizeof bytes - 1] = '\n';
    tail_init(&t);
    buf_init(&b, 0);
    tail_begin(&t, *state, 65536);
    tail_add(&t, str_make(bytes, sizeof bytes));
    tail_end(&t);
    assert_int_equal(tail_read(*state, 1 << 20, &b), ERR_OK);
    assert_true(b.n <= 65536 + 100);
    buf_clear(&b);
    tail_last(&t, &b);
    assert_int_equal(b.n, TAIL_LAST);
    tail_begin(&t, *state, 0); /* cap 0: memory only */
    tail_add(&t, STR("x\n"));
    tail_fini(&t);
    buf_fini(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {T(nothing_said_nothing_made), T(short_output_is_whole),
                                       T(cap_keeps_head_and_end), T(one_huge_write)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
