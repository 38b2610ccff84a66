/* Clocks and the text of a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"

static void test_format(void **state)
{
    (void)state;
    char text[32];
    clock_format(text, 0);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_format(text, INT64_C(1795437296789));
    assert_string_equal(text, "2026-11-23T12:34:56.789Z");
    clock_format(text, -1);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    clock_format(text, INT64_MAX); /* beyond the calendar: some text, no overflow */
    assert_non_null(text);
    clock_format(text, INT64_MIN);
}

static void test_now_does_not_go_back(void **state)
{
    (void)state;
    int64_t before = clock_now();
    assert_true(before > 0);
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_now();
        assert_true(now >= before);
        before = now;
    }
    assert_true(clock_wall_ms() > INT64_C(1600000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_now_does_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
