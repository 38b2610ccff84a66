/* The list of counters: names that fit the wire, and that are found again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "buf.h"
#include "counter.h"
#include "schema.h"

static void names_fit_and_differ(void **state)
{
    (void)state;
    const struct field *list = schema_field(schema_message(MSG_BEACON), 5);
    assert_true(COUNTERS <= list->limit);
    assert_true(COUNTERS <= schema_field(schema_message(MSG_BEAT), 5)->limit);
    for (unsigned c = 0; c < COUNTERS; c++) {
        assert_true(strlen(counter_name(c)) <= schema_field(list->sub(), 1)->limit);
        assert_int_equal(counter_find(str_of(counter_name(c))), c);
        assert_true(counter_text(c)[0]);
    }
    assert_int_equal(counter_find(STR("no_such_counter")), COUNTERS);
    assert_int_equal(counter_find((struct str){0}), COUNTERS);
    assert_string_equal(counter_name(COUNTERS), "?");
    assert_string_equal(counter_text(COUNTERS), "?");
}

static void each_is_counted_by_one_side(void **state)
{
    (void)state;
    assert_false(counter_of_worker(COUNT_BAD_FRAME));
    assert_false(counter_of_worker(COUNT_UNSENT));
    assert_true(counter_of_worker(COUNT_RESENT_START));
    assert_true(counter_of_worker(COUNTERS - 1));
    assert_false(counter_of_worker(COUNTERS));
}

static void sums_never_wrap(void **state)
{
    (void)state;
    uint64_t v = 5;
    counter_add(&v, 2);
    assert_int_equal(v, 7);
    counter_add(&v, UINT64_MAX);
    assert_true(v == UINT64_MAX);
}

static void the_table_has_all(void **state)
{
    (void)state;
    struct buf b = {0};
    counter_docs(&b);
    const char *text = buf_z(&b);
    for (unsigned c = 0; c < COUNTERS; c++)
        assert_non_null(strstr(text, counter_name(c)));
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_fit_and_differ),
        cmocka_unit_test(each_is_counted_by_one_side),
        cmocka_unit_test(sums_never_wrap),
        cmocka_unit_test(the_table_has_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
