/* Writer, number text and reader of json.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <float.h>
#include <json.h>
#include <math.h>
#include <stdlib.h>
#include <cmocka.h>

#include "json.h"
#include "rng.h"

static const char *format(double v)
{
    static char text[32];
    size_t n = json_format_f64(text, v);
    assert_int_equal(n, strlen(text));
    return text;
}

static void test_number_text(void **state)
{
    (void)state;
    assert_string_equal(format(3), "3");
    assert_string_equal(format(100000), "100000");
    assert_string_equal(format(9007199254740991.0), "9007199254740991");
    assert_string_equal(format(1e20), "1e20");
    assert_string_equal(format(0.1), "0.1");
    assert_string_equal(format(1e-7), "1e-7");
    assert_string_equal(format(-1.5), "-1.5");
    assert_string_equal(format(0.1 + 0.2), "0.30000000000000004");
    assert_string_equal(format(DBL_MAX), "1.7976931348623157e308");
    assert_string_equal(format(0x1p-1074), "5e-324");
    assert_string_equal(format(0), "0");
    assert_string_equal(format(-0.0), "-0.0");
    assert_string_equal(format(NAN), "NaN");
    assert_string_equal(format(-NAN), "NaN");
    assert_string_equal(format(-INFINITY), "-Infinity");
}

static void test_number_text_reads_back(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 5);
    for (int i = 0; i < 50000; i++) {
        uint64_t bits = rng_u64(&r);
        double v, back;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        assert_true(str_to_f64(str_of(format(v)), &back));
        assert_memory_equal(&back, &v, sizeof v);
    }
}

static void test_writer(void **state)
{
    (void)state;
    struct buf b;
    struct jsonw w;
    buf_init(&b, 0);
    jsonw_init(&w, &b);
    jsonw_object(&w);
    jsonw_kstr(&w, "s", STR("a\"\\\n\x01\x7f\xc3\xa4\xff\xe2\x82"));
    jsonw_kf64(&w, "nan", NAN);
    jsonw_keyz(&w, "list");
    jsonw_array(&w);
    jsonw_i64(&w, INT64_MIN);
    jsonw_u64(&w, UINT64_MAX);
    jsonw_null(&w);
    jsonw_object(&w);
    jsonw_end(&w);
    jsonw_raw(&w, STR("[1]"));
    jsonw_end(&w);
    jsonw_kbool(&w, "b", false);
    jsonw_kstr(&w, "", (struct str){NULL, 0});
    jsonw_end(&w);
    assert_string_equal(
        buf_z(&b),
        "{\"s\":\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\","
        "\"nan\":\"NaN\",\"list\":[-9223372036854775808,18446744073709551615,null,"
        "{},[1]],\"b\":false,\"\":\"\"}");
    buf_fini(&b);
}

static void check_round_trip(const char *text, unsigned flags, const char *want)
{
    struct json_object *v;
    struct errmsg em = {""};
    struct buf b;
    buf_init(&b, 0);
    assert_int_equal(json_parse(str_of(text), flags, &v, &em), ERR_OK);
    json_write(&b, v);
    assert_string_equal(buf_z(&b), want);
    json_object_put(v);
    buf_fini(&b);
}

static void test_round_trips(void **state)
{
    (void)state;
    check_round_trip(" { \"b\" : 1 , \"a\" : [ 1.50 , 1E5, -3, 1e-2 ] } ", JSON_STRICT,
                     "{\"b\":1,\"a\":[1.50,1E5,-3,1e-2]}");
    check_round_trip("12", JSON_STRICT, "12");
    check_round_trip("true", JSON_STRICT, "true");
    check_round_trip("null", JSON_STRICT, "null");
    check_round_trip("\"\\u00e4\\ud83d\\ude00\\u0000\"", JSON_STRICT,
                     "\"\xc3\xa4\xf0\x9f\x98\x80\\u0000\"");
    check_round_trip("[18446744073709551615,-9223372036854775808]", JSON_STRICT,
                     "[18446744073709551615,-9223372036854775808]");
    check_round_trip("[NaN,nan,Infinity,-Infinity,-infinity]", JSON_NONFINITE,
                     "[\"NaN\",\"NaN\",\"Infinity\",\"-Infinity\",\"-Infinity\"]");
    check_round_trip("{\"a\":{},\"b\":[]}", JSON_NONFINITE, "{\"a\":{},\"b\":[]}");
    check_round_trip("-Infinity", JSON_NONFINITE, "\"-Infinity\"");
    check_round_trip("NaN", JSON_NONFINITE, "\"NaN\"");
}

static void check_refused(const char *text, unsigned flags)
{
    struct json_object *v = NULL;
    struct errmsg em = {""};
    if (json_parse(str_of(text), flags, &v, &em) != ERR_INVALID)
        fail_msg("accepted: %s", text);
    assert_null(v);
    assert_non_null(strstr(em.text, "not valid JSON"));
}

static void test_bad_text_is_refused_in_both_modes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "[1 2]",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "'a'",
        "\"a",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "+1",
        "- 1",
        "tru",
        "True",
        "nul",
        "1 2",
        "{} x",
        "/* c */ 1",
        "1 // c",
        "[1] /*",
        "\"\xff\"",
        "[\"\xed\xa0\x80\"]",
        "1e400",
        "-1e999",
        "{\"\\u0000\":1}",
        "123456789012345678901234567890",
        "-9223372036854775809",
        "0x10",
        "{\"a\":}",
        "[,1]",
        "]",
        "}",
        "--1",
        "1e+",
        "Inf",
        "undefined",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_refused(bad[i], JSON_STRICT);
        check_refused(bad[i], JSON_NONFINITE);
    }
    check_refused("NaN", JSON_STRICT);
    check_refused("[-Infinity]", JSON_STRICT);
    check_refused("NaNs", JSON_NONFINITE);
}

static void test_a_nul_byte_is_refused(void **state)
{
    (void)state;
    struct json_object *v;
    struct errmsg em;
    assert_int_equal(json_parse(str_make("1\0", 2), JSON_STRICT, &v, &em), ERR_INVALID);
    assert_int_equal(json_parse(str_make("\"a\0\"", 4), JSON_NONFINITE, &v, &em), ERR_INVALID);
}

static void test_depth(void **state)
{
    (void)state;
    char text[200];
    struct json_object *v;
    for (size_t depth = 31; depth <= 34; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        err_t e = json_parse(str_make(text, 2 * depth), JSON_STRICT, &v, NULL);
        assert_int_equal(e, depth <= 32 ? ERR_OK : ERR_INVALID);
        json_object_put(v);
    }
}

static void test_offset_is_named(void **state)
{
    (void)state;
    struct json_object *v;
    struct errmsg em;
    assert_int_equal(json_parse(STR("{\"a\": tru}"), JSON_STRICT, &v, &em), ERR_INVALID);
    assert_non_null(strstr(em.text, "byte 6"));
}

static void test_members_and_numbers(void **state)
{
    (void)state;
    struct json_object *v;
    double d;
    assert_int_equal(json_parse(STR("{\"i\":3,\"d\":0.5,\"n\":\"NaN\",\"m\":\"-inf\",\"t\":\"3.5\","
                                    "\"z\":null,\"b\":true}"),
                                JSON_STRICT, &v, NULL),
                     ERR_OK);
    assert_true(json_number(json_get(v, "i"), &d) && d == 3);
    assert_true(json_number(json_get(v, "d"), &d) && d == 0.5);
    assert_true(json_number(json_get(v, "n"), &d) && isnan(d));
    assert_true(json_number(json_get(v, "m"), &d) && d == -INFINITY);
    assert_false(json_number(json_get(v, "t"), &d));
    assert_false(json_number(json_get(v, "z"), &d));
    assert_false(json_number(json_get(v, "b"), &d));
    assert_false(json_number(v, &d));
    assert_null(json_get(v, "none"));
    assert_null(json_get(NULL, "none"));
    assert_null(json_get(json_get(v, "i"), "x"));
    json_object_put(v);
}

/* Whatever is accepted can be written, read again, and is then the same text. */
static void test_random_text(void **state)
{
    (void)state;
    static const char *const pieces[] = {"{", "}",    "[",    "]",    ",",   ":", "\"a\"",
                                         "1", "-2.5", "true", "null", "NaN", " "};
    struct rng r;
    rng_seed(&r, 6);
    int accepted = 0;
    for (int i = 0; i < 100000; i++) {
        char text[64] = "";
        uint64_t n = 1 + rng_below(&r, 7);
        for (uint64_t k = 0; k < n; k++)
            strcat(text, pieces[rng_below(&r, sizeof pieces / sizeof *pieces)]);
        struct json_object *v;
        if (json_parse(str_of(text), JSON_NONFINITE, &v, NULL))
            continue;
        struct buf once;
        buf_init(&once, 0);
        json_write(&once, v);
        json_object_put(v);
        check_round_trip(buf_z(&once), JSON_STRICT, buf_z(&once));
        buf_fini(&once);
        accepted++;
    }
    assert_true(accepted > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_text),
        cmocka_unit_test(test_number_text_reads_back),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_bad_text_is_refused_in_both_modes),
        cmocka_unit_test(test_a_nul_byte_is_refused),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_offset_is_named),
        cmocka_unit_test(test_members_and_numbers),
        cmocka_unit_test(test_random_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
