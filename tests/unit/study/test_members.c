/* Values with bounds, and the paths that begin a fault's sentence. */
#include <json.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "json.h"
#include "members.h"
#include "study_fixture.h"

static struct json_object *value(const char *json)
{
    struct json_object *v = NULL;
    assert_int_equal(json_parse(str_of(json), JSON_STRICT, &v, NULL), ERR_OK);
    return v;
}

static void paths(void **state)
{
    (void)state;
    struct errmsg em = {{0}};
    struct at root = at_root(&em, STR("")), a = at_key(&root, "a"), i = at_item(&a, 3);
    struct at b = at_key(&i, "b\nc"), whole = at_root(&em, STR("space.x.when"));
    struct at k = at_key(&whole, "k");
    assert_int_equal(at_fault(&b, ERR_LIMIT, "no %d", 7), ERR_LIMIT);
    assert_string_equal(em.text, "a[3].b?c: no 7");
    assert_int_equal(at_fault(&k, ERR_INVALID, "no"), ERR_INVALID);
    assert_string_equal(em.text, "space.x.when.k: no");
    assert_int_equal(at_fault(&root, ERR_INVALID, "no"), ERR_INVALID);
    assert_string_equal(em.text, "no");
    struct at silent = at_root(NULL, STR("x"));
    assert_int_equal(at_fault(&silent, ERR_INVALID, "no"), ERR_INVALID);
}

static void long_keys_are_cut(void **state)
{
    (void)state;
    char key[5000];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = 0;
    struct errmsg em = {{0}};
    struct at root = at_root(&em, STR("")), a = at_key(&root, key);
    (void)at_fault(&a, ERR_INVALID, "the sentence is still there");
    assert_non_null(strstr(em.text, "kkk: the sentence is still there"));
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        double min, max;
        bool ok, whole_ok;
    } rows[] = {
        {"3", 0, 5, true, true},
        {"3.0", 0, 5, true, true},
        {"3.5", 0, 5, true, false},
        {"5", 0, 5, true, true},
        {"5.0000001", 0, 5, false, false},
        {"-0.0", 0, 5, true, true},
        {"\"3\"", 0, 5, false, false},
        {"true", 0, 5, false, false},
        {"null", 0, 5, false, false},
        {"[3]", 0, 5, false, false},
        {"1e300", 0, INFINITY, true, false},
        {"9007199254740992", 0, INFINITY, true, true},
        {"18446744073709551615", 0, INFINITY, true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct errmsg em = {{0}};
        struct at at = at_root(&em, STR("x"));
        struct json_object *v = value(rows[i].json);
        double out = NAN, whole = NAN;
        assert_int_equal(take_f64(&at, v, rows[i].min, rows[i].max, &out) == ERR_OK, rows[i].ok);
        assert_int_equal(take_whole(&at, v, rows[i].min, rows[i].max, &whole) == ERR_OK,
                         rows[i].whole_ok);
        assert_int_equal(isnan(out), !rows[i].ok);
        json_object_put(v);
    }
}

static void texts(void **state)
{
    (void)state;
    struct errmsg em = {{0}};
    struct at at = at_root(&em, STR("x"));
    struct json_object *v = value("\"abc\"");
    struct str s;
    assert_int_equal(take_text(&at, v, 1, 3, &s), ERR_OK);
    assert_true(str_is(s, "abc"));
    assert_int_equal(take_text(&at, v, 1, 2, &s), ERR_LIMIT);
    assert_string_equal(em.text, "x: has 3 bytes; at most 2 are allowed");
    assert_int_equal(take_text(&at, v, 4, 9, &s), ERR_INVALID);
    json_object_put(v);
    v = value("\"a\\u0000b\"");
    assert_int_equal(take_text(&at, v, 0, 9, &s), ERR_INVALID);
    json_object_put(v);
}

static void brief_is_cut_between_characters(void **state)
{
    (void)state;
    char out[BRIEF_SIZE];
    struct buf b;
    buf_init(&b, 0);
    buf_addc(&b, '"');
    for (int i = 0; i < 100; i++)
        buf_addz(&b, "\xc3\xa4");
    buf_addc(&b, '"');
    struct json_object *v = value(buf_z(&b));
    value_brief(v, out);
    assert_true(str_utf8_valid(str_of(out)) && strlen(out) >= 90);
    assert_string_equal(out + strlen(out) - 3, "...");
    json_object_put(v);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(long_keys_are_cut),
        cmocka_unit_test(numbers),
        cmocka_unit_test(texts),
        cmocka_unit_test(brief_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
