/* Names, nesting and limits of a whole space. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "study_fixture.h"

static void nested_names(void **state)
{
    (void)state;
    struct space *s = fixture_space("opt:\n"
                                    "  choice:\n"
                                    "    - sgd:\n"
                                    "        momentum: {float: [0, 0.99]}\n"
                                    "        nesterov:\n"
                                    "          choice:\n"
                                    "            - on: {k: {int: [1, 3]}}\n"
                                    "            - off\n"
                                    "    - adam: {beta: {float: [0.9, 0.99]}}\n"
                                    "    - lion:\n"
                                    "    - plain\n"
                                    "k: {int: [1, 2]}\n");
    static const char *const names[] = {
        "opt", "opt.sgd.momentum", "opt.sgd.nesterov", "opt.sgd.nesterov.on.k", "opt.adam.beta",
        "k"};
    static const char *const shorts[] = {"opt",  "momentum", "nesterov", "opt.sgd.nesterov.on.k",
                                         "beta", "k"};
    assert_int_equal(s->n, 6);
    for (uint32_t i = 0; i < s->n; i++) {
        assert_string_equal(s->params[i].name.p, names[i]);
        assert_string_equal(s->params[i].short_name.p, shorts[i]);
        assert_int_equal(space_find(s, str_of(names[i])), (int)i);
    }
    assert_int_equal(space_find(s, STR("momentum")), 1);
    assert_int_equal(space_find(s, STR("k")), 5);
    assert_int_equal(space_find(s, STR("none")), -1);
    assert_int_equal(s->params[0].n_options, 4);
    assert_string_equal(s->params[0].options[2].text.p, "lion");
    assert_int_equal(s->params[3].depth, 2);
    space_free(s);
}

static void names_refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"-x: {float: [0, 1]}", "space.-x: not a name for a parameter; ..."},
        {"a b: {float: [0, 1]}", "space.a b: not a name for a parameter; ..."},
        {".a: {float: [0, 1]}", "space..a: not a name for a parameter; ..."},
        {"\xc3\xa4: {float: [0, 1]}", "space.\xc3\xa4: not a name for a parameter; ..."},
        {"'': {float: [0, 1]}", "space: not a name for a parameter; ..."},
        {"a.b.c: {float: [0, 1]}\na: {choice: [b: {c: {int: [0, 1]}}]}",
         "space.a.choice[0].b.c: a parameter named \"a.b.c\" exists already"},
        {"a: {choice: [b: {'c d': {int: [0, 1]}}]}",
         "space.a.choice[0].b.c d: not a name for a parameter; ..."},
        {"a: {choice: [b: 3]}", "space.a.choice[0].b: 3 is not a group of parameters; ..."},
        {"{}", "space: has no parameters; ..."},
        {"[]", "space: [] is not a group of parameters; ..."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fixture_space_fault(rows[i][0], rows[i][1]);
}

static void long_name_refused(void **state)
{
    (void)state;
    char yaml[400];
    (void)snprintf(yaml, sizeof yaml, "%0128d: {float: [0, 1]}", 0);
    space_free(fixture_space(yaml));
    (void)snprintf(yaml, sizeof yaml, "%0129d: {float: [0, 1]}", 0);
    char sentence[400];
    (void)snprintf(sentence, sizeof sentence, "space.%0129d: not a name...", 0);
    fixture_space_fault(yaml, sentence);
    (void)snprintf(yaml, sizeof yaml, "%0100d: {choice: [%020d: {%020d: {int: [0, 1]}}]}", 0, 0, 0);
    (void)snprintf(sentence, sizeof sentence,
                   "space.%0100d.choice[0].%020d.%020d: the qualified name has 142 bytes; at most "
                   "128 are allowed",
                   0, 0, 0);
    fixture_space_fault(yaml, sentence);
}

static void too_many_refused(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    for (int i = 0; i < SPACE_MAX_PARAMS; i++)
        buf_printf(&b, "p%d: {int: [0, 1]}\n", i);
    struct space *s = fixture_space(buf_z(&b));
    assert_int_equal(s->n, SPACE_MAX_PARAMS);
    space_free(s);
    buf_addz(&b, "q: {int: [0, 1]}\n");
    fixture_space_fault(buf_z(&b), "space.q: more than 512 parameters");
    buf_fini(&b);
}

static void longest_chain(void **state)
{
    (void)state;
    struct buf b; /* each depends on the next: the order is turned round */
    buf_init(&b, 0);
    for (int i = 0; i < SPACE_MAX_PARAMS - 1; i++)
        buf_printf(&b, "p%d: {int: [0, 1], when: {p%d: 1}}\n", i, i + 1);
    buf_printf(&b, "p%d: {int: [0, 1]}\n", SPACE_MAX_PARAMS - 1);
    struct space *s = fixture_space(buf_z(&b));
    assert_string_equal(s->params[0].name.p, "p511");
    assert_string_equal(s->params[511].name.p, "p0");
    assert_int_equal(s->params[511].depth, 511);
    space_free(s);
    buf_fini(&b);
}

static void free_of_nothing(void **state)
{
    (void)state;
    space_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested_names),      cmocka_unit_test(names_refused),
        cmocka_unit_test(long_name_refused), cmocka_unit_test(too_many_refused),
        cmocka_unit_test(longest_chain),     cmocka_unit_test(free_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
