/* Every function of tunefarm.h: what it gives, what it refuses and with which sentence, and that no
 * argument is too wrong for it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "handle.h"
#include "tunefarm.h"

#define STUDY                                                                                      \
    "# a comment\n"                                                                                \
    "space:\n"                                                                                     \
    "  lr: {float: [1e-4, 0.5], log: true}\n"                                                      \
    "  units: {int: [16, 64], step: 16}\n"                                                         \
    "  act: {choice: [relu, tanh]}\n"                                                              \
    "  batch: {choice: [32, 64.5, true]}\n"                                                        \
    "  opt: {choice: [{sgd: {momentum: {float: [0, 0.9]}}}, adam]}\n"                              \
    "objective: {direction: maximize}\n"                                                           \
    "sampler: {name: random, seed: 1}\n"
#define SGD                                                                                        \
    "{\"lr\":0.0625,\"units\":32,\"act\":\"tanh\",\"batch\":32,\"opt\":\"sgd\",\"momentum\":0.5}"
#define ADAM "{\"lr\":0.5,\"units\":64,\"act\":\"relu\",\"batch\":64.5,\"opt\":\"adam\"}"
#define GRID "{\"space\":{\"k\":{\"int\":[1,2]}},\"sampler\":{\"name\":\"grid\"}}"

static struct tunefarm_study *study(const char *text)
{
    struct tunefarm_study *s = tunefarm_study_new();
    assert_non_null(s);
    assert_string_equal(tunefarm_study_error(s), "");
    if (tunefarm_study_define(s, text))
        fail_msg("%s", tunefarm_study_error(s));
    return s;
}

static void says(struct tunefarm_study *s, int32_t status, int32_t expected, const char *sentence)
{
    assert_string_equal(tunefarm_status_name(status), tunefarm_status_name(expected));
    if (!strstr(tunefarm_study_error(s), sentence))
        fail_msg("\"%s\", expected \"%s\"", tunefarm_study_error(s), sentence);
}

static int64_t ask(struct tunefarm_study *s)
{
    int64_t trial = -1;
    if (tunefarm_study_ask(s, &trial))
        fail_msg("%s", tunefarm_study_error(s));
    return trial;
}

static void names_of_version_and_statuses(void **state)
{
    (void)state;
    assert_string_equal(tunefarm_version(), TUNEFARM_VERSION);
    for (int32_t i = TUNEFARM_ERROR; i <= TUNEFARM_STOP; i++)
        assert_string_not_equal(tunefarm_status_name(i), "?");
    assert_string_equal(tunefarm_status_name(TUNEFARM_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(tunefarm_status_name(99), "?");
}

static void a_study_is_defined_once(void **state)
{
    (void)state;
    struct tunefarm_study *s = tunefarm_study_new();
    says(s, tunefarm_study_define(s, NULL), TUNEFARM_INVALID, "text: is NULL");
    says(s, tunefarm_study_define(s, ""), TUNEFARM_INVALID, "study");
    says(s, tunefarm_study_define(s, "[1]"), TUNEFARM_INVALID, "study:1:1: ");
    says(s, tunefarm_study_define(s, "{}"), TUNEFARM_INVALID, "space: ");
    says(s, tunefarm_study_define(s, "space:\n  lr: {flaot: [0, 1]}\n"), TUNEFARM_INVALID,
         "study:2:8: space.lr");
    says(s, tunefarm_study_define(s, "space: {x: {float: [0, 1]}}\nsampler: {name: tpee}\n"),
         TUNEFARM_INVALID, "study:2:11: sampler.name: ");
    assert_int_equal(tunefarm_study_count(s), -1);
    assert_int_equal(tunefarm_study_define(s, "space: {x: {float: [0, 1]}}"), TUNEFARM_OK);
    says(s, tunefarm_study_define(s, GRID), TUNEFARM_EXISTS, "has a study already");
    says(s, tunefarm_study_load(s, "x", 1), TUNEFARM_EXISTS, "has a study already");
    says(s, tunefarm_study_load_file(s, "x"), TUNEFARM_EXISTS, "has a study already");
    assert_int_equal(tunefarm_study_count(s), 0);
    tunefarm_study_free(s);
}

static void parameters_have_names(void **state)
{
    (void)state;
    struct tunefarm_study *s = study(STUDY);
    int64_t n = tunefarm_study_param_count(s), found = 0;
    assert_int_equal(n, 6);
    for (int64_t i = 0; i < n; i++)
        found += !strcmp(tunefarm_study_param_name(s, i), "opt.sgd.momentum");
    assert_int_equal(found, 1);
    assert_null(tunefarm_study_param_name(s, -1));
    assert_null(tunefarm_study_param_name(s, n));
    tunefarm_study_free(s);
}

static void values_are_read_by_type(void **state)
{
    (void)state;
    struct tunefarm_study *s = study(STUDY);
    double x = 0;
    int64_t i = 0;
    const char *text = NULL;
    assert_int_equal(tunefarm_study_enqueue(s, SGD), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_enqueue(s, ADAM), TUNEFARM_OK);
    assert_int_equal(ask(s), 0);
    assert_int_equal(ask(s), 1);
    assert_int_equal(tunefarm_study_get_double(s, 0, "lr", &x), TUNEFARM_OK);
    assert_true(x == 0.0625);
    assert_int_equal(tunefarm_study_get_double(s, 0, "momentum", &x), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_get_double(s, 0, "opt.sgd.momentum", &x), TUNEFARM_OK);
    assert_true(x == 0.5);
    assert_int_equal(tunefarm_study_get_double(s, 1, "momentum", &x), TUNEFARM_NONE);
    assert_true(x == 0.5);
    assert_int_equal(tunefarm_study_get_double(s, 1, "batch", &x), TUNEFARM_OK);
    assert_true(x == 64.5);
    assert_int_equal(tunefarm_study_get_int(s, 0, "units", &i), TUNEFARM_OK);
    assert_int_equal(i, 32);
    assert_int_equal(tunefarm_study_get_int(s, 0, "batch", &i), TUNEFARM_OK);
    assert_int_equal(i, 32);
    assert_int_equal(tunefarm_study_get_option(s, 1, "batch", &i), TUNEFARM_OK);
    assert_int_equal(i, 1);
    assert_int_equal(tunefarm_study_get_text(s, 0, "act", &text), TUNEFARM_OK);
    assert_string_equal(text, "tanh");
    assert_int_equal(tunefarm_study_get_text(s, 0, "lr", &text), TUNEFARM_OK);
    assert_string_equal(text, "0.0625");
    says(s, tunefarm_study_get_double(s, 0, "act", &x), TUNEFARM_INVALID,
         "act: \"tanh\" is no number");
    says(s, tunefarm_study_get_int(s, 1, "batch", &i), TUNEFARM_INVALID,
         "batch: 64.5 is no whole number");
    says(s, tunefarm_study_get_int(s, 0, "lr", &i), TUNEFARM_INVALID, "lr: is a float");
    says(s, tunefarm_study_get_option(s, 0, "units", &i), TUNEFARM_INVALID, "units: is no choice");
    says(s, tunefarm_study_get_int(s, 0, "unit", &i), TUNEFARM_NOT_FOUND, "no parameter \"unit\"");
    says(s, tunefarm_study_get_int(s, 2, "units", &i), TUNEFARM_NOT_FOUND, "no trial 2");
    assert_int_equal(tunefarm_study_params(s, 1, &text), TUNEFARM_OK);
    assert_string_equal(text, ADAM);
    tunefarm_study_free(s);
}

static void truth_is_a_number(void **state)
{
    (void)state;
    struct tunefarm_study *s = study("space: {b: {choice: [true, false]}}");
    double x = 9;
    int64_t i = 9;
    assert_int_equal(tunefarm_study_add(s, "{\"b\":true}", 1, NULL), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_add(s, "{\"b\":false}", 1, NULL), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_get_double(s, 0, "b", &x), TUNEFARM_OK);
    assert_true(x == 1);
    assert_int_equal(tunefarm_study_get_int(s, 1, "b", &i), TUNEFARM_OK);
    assert_int_equal(i, 0);
    tunefarm_study_free(s);
}

static void trials_go_through_their_states(void **state)
{
    (void)state;
    struct tunefarm_study *s = study(STUDY);
    double loss = 0;
    int64_t trial = -1;
    assert_int_equal(tunefarm_study_best(s, &trial, &loss), TUNEFARM_NONE);
    for (int64_t i = 0; i < 6; i++)
        assert_int_equal(ask(s), i);
    assert_int_equal(tunefarm_study_count(s), 6);
    assert_int_equal(tunefarm_study_pending(s), 6);
    assert_int_equal(tunefarm_study_loss(s, 0, &loss), TUNEFARM_NONE);
    assert_int_equal(tunefarm_study_report(s, 0, 3, 0.75), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_report(s, 0, 4, (double)NAN), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_report(s, 0, 5, 0.5), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_loss(s, 0, &loss), TUNEFARM_OK);
    assert_true(loss == 0.5);
    assert_int_equal(tunefarm_study_tell_pruned(s, 0), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_tell(s, 1, 0.25), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_tell(s, 2, 0.75), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_tell(s, 3, -INFINITY), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_tell_failed(s, 4), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_cancel(s, 5), TUNEFARM_OK);
    ask(s);
    static const int32_t states[] = {TUNEFARM_TRIAL_PRUNED,   TUNEFARM_TRIAL_COMPLETE,
                                     TUNEFARM_TRIAL_COMPLETE, TUNEFARM_TRIAL_COMPLETE,
                                     TUNEFARM_TRIAL_FAILED,   TUNEFARM_TRIAL_CANCELLED,
                                     TUNEFARM_TRIAL_PENDING};
    for (int64_t i = 0; i < 7; i++)
        assert_int_equal(tunefarm_study_state(s, i), states[i]);
    assert_int_equal(tunefarm_study_pending(s), 1);
    assert_int_equal(tunefarm_study_best(s, &trial, &loss), TUNEFARM_OK);
    assert_int_equal(trial, 2); /* greater is better here */
    assert_true(loss == 0.75);
    assert_int_equal(tunefarm_study_best(s, &trial, NULL), TUNEFARM_OK);
    tunefarm_study_free(s);
}

static void wrong_tales_are_refused(void **state)
{
    (void)state;
    struct tunefarm_study *s = study(STUDY);
    double loss;
    ask(s);
    says(s, tunefarm_study_tell(s, 1, 0), TUNEFARM_NOT_FOUND, "there is no trial 1");
    says(s, tunefarm_study_tell(s, -1, 0), TUNEFARM_NOT_FOUND, "there is no trial -1");
    says(s, tunefarm_study_tell(s, INT64_MIN, 0), TUNEFARM_NOT_FOUND, "there is no trial");
    says(s, tunefarm_study_tell(s, 0, (double)NAN), TUNEFARM_INVALID, "NaN is no loss");
    says(s, tunefarm_study_report(s, 0, -1, 0), TUNEFARM_INVALID, "step -1");
    says(s, tunefarm_study_report(s, 0, INT64_MAX, 0), TUNEFARM_INVALID, "2^53-1");
    says(s, tunefarm_study_report(s, 7, 0, 0), TUNEFARM_NOT_FOUND, "there is no trial 7");
    says(s, tunefarm_study_loss(s, 7, &loss), TUNEFARM_NOT_FOUND, "there is no trial 7");
    says(s, tunefarm_study_state(s, 7), TUNEFARM_NOT_FOUND, "there is no trial 7");
    assert_int_equal(tunefarm_study_tell(s, 0, 1), TUNEFARM_OK);
    says(s, tunefarm_study_tell(s, 0, 1), TUNEFARM_EXISTS, "known already");
    says(s, tunefarm_study_cancel(s, 0), TUNEFARM_EXISTS, "known already");
    says(s, tunefarm_study_report(s, 0, 1, 1), TUNEFARM_EXISTS, "known already");
    tunefarm_study_free(s);
}

static void known_points(void **state)
{
    (void)state;
    struct tunefarm_study *s = study(GRID);
    const char *why = "untouched";
    int64_t trial = -1;
    says(s, tunefarm_study_enqueue(s, "{\"k\":3}"), TUNEFARM_INVALID, "k: 3 is out of bounds");
    says(s, tunefarm_study_enqueue(s, "{"), TUNEFARM_INVALID, "JSON");
    says(s, tunefarm_study_enqueue(s, "[]"), TUNEFARM_INVALID, "params: expected an object");
    says(s, tunefarm_study_enqueue(s, "null"), TUNEFARM_INVALID, "params: expected an object");
    says(s, tunefarm_study_enqueue(s, "{}"), TUNEFARM_INVALID, "k: missing");
    says(s, tunefarm_study_add(s, "{\"k\":1}", (double)NAN, NULL), TUNEFARM_INVALID, "NaN");
    assert_int_equal(tunefarm_study_count(s), 0);
    assert_int_equal(tunefarm_study_add(s, "{\"k\":1}", -1, &trial), TUNEFARM_OK);
    assert_int_equal(trial, 0);
    assert_int_equal(tunefarm_study_state(s, 0), TUNEFARM_TRIAL_COMPLETE);
    assert_int_equal(tunefarm_study_why(s, 0, &why), TUNEFARM_NONE);
    assert_string_equal(why, "untouched");
    assert_int_equal(ask(s), 1); /* the grid's other point */
    assert_int_equal(tunefarm_study_why(s, 1, &why), TUNEFARM_OK);
    assert_non_null(strstr(why, "\"grid\""));
    assert_null(tunefarm_study_ended(s));
    assert_int_equal(tunefarm_study_ask(s, &trial), TUNEFARM_END);
    assert_int_equal(trial, 0);
    assert_string_equal(tunefarm_study_ended(s), "exhausted");
    assert_int_equal(tunefarm_study_enqueue(s, "{\"k\":1}"), TUNEFARM_OK);
    assert_int_equal(ask(s), 2);
    assert_int_equal(tunefarm_study_ask(s, &trial), TUNEFARM_END);
    tunefarm_study_free(s);
}

static void rules_end_a_study(void **state)
{
    (void)state;
    struct tunefarm_study *s = study("space: {x: {float: [0, 1]}}\nstop: {trials: 2, time: 10s}");
    int64_t trial;
    assert_int_equal(tunefarm_study_elapsed(s, 9.5), TUNEFARM_OK);
    assert_null(tunefarm_study_ended(s));
    assert_int_equal(tunefarm_study_elapsed(s, 10), TUNEFARM_OK);
    assert_string_equal(tunefarm_study_ended(s), "time");
    assert_int_equal(tunefarm_study_ask(s, &trial), TUNEFARM_END);
    assert_int_equal(tunefarm_study_elapsed(s, 0), TUNEFARM_OK);
    says(s, tunefarm_study_elapsed(s, -1), TUNEFARM_INVALID, "seconds: ");
    says(s, tunefarm_study_elapsed(s, (double)NAN), TUNEFARM_INVALID, "seconds: ");
    says(s, tunefarm_study_elapsed(s, INFINITY), TUNEFARM_INVALID, "seconds: ");
    ask(s);
    ask(s);
    assert_int_equal(tunefarm_study_ask(s, &trial), TUNEFARM_END);
    assert_string_equal(tunefarm_study_ended(s), "trials");
    tunefarm_study_free(s);
}

static void a_history_has_a_limit(void **state)
{
    (void)state;
    struct tunefarm_study *s = study(STUDY);
    int64_t trial = ask(s);
    size_t n = s->trail.bytes.n;
    s->trail.bytes.n = TRAIL_MAX_BYTES; /* as if so much had happened */
    says(s, tunefarm_study_ask(s, &trial), TUNEFARM_LIMIT, "limit of 1073741824 bytes");
    says(s, tunefarm_study_report(s, 0, 0, 1), TUNEFARM_LIMIT, "limit");
    says(s, tunefarm_study_tell(s, 0, 1), TUNEFARM_LIMIT, "limit");
    says(s, tunefarm_study_enqueue(s, SGD), TUNEFARM_LIMIT, "limit");
    says(s, tunefarm_study_add(s, SGD, 1, NULL), TUNEFARM_LIMIT, "limit");
    s->trail.bytes.n = n;
    assert_int_equal(tunefarm_study_tell(s, 0, 1), TUNEFARM_OK); /* nothing had changed */
    assert_int_equal(tunefarm_study_count(s), 1);
    tunefarm_study_free(s);
}

/* Every function, with a handle that is NULL or empty, or a study and nothing else. */
static void all_refuse(struct tunefarm_study *s, const char *sentence)
{
    int64_t i = 0;
    double x = 0;
    const char *text = NULL;
    const void *data = NULL;
    const int32_t statuses[] = {
        tunefarm_study_ask(s, &i),
        tunefarm_study_report(s, 0, 0, 0),
        tunefarm_study_tell(s, 0, 0),
        tunefarm_study_tell_pruned(s, 0),
        tunefarm_study_tell_failed(s, 0),
        tunefarm_study_cancel(s, 0),
        tunefarm_study_enqueue(s, "{}"),
        tunefarm_study_add(s, "{}", 0, &i),
        tunefarm_study_elapsed(s, 0),
        tunefarm_study_state(s, 0),
        tunefarm_study_loss(s, 0, &x),
        tunefarm_study_best(s, &i, &x),
        tunefarm_study_params(s, 0, &text),
        tunefarm_study_why(s, 0, &text),
        tunefarm_study_get_double(s, 0, "x", &x),
        tunefarm_study_get_int(s, 0, "x", &i),
        tunefarm_study_get_text(s, 0, "x", &text),
        tunefarm_study_get_option(s, 0, "x", &i),
        tunefarm_study_save(s, &data, &i),
        tunefarm_study_save_file(s, "x"),
    };
    for (size_t k = 0; k < sizeof statuses / sizeof *statuses; k++)
        says(s, statuses[k], TUNEFARM_INVALID, sentence);
    assert_null(tunefarm_study_ended(s));
    assert_int_equal(tunefarm_study_count(s), -1);
    assert_int_equal(tunefarm_study_pending(s), -1);
    assert_int_equal(tunefarm_study_param_count(s), -1);
    assert_null(tunefarm_study_param_name(s, 0));
}

static void handles_may_be_wrong(void **state)
{
    (void)state;
    struct tunefarm_study *s = tunefarm_study_new();
    all_refuse(s, "has no study yet");
    tunefarm_study_free(s);
    all_refuse(NULL, "the handle is NULL");
    assert_int_equal(tunefarm_study_define(NULL, "x"), TUNEFARM_INVALID);
    assert_int_equal(tunefarm_study_load(NULL, "x", 1), TUNEFARM_INVALID);
    assert_int_equal(tunefarm_study_load_file(NULL, "x"), TUNEFARM_INVALID);
    tunefarm_study_free(NULL);
}

static void arguments_may_be_wrong(void **state)
{
    (void)state;
    struct tunefarm_study *s = study(STUDY);
    const void *data;
    int64_t size;
    double x;
    ask(s);
    says(s, tunefarm_study_ask(s, NULL), TUNEFARM_INVALID, "trial: is NULL");
    says(s, tunefarm_study_enqueue(s, NULL), TUNEFARM_INVALID, "params: is NULL");
    says(s, tunefarm_study_add(s, NULL, 0, NULL), TUNEFARM_INVALID, "params: is NULL");
    says(s, tunefarm_study_loss(s, 0, NULL), TUNEFARM_INVALID, "loss: is NULL");
    says(s, tunefarm_study_best(s, NULL, NULL), TUNEFARM_INVALID, "trial: is NULL");
    says(s, tunefarm_study_params(s, 0, NULL), TUNEFARM_INVALID, "json: is NULL");
    says(s, tunefarm_study_why(s, 0, NULL), TUNEFARM_INVALID, "json: is NULL");
    says(s, tunefarm_study_get_double(s, 0, NULL, &x), TUNEFARM_INVALID, "name: is NULL");
    says(s, tunefarm_study_get_double(s, 0, "lr", NULL), TUNEFARM_INVALID, "value: is NULL");
    says(s, tunefarm_study_get_int(s, 0, "units", NULL), TUNEFARM_INVALID, "value: is NULL");
    says(s, tunefarm_study_get_text(s, 0, "act", NULL), TUNEFARM_INVALID, "value: is NULL");
    says(s, tunefarm_study_get_option(s, 0, "act", NULL), TUNEFARM_INVALID, "value: is NULL");
    says(s, tunefarm_study_save(s, NULL, &size), TUNEFARM_INVALID, "data: is NULL");
    says(s, tunefarm_study_save(s, &data, NULL), TUNEFARM_INVALID, "size: is NULL");
    says(s, tunefarm_study_save_file(s, NULL), TUNEFARM_INVALID, "path: is NULL");
    assert_int_equal(tunefarm_study_count(s), 1);
    tunefarm_study_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_version_and_statuses),
        cmocka_unit_test(a_study_is_defined_once),
        cmocka_unit_test(parameters_have_names),
        cmocka_unit_test(values_are_read_by_type),
        cmocka_unit_test(truth_is_a_number),
        cmocka_unit_test(trials_go_through_their_states),
        cmocka_unit_test(wrong_tales_are_refused),
        cmocka_unit_test(known_points),
        cmocka_unit_test(rules_end_a_study),
        cmocka_unit_test(a_history_has_a_limit),
        cmocka_unit_test(handles_may_be_wrong),
        cmocka_unit_test(arguments_may_be_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
