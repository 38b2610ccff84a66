/* Placeholders filled from a point. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "study_fixture.h"

static const struct spec_values values = {.params = {"{\"lr\":0.5}", 10},
                                          .trial = 17,
                                          .seed = UINT64_MAX,
                                          .attempt = 2,
                                          .dir = {"/d", 2}};

static struct spec *spec(void)
{
    return fixture_spec("study: s\nspace:\n  lr: {float: [-1, 1]}\n"
                        "  opt: {choice: [{sgd: {m: {float: [0, 1]}}}, '-x', 'a b;$(c)', -3]}\n");
}

static void expect(const struct spec *s, const double *point, const char *argument,
                   const char *text)
{
    struct buf b;
    struct errmsg em = {{0}};
    buf_init(&b, 0);
    buf_addz(&b, "before");
    if (spec_fill(s, str_of(argument), point, &values, &b, &em) != ERR_OK)
        fail_msg("%s", em.text);
    assert_string_equal(buf_z(&b) + 6, text);
    buf_fini(&b);
}

static void refuse(const struct spec *s, const double *point, const char *argument,
                   const char *sentence)
{
    struct buf b;
    struct errmsg em = {{0}};
    buf_init(&b, 0);
    assert_int_equal(spec_fill(s, str_of(argument), point, &values, &b, &em), ERR_INVALID);
    fixture_sentence(em.text, sentence);
    buf_fini(&b);
}

static void pieces(void **state)
{
    (void)state;
    struct spec *s = spec();
    double point[3] = {0.1, 0, 0.25};
    expect(s, point, "", "");
    expect(s, point, "plain", "plain");
    expect(s, point, "--lr={lr}", "--lr=0.1");
    expect(s, point, "{opt}:{m}:{opt.sgd.m}", "sgd:0.25:0.25");
    expect(s, point, "{{{lr}}}", "{0.1}");
    expect(s, point, "{{}}", "{}");
    expect(s, point, "{params}", "{\"lr\":0.5}");
    expect(s, point, "{trial}.{attempt} {seed} {dir}", "17.2 18446744073709551615 /d");
    point[1] = 2;
    point[2] = NAN;
    expect(s, point, "x{m}y", "xy");
    expect(s, point, "{m}", "");
    expect(s, point, "{opt}", "a b;$(c)");
    spec_free(s);
}

static void switches(void **state)
{
    (void)state;
    struct spec *s = spec();
    double point[3] = {-0.5, 1, NAN};
    expect(s, point, "{lr}", "-0.5");
    expect(s, point, "o={opt}", "o=-x");
    expect(s, point, "-{opt}", "--x");
    refuse(s, point, "{opt}",
           "objective.command: \"-x\" as the whole of \"{opt}\" would look like "
           "a switch; put something in front, such as --name={opt}");
    refuse(s, point, "{m}{opt}", "objective.command: \"-x\" as the whole of ...");
    point[1] = 3;
    expect(s, point, "{opt}", "-3");
    point[0] = -1e-7;
    expect(s, point, "{lr}", "-1e-7");
    spec_free(s);
}

static void refused(void **state)
{
    (void)state;
    struct spec *s = spec();
    double point[3] = {0.1, 0, 0.25};
    refuse(s, point, "{lrr}", "objective.command: {lrr} names no parameter; ...");
    refuse(s, point, "{}", "objective.command: {} names no parameter; ...");
    refuse(s, point, "a{lr", "objective.command: a \"{\" without \"}\"; ...");
    refuse(s, point, "a}", "objective.command: a \"}\" without \"{\"; ...");
    struct buf small;
    buf_init(&small, 4);
    assert_int_equal(spec_fill(s, STR("{params}"), point, &values, &small, NULL), ERR_NOMEM);
    buf_fini(&small);
    spec_free(s);
}

/* A parameter of the same name goes before the trial's own values. */
static void own_name_first(void **state)
{
    (void)state;
    struct spec *s = fixture_spec("study: s\nspace: {seed: {int: [5, 5]}}\n"
                                  "objective: {command: [p, '{seed}']}\n");
    double point[1] = {5};
    expect(s, point, "{seed}", "5");
    spec_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces),
        cmocka_unit_test(switches),
        cmocka_unit_test(refused),
        cmocka_unit_test(own_name_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
