/* Conditions: both spellings, order, activity, and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "study_fixture.h"

static bool active(const struct space *s, const char *name, const double *point)
{
    return space_active(s, (uint32_t)space_find(s, str_of(name)), point);
}

static void values_and_parents(void **state)
{
    (void)state;
    struct space *s = fixture_space("x: {float: [0, 1], when: {act: [gelu, tanh], n: 2}}\n"
                                    "y: {float: [0, 1], when: [{act: relu}, {n: [1, 3]}]}\n"
                                    "act: {choice: [relu, tanh, gelu]}\n"
                                    "n: {int: [1, 3]}\n");
    assert_string_equal(s->params[0].name.p, "act");
    assert_string_equal(s->params[1].name.p, "n");
    double p[4] = {2, 2, NAN, NAN};
    assert_true(active(s, "x", p));
    assert_false(active(s, "y", p));
    p[1] = 3;
    assert_false(active(s, "x", p));
    assert_true(active(s, "y", p));
    p[0] = 0;
    p[1] = 2;
    assert_false(active(s, "x", p));
    assert_true(active(s, "y", p));
    space_free(s);
}

static void flat_equals_nested(void **state)
{
    (void)state;
    struct space *a = fixture_space("o: {choice: [p: {m: {float: [0, 1]}}, q]}");
    struct space *b = fixture_space("o: {choice: [p, q]}\nm: {float: [0, 1], when: {o: p}}");
    for (double option = 0; option < 2; option++) {
        double point[2] = {option, NAN};
        assert_int_equal(space_active(a, 1, point), space_active(b, 1, point));
        assert_int_equal(space_active(a, 1, point), option == 0);
    }
    space_free(a);
    space_free(b);
}

/* All options are listed: still nothing without the choice itself. */
static void inactive_parent(void **state)
{
    (void)state;
    struct space *s = fixture_space("a: {choice: [0, 1]}\n"
                                    "b: {choice: [0, 1], when: {a: 1}}\n"
                                    "c: {float: [0, 1], when: {b: [0, 1]}}\n");
    double off[3] = {0, NAN, NAN}, on[3] = {1, 0, NAN};
    assert_false(space_active(s, 1, off));
    assert_false(space_active(s, 2, off));
    assert_true(space_active(s, 1, on));
    assert_true(space_active(s, 2, on));
    assert_int_equal(s->params[2].depth, 2);
    space_free(s);
}

static void nested_and_when_together(void **state)
{
    (void)state;
    struct space *s = fixture_space("o: {choice: [p: {m: {float: [0, 1], when: {n: [2, 3]}}}, q]}\n"
                                    "n: {int: [1, 3]}\n");
    uint32_t o = (uint32_t)space_find(s, STR("o")), n = (uint32_t)space_find(s, STR("n"));
    double p[3] = {NAN, NAN, NAN};
    p[o] = 0;
    p[n] = 2;
    assert_true(active(s, "m", p));
    p[n] = 1;
    assert_false(active(s, "m", p));
    p[n] = 3;
    p[o] = 1;
    assert_false(active(s, "m", p));
    space_free(s);
}

static void refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"a: {int: [0, 1], when: {bb: 1}}\nbbb: {int: [0, 1]}",
         "space.a.when.bb: no parameter has this name; did you mean \"bbb\"?"},
        {"a: {int: [0, 1], when: {zzzzz: 1}}", "space.a.when.zzzzz: no parameter has this name"},
        {"a: {int: [0, 1], when: {a: 1}}", "space.a.when.a: a parameter cannot depend on itself"},
        {"a: {int: [0, 1], when: {b: 1}}\nb: {int: [0, 1], when: {c: 1}}\n"
         "c: {int: [0, 1], when: {a: 1}}",
         "space.a.when: \"a\" depends on itself through its conditions"},
        {"o: {choice: [p: {m: {choice: [0, 1]}}], when: {m: 1}}",
         "space.o.when: \"o\" depends on itself through its conditions"},
        {"a: {float: [0, 1]}\nb: {int: [0, 1], when: {a: 1}}",
         "space.b.when.a: not a choice or an int; only those can decide"},
        {"a: {choice: [relu]}\nb: {int: [0, 1], when: {a: [relv]}}",
         "space.b.when.a[0]: \"relv\" is no option of a; did you mean \"relu\"?"},
        {"a: {choice: [relu]}\nb: {int: [0, 1], when: {a: 3}}",
         "space.b.when.a: 3 is no option of a"},
        {"a: {int: [0, 4], step: 2}\nb: {int: [0, 1], when: {a: 3}}",
         "space.b.when.a: 3 is not a value that a can have"},
        {"a: {int: [0, 4]}\nb: {int: [0, 1], when: {a: x}}",
         "space.b.when.a: \"x\" is not a number"},
        {"a: {int: [0, 4]}\nb: {int: [0, 1], when: {a: []}}",
         "space.b.when.a: has 0 elements; expected at least 1 as in [sgd, adam]"},
        {"a: {int: [0, 4]}\nb: {int: [0, 1], when: a}",
         "space.b.when: \"a\" is not a condition; expected one such as {opt: [sgd, adam]}"},
        {"a: {int: [0, 4]}\nb: {int: [0, 1], when: {}}",
         "space.b.when: {} is not a condition; ..."},
        {"a: {int: [0, 4]}\nb: {int: [0, 1], when: []}", "space.b.when: has 0 elements; ..."},
        {"a: {int: [0, 4]}\nb: {int: [0, 1], when: [~]}", "space.b.when[0]: empty; ..."},
        {"a: {choice: [x: {k: {int: [0, 1]}}, y: {k: {int: [0, 1]}}]}\n"
         "b: {int: [0, 1], when: {k: 1}}",
         "space.b.when.k: no parameter has this name..."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fixture_space_fault(rows[i][0], rows[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_parents),
        cmocka_unit_test(flat_equals_nested),
        cmocka_unit_test(inactive_parent),
        cmocka_unit_test(nested_and_when_together),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
