/* Alignment and bounded width of tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "table.h"

static void test_numbers_right_words_left(void **state)
{
    (void)state;
    struct table t;
    struct buf out;
    buf_init(&out, 0);
    table_init(&t, "name|loss|n");
    table_addz(&t, "a");
    table_number(&t, 0.123456789);
    table_addz(&t, "10");
    table_addz(&t, "longer");
    table_number(&t, NAN);
    table_addz(&t, "7");
    assert_int_equal(table_rows(&t), 2);
    table_print(&t, &out, 0, true);
    assert_string_equal(buf_z(&out), "name        loss   n\n"
                                     "a       0.123457  10\n"
                                     "longer             7\n");
    table_fini(&t);
    buf_fini(&out);
}

static void test_width_is_kept(void **state)
{
    (void)state;
    struct table t;
    struct buf out;
    buf_init(&out, 0);
    table_init(&t, "trial|params|error");
    table_addz(&t, "1");
    table_addz(&t, "lr=0.1 units=12 act=relu layers=2");
    table_addz(&t, "it broke at the first step with a long story");
    table_print(&t, &out, 40, false);
    const char *line = buf_z(&out);
    while (*line) {
        size_t n = strcspn(line, "\n");
        assert_true(n <= 40);
        line += n + 1;
    }
    assert_non_null(strstr(buf_z(&out), "..."));
    assert_non_null(strstr(buf_z(&out), "    1  ")); /* numbers are never cut */
    table_fini(&t);
    buf_fini(&out);
}

static void test_no_rows_and_control_characters(void **state)
{
    (void)state;
    struct table t;
    struct buf out;
    buf_init(&out, 0);
    table_init(&t, "a");
    assert_int_equal(table_rows(&t), 0);
    table_print(&t, &out, 10, true);
    assert_string_equal(buf_z(&out), "a\n");
    table_addz(&t, "x\ny\x1b[0m");
    buf_clear(&out);
    table_print(&t, &out, 0, true);
    assert_string_equal(buf_z(&out), "a\nx y [0m\n");
    table_fini(&t);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_right_words_left),
        cmocka_unit_test(test_width_is_kept),
        cmocka_unit_test(test_no_rows_and_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
