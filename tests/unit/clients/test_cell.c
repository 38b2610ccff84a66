/* Numbers, durations and texts for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <math.h>
#include <cmocka.h>

#include "cell.h"

static struct buf out;

static int setup(void **state)
{
    (void)state;
    buf_init(&out, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&out);
    return 0;
}

static const char *number(double v, int digits)
{
    buf_clear(&out);
    cell_number(&out, v, digits);
    return buf_z(&out);
}

static void test_number(void **state)
{
    (void)state;
    assert_string_equal(number(0.0712345678, 4), "0.07123");
    assert_string_equal(number(3, 4), "3");
    assert_string_equal(number(-0.0, 4), "0");
    assert_string_equal(number(123456789, 4), "123456789");
    assert_string_equal(number(1e12, 4), "1e+12");
    assert_string_equal(number(1e-7, 6), "1e-07");
    assert_string_equal(number(NAN, 4), "NaN");
    assert_string_equal(number(-INFINITY, 4), "-Infinity");
}

static const char *duration(double v)
{
    buf_clear(&out);
    cell_duration(&out, v);
    return buf_z(&out);
}

static void test_duration(void **state)
{
    (void)state;
    assert_string_equal(duration(-5), "0.0 s");
    assert_string_equal(duration(NAN), "0.0 s");
    assert_string_equal(duration(0.44), "0.4 s");
    assert_string_equal(duration(41.2), "41 s");
    assert_string_equal(duration(59.6), "1:00");
    assert_string_equal(duration(185), "3:05");
    assert_string_equal(duration(2 * 3600 + 7 * 60 + 9), "2:07:09");
    assert_string_equal(duration(3 * 86400 + 4 * 3600 + 1), "3 d 4 h");
    assert_true(buf_ok(&out));
    (void)duration(INFINITY);
}

static const char *text(struct str s, size_t width, bool utf8)
{
    buf_clear(&out);
    cell_text(&out, s, width, utf8);
    return buf_z(&out);
}

static void test_text_is_cut_to_columns(void **state)
{
    (void)state;
    assert_string_equal(text(STR("abcdef"), 6, false), "abcdef");
    assert_string_equal(text(STR("abcdefg"), 6, false), "abc...");
    assert_string_equal(text(STR("abcdefg"), 6, true), "abcde\xe2\x80\xa6");
    assert_string_equal(text(STR("abcdefg"), 2, false), "..");
    assert_string_equal(text(STR("abcdefg"), 0, true), "");
    assert_string_equal(text(STR("\xc3\xa4\xc3\xb6\xc3\xbc"), 3, true), "\xc3\xa4\xc3\xb6\xc3\xbc");
}

static void test_text_steers_no_terminal(void **state)
{
    (void)state;
    assert_string_equal(text(STR("a\x1b[2Jb\n\x7f"), 80, true), "a [2Jb  ");
    assert_string_equal(text(STR("a\xc2\x9b"
                                 "b"),
                             80, true),
                        "a b");
    assert_string_equal(text(STR("\xff"
                                 "a\xc3"),
                             80, true),
                        "?a?");
    assert_int_equal(cell_width(STR("\xff"
                                    "a\xc3\xa4")),
                     3);
}

static void test_wide_characters_take_two_columns(void **state)
{
    (void)state;
    static const char wide[] = "\xe6\x97\xa5\xe6\x9c\xac"; /* two of East Asia */
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        skip();
    assert_int_equal(cell_width(STR("a\xcc\x81")), 1); /* with a combining accent */
    assert_int_equal(cell_width(str_of(wide)), 4);
    assert_string_equal(text(str_of(wide), 4, true), wide);
    assert_string_equal(text(str_of(wide), 3, true), "\xe6\x97\xa5\xe2\x80\xa6");
    assert_string_equal(text(str_of(wide), 2, true), "\xe2\x80\xa6");
    setlocale(LC_CTYPE, "C");
}

static void test_error_in_one_line(void **state)
{
    static const struct {
        struct str error;
        const char *line;
    } rows[] = {
        {STR("exit status 1; last output: Traceback:\n  in f\nValueError: bad\n"),
         "exit status 1: ValueError: bad"},
        {STR("exit status 1; last output: text"), "exit status 1: text"},
        {STR("timed out after 10m"), "timed out after 10m"},
        {STR("exit status 1; last output: "), "exit status 1: "},
        {STR(" \n\n"), ""},
        {STR(""), ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_clear(&out);
        cell_error(&out, rows[i].error);
        assert_string_equal(buf_z(&out), rows[i].line);
    }
}

static void test_params(void **state)
{
    (void)state;
    buf_clear(&out);
    cell_params(&out,
                STR("{\"lr\":0.0123456,\"act\":\"re\\nlu\",\"n\":3,\"on\":true,\"off\":null}"), 80,
                true);
    assert_string_equal(buf_z(&out), "lr=0.01235 act=re lu n=3 on=true off=null");
    buf_clear(&out);
    cell_params(&out, STR("{\"lr\":0.0123456,\"act\":\"relu\"}"), 12, false);
    assert_string_equal(buf_z(&out), "lr=0.0123...");
    buf_clear(&out);
    cell_params(&out, STR("no json"), 80, true);
    assert_string_equal(buf_z(&out), "no json");
    buf_clear(&out);
    cell_params(&out, (struct str){0}, 80, true);
    assert_string_equal(buf_z(&out), "");
}

static void test_bytes(void **state)
{
    (void)state;
    buf_clear(&out);
    cell_bytes(&out, 512);
    buf_addc(&out, ' ');
    cell_bytes(&out, 1536);
    buf_addc(&out, ' ');
    cell_bytes(&out, 16.0 * 1024 * 1024 * 1024);
    assert_string_equal(buf_z(&out), "512 1.5K 16G");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_text_is_cut_to_columns),
        cmocka_unit_test(test_text_steers_no_terminal),
        cmocka_unit_test(test_wide_characters_take_two_columns),
        cmocka_unit_test(test_error_in_one_line),
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
