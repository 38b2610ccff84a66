/* Suggestions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "nearest.h"

static void test_slips(void **state)
{
    (void)state;
    static const char *const names[] = {"slots", "lease-ttl", "root", "db", NULL};
    assert_string_equal(nearest_name(STR("slot"), names), "slots");
    assert_string_equal(nearest_name(STR("slost"), names), "slots"); /* neighbours swapped */
    assert_string_equal(nearest_name(STR("leasettl"), names), "lease-ttl");
    assert_string_equal(nearest_name(STR("lease_tl"), names), "lease-ttl");
    assert_string_equal(nearest_name(STR("db"), names), "db");
    assert_null(nearest_name(STR("completely"), names));
    assert_null(nearest_name(STR(""), names));
    assert_null(nearest_name(STR("x"), names));
}

static void test_long_names_are_no_trouble(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'a', sizeof text);
    static const char *const names[] = {"a", NULL};
    assert_null(nearest_name(str_make(text, sizeof text), names));
    assert_null(nearest_name(str_make(text, 63), names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slips),
        cmocka_unit_test(test_long_names_are_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
