/* Comparing, checking, copying and number parsing of str.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <cmocka.h>

#include "str.h"

static void test_order(void **state)
{
    (void)state;
    assert_int_equal(str_cmp(STR("a"), STR("b")), -1);
    assert_int_equal(str_cmp(STR("ab"), STR("a")), 1);
    assert_int_equal(str_cmp(STR("a"), STR("a")), 0);
    assert_int_equal(str_cmp(STR("\xff"), STR("a")), 1); /* bytes are unsigned */
    assert_int_equal(str_cmp((struct str){NULL, 0}, STR("")), 0);
    assert_true(str_eq((struct str){NULL, 0}, STR("")));
    assert_true(str_starts(STR("study.1"), "study."));
    assert_false(str_starts(STR("stu"), "study."));
}

static void test_utf8(void **state)
{
    (void)state;
    assert_true(str_utf8_valid(STR("plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80")));
    assert_true(str_utf8_valid(STR("\xf4\x8f\xbf\xbf")));
    static const char *const bad[] = {"\x80",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xe0\x80\xaf",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\xaf",
                                      "\xc3",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe2\x82",
                                      "a\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(str_utf8_valid(str_of(bad[i])));
}

static void test_cut(void **state)
{
    (void)state;
    struct str s = STR("a\xe2\x82\xac"
                       "b");
    assert_int_equal(str_utf8_cut(s, 0), 0);
    assert_int_equal(str_utf8_cut(s, 1), 1);
    assert_int_equal(str_utf8_cut(s, 2), 1);
    assert_int_equal(str_utf8_cut(s, 3), 1);
    assert_int_equal(str_utf8_cut(s, 4), 4);
    assert_int_equal(str_utf8_cut(s, 99), 5);
    assert_int_equal(str_utf8_cut(STR("\x80\x80\x80\x80\x80\x80"), 5), 5); /* no sequence at all */
}

static void test_copy(void **state)
{
    (void)state;
    char small[4];
    assert_true(str_copyz(small, sizeof small, STR("abc")));
    assert_string_equal(small, "abc");
    assert_false(str_copyz(small, sizeof small, STR("a\xe2\x82\xac")));
    assert_string_equal(small, "a");
    assert_true(str_copyz(small, sizeof small, (struct str){NULL, 0}));
    assert_string_equal(small, "");
    char *z = str_dupz(str_make("a\0b", 3));
    assert_memory_equal(z, "a\0b", 4);
    free(z);
}

static void test_integers(void **state)
{
    (void)state;
    int64_t i;
    uint64_t u;
    assert_true(str_to_i64(STR("-9223372036854775808"), &i));
    assert_true(i == INT64_MIN);
    assert_true(str_to_i64(STR("9223372036854775807"), &i));
    assert_true(i == INT64_MAX);
    assert_true(str_to_u64(STR("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    static const char *const bad[] = {
        "", "-", "+", " 1", "1 ", "1.0", "0x1", "9223372036854775808", "--1"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        assert_false(str_to_i64(str_of(bad[k]), &i));
    assert_false(str_to_i64(STR("-9223372036854775809"), &i));
    assert_false(str_to_u64(STR("18446744073709551616"), &u));
    assert_false(str_to_u64(STR("-0"), &u));
}

static void test_floats(void **state)
{
    (void)state;
    double d;
    assert_true(str_to_f64(STR("0.1"), &d) && d == 0.1);
    assert_true(str_to_f64(STR("-1e-3"), &d) && d == -0.001);
    assert_true(str_to_f64(STR(".5"), &d) && d == 0.5);
    assert_true(str_to_f64(STR("5."), &d) && d == 5);
    assert_true(str_to_f64(STR("1.7976931348623157e308"), &d) && d == DBL_MAX);
    assert_true(str_to_f64(STR("4.9e-324"), &d) && d > 0);
    assert_true(str_to_f64(STR("NaN"), &d) && isnan(d));
    assert_true(str_to_f64(STR("-INFINITY"), &d) && isinf(d) && d < 0);
    assert_true(str_to_f64(STR("+inf"), &d) && isinf(d) && d > 0);
    static const char *const bad[] = {"",      ".",      "e5",    "1e",   "1e+",
                                      " 1",    "1 ",     "0x1p3", "1,5",  "-",
                                      "1e400", "-1e400", "nano",  "inf1", "1.2.3"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        assert_false(str_to_f64(str_of(bad[k]), &d));
    assert_true(str_to_f64(str_make("12345", 2), &d) && d == 12); /* no terminator is needed */
}

static void test_hex(void **state)
{
    (void)state;
    uint8_t b[3];
    char text[HEX_SIZE(3)];
    assert_true(str_from_hex(STR("00fFa1"), b, 3));
    str_hex(text, b, 3);
    assert_string_equal(text, "00ffa1");
    assert_false(str_from_hex(STR("00ff"), b, 3));
    assert_false(str_from_hex(STR("00ffg1"), b, 3));
}

static void test_control(void **state)
{
    (void)state;
    assert_false(str_has_control(STR("abc \xc3\xa4")));
    assert_true(str_has_control(STR("a\nb")));
    assert_true(str_has_control(STR("a\x7f")));
    assert_true(str_has_control(str_make("\0", 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),    cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_cut),      cmocka_unit_test(test_copy),
        cmocka_unit_test(test_integers), cmocka_unit_test(test_floats),
        cmocka_unit_test(test_hex),      cmocka_unit_test(test_control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
