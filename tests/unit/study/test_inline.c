/* The short form without a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "inline.h"
#include "json.h"
#include "study_fixture.h"

#define MAX_ARGS 12

static err_t convert(const char *const *args, struct buf *out, struct errmsg *em)
{
    char *argv[MAX_ARGS];
    int argc = 0;
    for (; args[argc]; argc++)
        argv[argc] = str_dupz(str_of(args[argc]));
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "study", STR("s"));
    err_t e = inline_spec(&w, argv, argc, em);
    if (e == ERR_OK)
        jsonw_end(&w);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return e;
}

static void expect(const char *const *args, const char *json)
{
    struct buf b;
    struct errmsg em = {{0}};
    buf_init(&b, 0);
    if (convert(args, &b, &em) != ERR_OK)
        fail_msg("%s", em.text);
    assert_string_equal(buf_z(&b), json);
    struct spec *s = NULL;
    if (spec_parse(buf_str(&b), &s, &em) != ERR_OK)
        fail_msg("%s", em.text);
    spec_free(s);
    buf_fini(&b);
}

static void forms_of_arguments(void **state)
{
    (void)state;
    static const char *const args[] = {"python3",
                                       "train {x}.py",
                                       "--lr~loguniform(1e-5, 1)",
                                       "-m~uniform(0,1)",
                                       "--n=~uniformint(1, 4)",
                                       "act~choice(relu, tanh)",
                                       "opt.name=~choice(1, 2)",
                                       "~/data~",
                                       "x~y",
                                       NULL};
    expect(args, "{\"study\":\"s\",\"objective\":{\"command\":[\"python3\",\"train {{x}}.py\","
                 "\"--lr\",\"{lr}\",\"-m\",\"{m}\",\"--n={n}\",\"{act}\",\"opt.name={opt.name}\","
                 "\"~/data~\",\"x~y\"]},\"space\":{\"lr\":{\"float\":[1e-5,1],\"log\":true},"
                 "\"m\":{\"float\":[0,1]},\"n\":{\"int\":[1,4]},"
                 "\"act\":{\"choice\":[\"relu\",\"tanh\"]},\"opt.name\":{\"choice\":[1,2]}}}");
}

static void functions(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"a~uniform(-1, .5)", "{\"float\":[-1,0.5]}"},
        {"a~ loguniform ( 1e-5 , 1 ) ", "{\"float\":[1e-5,1],\"log\":true}"},
        {"a~quniform(0, 1, 0.25)", "{\"float\":[0,1],\"round\":0.25}"},
        {"a~qloguniform(1, 100, 5)", "{\"float\":[1,100],\"log\":true,\"round\":5}"},
        {"a~uniformint(1, 8)", "{\"int\":[1,8]}"},
        {"a~loguniformint(1, 8)", "{\"int\":[1,8],\"log\":true}"},
        {"a~randint(5)", "{\"randint\":5}"},
        {"a~randint(2, 5)", "{\"randint\":[2,5]}"},
        {"a~normal(0, 1)", "{\"normal\":[0,1]}"},
        {"a~qnormal(0, 1, 0.5)", "{\"normal\":[0,1],\"round\":0.5}"},
        {"a~lognormal(0, 1)", "{\"lognormal\":[0,1]}"},
        {"a~qlognormal(0, 1, 2)", "{\"lognormal\":[0,1],\"round\":2}"},
        {"a~choice(x)", "{\"choice\":[\"x\"]}"},
        {"a~choice(1, 1e-3, true, null, '2', \"a, b)\", c d)",
         "{\"choice\":[1,1e-3,true,null,\"2\",\"a, b)\",\"c d\"]}"},
        {"a~pchoice(x: 0.75, 'y:z': 0.25, http://q: 1)",
         "{\"choice\":[\"x\",\"y:z\",\"http://q\"],\"weights\":[0.75,0.25,1]}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *args[] = {"p", rows[i][0], NULL};
        struct buf b;
        buf_init(&b, 0);
        buf_printf(&b,
                   "{\"study\":\"s\",\"objective\":{\"command\":[\"p\",\"{a}\"]},"
                   "\"space\":{\"a\":%s}}",
                   rows[i][1]);
        expect(args, buf_z(&b));
        buf_fini(&b);
    }
}

static void refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"--lr~loguniform(1e-5)",
         "--lr~loguniform(1e-5): too few values; expected loguniform(low, high)"},
        {"--lr~uniform(1,2,3)",
         "--lr~uniform(1,2,3): too many values; expected uniform(low, high)"},
        {"--lr~uniform()", "--lr~uniform(): too few values; expected uniform(low, high)"},
        {"--lr~uniform(a, 1)", "--lr~uniform(a, 1): a value is not a number; expected ..."},
        {"--lr~uniform('0', 1)", "--lr~uniform('0', 1): a value is not a number; expected ..."},
        {"--lr~unifrom(0, 1)",
         "--lr~unifrom(0, 1): not a range or a choice; expected uniform(low, high)"},
        {"a~zzzzzzz(0, 1)", "a~zzzzzzz(0, 1): not a range or a choice; expected uniform, ..."},
        {"--lr~0.1", "--lr~0.1: not a range or a choice; expected uniform, ..."},
        {"--lr~uniform", "--lr~uniform: the parentheses do not match; expected uniform(low, high)"},
        {"--lr~uniform(0, 1", "--lr~uniform(0, 1: the parentheses do not match; expected ..."},
        {"a~choice(x, (y))", "a~choice(x, (y)): a parenthesis in a value; expected quotes ..."},
        {"a~choice(x,,y)", "a~choice(x,,y): a value is empty; expected ..."},
        {"a~choice(x,)", "a~choice(x,): a value is empty; expected choice(x, y, ...)"},
        {"a~choice('x)", "a~choice('x): a quote is not closed; expected ..."},
        {"a~choice('x'y)", "a~choice('x'y): text behind a quote; expected ..."},
        {"a~choice(99999999999999999999)",
         "a~choice(99999999999999999999): a number is too large; expected choice(x, y, ...)"},
        {"a~pchoice(x, y)", "a~pchoice(x, y): a weight is missing; expected pchoice(x: 0.75, ..."},
        {"a~pchoice(x: b)", "a~pchoice(x: b): a weight is missing; expected pchoice(x: 0.75, ..."},
        {"nothing", "no argument says what to tune; expected one such as ..."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *args[] = {"p", rows[i][0], NULL};
        struct buf b;
        struct errmsg em = {{0}};
        buf_init(&b, 0);
        assert_int_equal(convert(args, &b, &em), ERR_INVALID);
        fixture_sentence(em.text, rows[i][1]);
        buf_fini(&b);
    }
}

static void refused_as_a_whole(void **state)
{
    (void)state;
    static const char *const twice[] = {"p", "--a~uniform(0, 1)", "a~uniform(0, 1)", NULL};
    static const char *const program[] = {"a~choice(p, q)", NULL};
    static const char *const none[] = {NULL};
    struct buf b;
    struct errmsg em = {{0}};
    buf_init(&b, 0);
    assert_int_equal(convert(twice, &b, &em), ERR_INVALID);
    fixture_sentence(em.text, "a~uniform(0, 1): a parameter of this name stands before it; ...");
    assert_int_equal(convert(program, &b, &em), ERR_INVALID);
    fixture_sentence(em.text, "a~choice(p, q): a parameter in place of the program; ...");
    assert_int_equal(convert(none, &b, &em), ERR_INVALID);
    fixture_sentence(em.text, "no command; expected a program and its arguments");
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_of_arguments),
        cmocka_unit_test(functions),
        cmocka_unit_test(refused),
        cmocka_unit_test(refused_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
