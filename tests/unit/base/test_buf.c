/* Growth, limits and the bad state of buf.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "buf.h"

static void test_append_and_take(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    buf_addz(&b, "a");
    buf_addc(&b, 'b');
    buf_printf(&b, "%d-%s", 12, "x");
    buf_add_str(&b, (struct str){NULL, 0});
    assert_string_equal(buf_z(&b), "ab12-x");
    assert_int_equal(b.n, 6);
    buf_consume(&b, 2);
    assert_string_equal(buf_z(&b), "12-x");
    char *z = buf_takez(&b);
    assert_string_equal(z, "12-x");
    free(z);
    assert_int_equal(b.n, 0);
    z = buf_takez(&b);
    assert_string_equal(z, "");
    free(z);
    buf_fini(&b);
}

static void test_limit_is_exact_and_sticky(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_addz(&b, "1234");
    assert_true(buf_ok(&b));
    assert_string_equal(buf_z(&b), "1234"); /* the terminator is not counted */
    buf_addc(&b, '5');
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, 4);
    buf_consume(&b, 4);
    buf_addc(&b, '1');
    assert_int_equal(b.n, 0);
    assert_string_equal(buf_z(&b), "");
    buf_clear(&b);
    buf_printf(&b, "%s", "12345");
    assert_false(buf_ok(&b));
    buf_clear(&b);
    assert_null(buf_reserve(&b, SIZE_MAX));
    buf_fini(&b);
    buf_fini(&b);
}

static void test_large(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    for (int i = 0; i < 100000; i++)
        buf_printf(&b, "%06d", i);
    assert_int_equal(b.n, 600000);
    assert_memory_equal(b.p + 6 * 99999, "099999", 6);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_and_take),
        cmocka_unit_test(test_limit_is_exact_and_sticky),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
