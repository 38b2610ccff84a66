/* What the live view writes to a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "termview.h"

static int ends[2];
static struct termview v;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    v = (struct termview){
        .fd = ends[1], .up = "U", .clear = "C", .hide = "(", .show = ")", .width = 20};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void expect(const char *text)
{
    char got[4096];
    ssize_t n = read(ends[0], got, sizeof got - 1);
    got[n > 0 ? n : 0] = 0;
    assert_string_equal(got, text);
}

static void test_draws_over_its_own_lines(void **state)
{
    (void)state;
    termview_draw(&v, STR("one\ntwo\n"));
    expect("(one\ntwo\n");
    termview_draw(&v, STR("three\n"));
    expect("UU\rCthree\n");
    termview_print(&v, STR("kept\n"));
    expect("U\rCkept\n");
    termview_draw(&v, STR("four\n"));
    expect("(four\n");
    termview_close(&v);
    expect("U\rC)");
}

static void test_narrowed_window(void **state)
{
    (void)state;
    termview_draw(&v, STR("0123456789\n\x1b[32m01234\x1b[0m\n"));
    expect("(0123456789\n\x1b[32m01234\x1b[0m\n");
    termview_resize(&v, 5); /* ten columns stand in two rows now, five in one */
    termview_draw(&v, STR("x\n"));
    expect("UUU\rCx\n");
}

static void test_too_many_lines(void **state)
{
    (void)state;
    char text[2 * TERMVIEW_LINES + 8];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 ? '\n' : 'x';
    termview_draw(&v, str_make(text, sizeof text));
    assert_int_equal(v.n, TERMVIEW_LINES);
}

static void test_columns(void **state)
{
    (void)state;
    assert_int_equal(termview_columns(STR("\x1b[1mab\x1b[0m \xe2\x96\x88")), 4);
    assert_int_equal(termview_columns(STR("")), 0);
    assert_int_equal(termview_columns(STR("\x1b[")), 0);
}

static void test_dumb_terminal(void **state)
{
    (void)state;
    struct termview dumb;
    setenv("TERM", "dumb", 1);
    assert_false(termview_open(&dumb, ends[1], 80));
    setenv("TERM", "no-such-terminal-at-all", 1);
    assert_false(termview_open(&dumb, ends[1], 80));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_draws_over_its_own_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_narrowed_window, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_lines, setup, teardown),
        cmocka_unit_test(test_columns),
        cmocka_unit_test_setup_teardown(test_dumb_terminal, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
