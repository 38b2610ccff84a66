/* Options of choices and their weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "study_fixture.h"

static void scalars_keep_their_spelling(void **state)
{
    (void)state;
    struct space *s =
        fixture_space("a: {choice: [relu, 3, 1e-3, true, null, '4', \"x \\\"y\", '']}");
    static const char *const texts[] = {"relu", "3", "1e-3", "true", "null", "4", "x \"y", ""};
    static const char *const jsons[] = {"\"relu\"", "3",     "1e-3",        "true",
                                        "null",     "\"4\"", "\"x \\\"y\"", "\"\""};
    const struct param *p = &s->params[0];
    assert_int_equal(p->n_options, 8);
    assert_true(p->kind == PARAM_CHOICE && p->low == 0 && p->high == 7);
    for (uint32_t i = 0; i < p->n_options; i++) {
        assert_string_equal(p->options[i].text.p, texts[i]);
        assert_string_equal(p->options[i].json.p, jsons[i]);
        assert_true(p->options[i].weight == 0.125);
    }
    assert_false(p->weighted);
    space_free(s);
}

static void weights_are_normalised(void **state)
{
    (void)state;
    struct space *s = fixture_space("a: {choice: [x, y, z], weights: [3, 0, 1]}");
    const struct param *p = &s->params[0];
    assert_true(p->weighted);
    assert_true(p->options[0].weight == 0.75 && p->options[1].weight == 0 &&
                p->options[2].weight == 0.25);
    assert_true(param_from_unit(p, 0.0) == 0 && param_from_unit(p, 0.7499) == 0);
    assert_true(param_from_unit(p, 0.75) == 2 && param_from_unit(p, nextafter(1, 0)) == 2);
    space_free(s);
}

static void refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"a: {choice: []}", "space.a.choice: has 0 elements; expected at least 1 as in ..."},
        {"a: {choice: x}", "space.a.choice: \"x\" is not a list; expected one such as ..."},
        {"a: {choice: [x, y, x]}", "space.a.choice[2]: the option \"x\" stands twice"},
        {"a: {choice: [1, '1']}", "space.a.choice[1]: the option \"1\" stands twice"},
        {"a: {choice: [1, 1.0]}", "space.a.choice[1]: the option 1.0 stands twice"},
        {"a: {choice: [x, x: {b: {int: [0, 1]}}]}",
         "space.a.choice[1]: the option \"x\" stands twice"},
        {"a: {choice: [[64, 64], [128]]}",
         "space.a.choice[0]: [64,64]: an option cannot be a list; ..."},
        {"a: {choice: [{x: {}, y: {}}]}", "space.a.choice[0]: {\"x\":{},\"y\":{}}: an option with "
                                          "parameters has one member, its name; ..."},
        {"a: {choice: [{}]}", "space.a.choice[0]: {}: an option with parameters has one ..."},
        {"a: {choice: [{'x y': {}}]}",
         "space.a.choice[0].x y: not a name for an option with parameters; ..."},
        {"a: {choice: [\"x\\0y\"]}", "space.a.choice[0]: holds a control character"},
        {"a: {choice: [x, y], weights: [1]}", "space.a.weights: has 1 weights for 2 options"},
        {"a: {choice: [x, y], weights: [1, -1]}", "space.a.weights[1]: -1 is out of range; ..."},
        {"a: {choice: [x, y], weights: [0, 0]}",
         "space.a.weights: all weights are 0; expected at least one above"},
        {"a: {choice: [x, y], weights: [.nan, 0]}",
         "space.a.weights[0]: NaN is not a finite number"},
        {"a: {value: [1]}", "space.a.value: [1] is not a single value; ..."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fixture_space_fault(rows[i][0], rows[i][1]);
}

static void too_many_refused(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    buf_addz(&b, "a: {choice: [0");
    for (int i = 1; i < SPACE_MAX_OPTIONS; i++)
        buf_printf(&b, ", %d", i);
    size_t n = b.n;
    buf_addz(&b, "]}");
    struct space *s = fixture_space(buf_z(&b));
    assert_int_equal(s->params[0].n_options, SPACE_MAX_OPTIONS);
    space_free(s);
    b.n = n;
    buf_addz(&b, ", x]}");
    fixture_space_fault(buf_z(&b), "space.a.choice: has 257 elements; at most 256 are allowed");
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_keep_their_spelling),
        cmocka_unit_test(weights_are_normalised),
        cmocka_unit_test(refused),
        cmocka_unit_test(too_many_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
