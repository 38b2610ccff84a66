/* The real tunefarm-worker with served evaluators: one process for many trials, replaced when it
 * dies or does not listen. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "fake_broker.h"
#include "json.h"

static const char *const one_slot[] = {"--slots", "1", "--serve-idle", "500ms", NULL};

static int setup(void **state)
{
    static struct fake_broker b;
    fake_open(&b);
    fake_worker(&b, one_slot);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    fake_close(*state);
    return 0;
}

static struct digest served(struct fake_broker *b, const char *study, const char *more)
{
    char json[2048];
    int n = snprintf(json, sizeof json,
                     "{\"study\":\"%s\",\"objective\":{\"command\":[\"%s\"],\"serve\":true%s},"
                     "\"space\":{\"x\":{\"float\":[0,1]}}}",
                     study, SERVED_CHILD, more);
    return fake_blob(b, json, (size_t)n);
}

static const struct msg_final *run(struct fake_broker *b, struct digest d, const char *params)
{
    fake_assign(b, d, params);
    return &fake_expect(b, MSG_FINAL)->final;
}

static double metric(const struct msg_final *f, const char *name)
{
    struct json_object *v;
    double x = 0;
    assert_int_equal(json_parse(f->metrics, JSON_STRICT, &v, NULL), ERR_OK);
    assert_true(json_number(json_get(v, name), &x));
    json_object_put(v);
    return x;
}

static void one_process_for_many_trials(void **state)
{
    struct fake_broker *b = *state;
    struct digest d = served(b, "unit", "");
    const struct msg_final *f = run(b, d, "{\"x\":0.5}");
    assert_int_equal(f->status, FINAL_OK);
    assert_true(f->value == 0.5);
    double pid = metric(f, "pid");
    for (int i = 2; i <= 20; i++) {
        f = run(b, d, "{\"x\":0.75}");
        assert_true(f->value == 0.75 && metric(f, "pid") == pid && metric(f, "nth") == i);
    }
}

static void death_costs_one_trial(void **state)
{
    struct fake_broker *b = *state;
    struct digest d = served(b, "unit", "");
    char text[512];
    (void)run(b, d, "{\"x\":0.5}");
    const struct msg_final *f = run(b, d, "{\"x\":0.05}");
    assert_int_equal(f->status, FINAL_ERROR);
    assert_int_equal(f->exit_code, 4);
    assert_false(f->no_retry);
    (void)str_copyz(text, sizeof text, f->error);
    assert_string_equal(
        text,
        "exit status 4 of a served evaluator in the midst of a trial; last output: about to end");
    f = run(b, d, "{\"x\":0.5}");
    assert_int_equal(f->status, FINAL_OK);
    assert_true(metric(f, "nth") == 1);
}

static void stop_that_is_heard_spares_the_process(void **state)
{
    struct fake_broker *b = *state;
    struct digest d = served(b, "unit", "");
    double pid = metric(run(b, d, "{\"x\":0.5}"), "pid");
    uint64_t trial = fake_assign(b, d, "{\"x\":0.25}");
    fake_expect(b, MSG_REPORT);
    struct msg_stop stop = {
        .study = 3, .trial = trial, .attempt = 1, .why = STOP_PRUNE, .grace_ms = 60000};
    fake_send(b, MSG_STOP, &stop);
    const struct msg_final *f = &fake_expect(b, MSG_FINAL)->final;
    assert_int_equal(f->status, FINAL_PRUNED);
    assert_true(f->value == 0.25);
    assert_true(metric(run(b, d, "{\"x\":0.5}"), "pid") == pid);
}

static void stop_that_is_not_heard_replaces_it(void **state)
{
    struct fake_broker *b = *state;
    struct digest d = served(b, "unit", "");
    uint64_t trial = fake_assign(b, d, "{\"x\":0.15}");
    fake_expect(b, MSG_REPORT);
    struct msg_stop stop = {
        .study = 3, .trial = trial, .attempt = 1, .why = STOP_PRUNE, .grace_ms = 200};
    fake_send(b, MSG_STOP, &stop);
    const struct msg_final *f = &fake_expect(b, MSG_FINAL)->final;
    assert_int_equal(f->status, FINAL_PRUNED);
    assert_true(metric(run(b, d, "{\"x\":0.5}"), "nth") == 1);
}

static void timeout_replaces_it(void **state)
{
    struct fake_broker *b = *state;
    struct digest d = served(b, "unit", ",\"timeout\":\"300ms\",\"grace\":\"100ms\"");
    const struct msg_final *f = run(b, d, "{\"x\":0.15}");
    char text[512];
    (void)str_copyz(text, sizeof text, f->error);
    assert_string_equal(text, "timed out after 0.3s");
    assert_int_equal(run(b, d, "{\"x\":0.5}")->status, FINAL_OK);
}

static void error_that_it_reports(void **state)
{
    struct fake_broker *b = *state;
    struct digest d = served(b, "unit", "");
    const struct msg_final *f = run(b, d, "{\"x\":0.35}");
    assert_true(f->no_retry);
    assert_true(str_is(f->error, "no \"good\""));
    assert_true(metric(run(b, d, "{\"x\":0.5}"), "nth") == 2);
}

/* With one slot, the evaluator of another study has to go. */
static void another_study_takes_the_slot(void **state)
{
    struct fake_broker *b = *state;
    struct digest d = served(b, "unit", ""), e = served(b, "other", "");
    double first = metric(run(b, d, "{\"x\":0.5}"), "pid");
    double second = metric(run(b, e, "{\"x\":0.5}"), "pid");
    assert_true(first != second);
    double third = metric(run(b, d, "{\"x\":0.5}"), "pid");
    assert_true(third != second);
}

static void idle_one_is_ended(void **state)
{
    struct fake_broker *b = *state;
    double pid = metric(run(b, served(b, "unit", ""), "{\"x\":0.5}"), "pid");
    for (int i = 0; i < 1000 && kill((pid_t)pid, 0) == 0; i++)
        fake_serve(b, 20);
    assert_int_not_equal(kill((pid_t)pid, 0), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_process_for_many_trials),
        T(death_costs_one_trial),
        T(stop_that_is_heard_spares_the_process),
        T(stop_that_is_not_heard_replaces_it),
        T(timeout_replaces_it),
        T(error_that_it_reports),
        T(another_study_takes_the_slot),
        T(idle_one_is_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
