/* One parameter: every kind, every modifier, and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "study_fixture.h"

static void kinds_and_modifiers(void **state)
{
    (void)state;
    struct space *s = fixture_space("u: {float: [-1, 2.5]}\n"
                                    "l: {float: [1e-5, 1], log: true}\n"
                                    "r: {float: [0.9, 0.9999], log: reverse}\n"
                                    "s: {float: [0, 1], step: 0.3}\n"
                                    "q: {float: [0, 1], round: 0.3}\n"
                                    "i: {int: [1, 4]}\n"
                                    "k: {int: [16, 512], log: true, step: 16}\n"
                                    "h: {int: [0, 9], round: 1}\n"
                                    "n: {normal: [5, 2]}\n"
                                    "m: {lognormal: [0, 1], round: 2, int: true}\n"
                                    "z: {randint: 7}\n"
                                    "y: {randint: [3, 7]}\n"
                                    "x: {int: [3, 6], unordered: true}\n");
    const struct param *p = s->params;
    assert_int_equal(s->n, 13);
    assert_true(p[0].low == -1 && p[0].high == 2.5 && p[0].step == 0 && p[0].scale == SCALE_LINEAR);
    assert_true(p[1].scale == SCALE_LOG && p[1].low == 1e-5);
    assert_true(p[2].scale == SCALE_REVERSE_LOG);
    assert_true(p[3].step == 0.3 && fabs(p[3].high - 0.9) < 1e-12);
    assert_true(p[4].step == 0 && p[4].round == 0.3 && p[4].high == 1);
    assert_true(p[5].kind == PARAM_INT && p[5].step == 1 && !p[5].unordered);
    assert_true(p[6].scale == SCALE_LOG && p[6].step == 16 && p[6].high == 512);
    assert_true(p[7].kind == PARAM_INT && p[7].step == 0 && p[7].round == 1);
    assert_true(p[8].prior == PRIOR_NORMAL && p[8].mu == 5 && p[8].sigma == 2 && isinf(p[8].low));
    assert_true(p[9].kind == PARAM_INT && p[9].scale == SCALE_LOG && p[9].round == 2);
    assert_true(p[10].unordered && p[10].low == 0 && p[10].high == 6);
    assert_true(p[11].unordered && p[11].low == 3 && p[11].high == 6);
    assert_true(p[12].unordered && p[12].low == 3 && p[12].high == 6);
    space_free(s);
}

static void one_value_ranges(void **state)
{
    (void)state;
    struct space *s =
        fixture_space("a: {float: [2, 2]}\nb: {int: [3, 3]}\n"
                      "c: {float: [2, 2], log: true}\nd: {float: [1, 1], log: reverse}\n"
                      "e: {value: x}\n");
    for (uint32_t i = 0; i < s->n; i++)
        assert_true(param_cardinality(&s->params[i]) == 1);
    assert_true(param_from_unit(&s->params[0], 0.7) == 2);
    assert_true(param_from_unit(&s->params[2], 0.7) == 2);
    assert_true(param_from_unit(&s->params[3], 0.7) == 1);
    space_free(s);
}

static void refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"x: {float: [2, 1]}", "space.x.float: [2,1]: the lower bound comes first"},
        {"x: {float: [.nan, 1]}", "space.x.float[0]: NaN is not a finite number"},
        {"x: {float: [0, .inf]}", "space.x.float[1]: Infinity is not a finite number"},
        {"x: {float: [0, 1e301]}", "space.x.float[1]: ..."},
        {"x: {float: [0]}", "space.x.float: has 1 elements; expected 2 as in [1e-5, 1]"},
        {"x: {float: 3}", "space.x.float: 3 is not a list; expected one such as [1e-5, 1]"},
        {"x: {float: [a, 1]}", "space.x.float[0]: \"a\" is not a number"},
        {"x: {float: ['0', 1]}",
         "space.x.float[0]: \"0\" is a text; write the number without quotes"},
        {"x: {float: [0, 1], log: true}",
         "space.x.log: the lower bound must be above 0 for a logarithmic scale"},
        {"x: {float: [1, 2], log: yes}", "space.x.log: \"yes\" is none of true, false, reverse"},
        {"x: {int: [1, 2], log: reverse}", "space.x.log: reverse goes only with float"},
        {"x: {float: [0, 1], step: 0}", "space.x.step: must be above 0"},
        {"x: {float: [0, 1], step: -1}", "space.x.step: -1 is out of range; expected 0 to ..."},
        {"x: {float: [0, 1], step: 2}", "space.x.step: 2 is greater than the whole range"},
        {"x: {float: [0, 1], step: 1e-12}",
         "space.x.step: 1e-12 gives too many values; at most 2^31 are allowed"},
        {"x: {float: [0, 1], round: 1e-13}", "space.x.round: 1e-13 is too fine for these bounds"},
        {"x: {float: [0, 1], step: 0.1, round: 0.1}", "space.x.round: does not go with step"},
        {"x: {float: [0, 1], log: reverse, step: 0.1}",
         "space.x.step: does not go with log: reverse"},
        {"x: {int: [0.5, 1]}", "space.x.int[0]: 0.5 is not a whole number"},
        {"x: {int: [0, 1e16]}", "space.x.int[1]: ..."},
        {"x: {int: [0, 9], step: 0.5}", "space.x.step: 0.5 is not a whole number"},
        {"x: {int: [1, 9], log: true, unordered: true}",
         "space.x.unordered: does not go with log, step or round"},
        {"x: {randint: 0}", "space.x.randint: 0 is out of range; expected 1 to ..."},
        {"x: {randint: [2, 2]}", "space.x.randint: holds no value: the upper bound is excluded"},
        {"x: {normal: [0, 0]}", "space.x.normal: the standard deviation must be above 0"},
        {"x: {lognormal: [0, 100]}", "space.x.lognormal: too wide: ..."},
        {"x: {normal: [0, 1], step: 1}", "space.x.step: does not go with normal"},
        {"x: {normal: [0, 1], int: true}",
         "space.x.int: needs a whole number for round, such as round: 1"},
        {"x: {normal: [0, 1], round: 0.5, int: true}",
         "space.x.int: needs a whole number for round, such as round: 1"},
        {"x: {choice: [a], log: true}", "space.x.log: does not go with choice"},
        {"x: {float: [0, 1], int: [0, 1]}",
         "space.x.int: stands beside float; a parameter has one of them"},
        {"x: {flaot: [0, 1]}", "space.x.flaot: unknown member; did you mean \"float\"?"},
        {"x: {float: [1, 2], lgo: true}", "space.x.lgo: unknown member; did you mean \"log\"?"},
        {"x: {loguniform: [1, 2]}",
         "space.x.loguniform: unknown member; it is written {float: [1e-5, 1], log: true} here"},
        {"x: {log: true}", "space.x: says no values; expected one of float, int, choice, ..."},
        {"x: {}", "space.x: says no values; ..."},
        {"x: {float: [0, 1], when: }",
         "space.x.when: empty; expected a condition such as {opt: [sgd, adam]}"},
        {"x: 0.1", "space.x: 0.1 is not a parameter; write {value: 0.1} for a constant or "
                   "{float: [low, high]} for a range"},
        {"x: [relu, tanh]", "space.x: [\"relu\",\"tanh\"] is not a parameter; write {choice: "
                            "[\"relu\",\"tanh\"]} for a choice or ..."},
        {"x: ", "space.x: null is not a parameter; ..."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fixture_space_fault(rows[i][0], rows[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_and_modifiers),
        cmocka_unit_test(one_value_ranges),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
