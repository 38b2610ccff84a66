/* A study's records folded into what a follower shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <cmocka.h>

#include "progress.h"

static struct progress p;

static int setup(void **state)
{
    (void)state;
    progress_init(&p, "demo", false, 4);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    progress_fini(&p);
    return 0;
}

static struct progress_news feed(struct record r)
{
    static uint64_t seq;
    r.seq = ++seq;
    struct progress_news news = progress_on_record(&p, &r);
    return news;
}

static unsigned change(struct record r)
{
    struct progress_news news = feed(r);
    unsigned c = news.change;
    progress_news_fini(&news);
    return c;
}

static void run_to(uint64_t trial, uint32_t attempt)
{
    change((struct record){.kind = REC_GRANTED, .trial = trial, .attempt = attempt});
    change((struct record){.kind = REC_STARTED, .trial = trial, .attempt = attempt});
}

static unsigned finish(uint64_t trial, uint8_t state, double loss)
{
    return change((struct record){.kind = REC_FINISHED,
                                  .trial = trial,
                                  .code = state,
                                  .has_value = state == TRIAL_COMPLETE,
                                  .value = loss,
                                  .note = state == TRIAL_FAILED ? STR("it broke") : STR("")});
}

static void propose(uint64_t trial)
{
    change((struct record){.kind = REC_PROPOSED, .trial = trial, .text = STR("{\"x\":1}")});
}

static void test_life_of_a_trial(void **state)
{
    (void)state;
    propose(0);
    assert_int_equal(p.counts[TRIAL_QUEUED], 1);
    change((struct record){.kind = REC_GRANTED, .trial = 0, .attempt = 1});
    assert_int_equal(p.counts[TRIAL_LEASED], 1);
    struct progress_news news =
        feed((struct record){.kind = REC_STARTED, .trial = 0, .attempt = 1});
    assert_int_equal(news.change, PROGRESS_STARTED);
    assert_string_equal(news.params, "{\"x\":1}");
    progress_news_fini(&news);
    assert_int_equal(progress_open(&p), 1);
    assert_int_equal(
        change((struct record){
            .kind = REC_REPORTED, .trial = 0, .step = 3, .has_value = true, .value = 0.5}),
        PROGRESS_REPORTED);
    news = feed((struct record){.kind = REC_FINISHED,
                                .trial = 0,
                                .attempt = 1,
                                .code = TRIAL_COMPLETE,
                                .has_value = true,
                                .value = 0.4});
    assert_int_equal(news.change, PROGRESS_FINISHED | PROGRESS_IMPROVED);
    assert_string_equal(news.params, "{\"x\":1}");
    assert_int_equal(news.state, TRIAL_COMPLETE);
    progress_news_fini(&news);
    assert_int_equal(progress_open(&p), 0);
    assert_int_equal(p.counts[TRIAL_COMPLETE], 1);
    assert_int_equal(p.finished, 1);
    assert_true(p.has_best);
    assert_int_equal(p.best_trial, 0);
    assert_string_equal(p.best_params, "{\"x\":1}");
}

static void test_only_better_and_finite_is_an_improvement(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 6; i++)
        propose(i);
    assert_int_equal(finish(0, TRIAL_COMPLETE, NAN), PROGRESS_FINISHED);
    assert_int_equal(finish(1, TRIAL_COMPLETE, -INFINITY), PROGRESS_FINISHED);
    assert_false(p.has_best);
    assert_int_equal(finish(2, TRIAL_COMPLETE, 2), PROGRESS_FINISHED | PROGRESS_IMPROVED);
    assert_int_equal(finish(3, TRIAL_COMPLETE, 2), PROGRESS_FINISHED);
    assert_int_equal(finish(4, TRIAL_COMPLETE, 3), PROGRESS_FINISHED);
    assert_int_equal(finish(5, TRIAL_COMPLETE, 1), PROGRESS_FINISHED | PROGRESS_IMPROVED);
    assert_int_equal(p.best_trial, 5);
}

static void test_maximize(void **state)
{
    (void)state;
    p.maximize = true;
    propose(0);
    propose(1);
    finish(0, TRIAL_COMPLETE, 1);
    assert_int_equal(finish(1, TRIAL_COMPLETE, 2), PROGRESS_FINISHED | PROGRESS_IMPROVED);
}

static void test_crash_and_retry(void **state)
{
    (void)state;
    propose(0);
    run_to(0, 1);
    assert_int_equal(change((struct record){.kind = REC_CLOSED,
                                            .trial = 0,
                                            .code = CLOSE_CRASH,
                                            .number = 99,
                                            .note = STR("exit 3")}),
                     PROGRESS_RETRIED);
    assert_int_equal(p.counts[TRIAL_DELAYED], 1);
    assert_string_equal(p.last_error, "exit 3");
    change((struct record){.kind = REC_QUEUED, .trial = 0});
    run_to(0, 2);
    assert_int_equal(change((struct record){.kind = REC_CLOSED, .trial = 0, .code = CLOSE_EXPIRED}),
                     PROGRESS_NOTHING);
    assert_int_equal(p.counts[TRIAL_QUEUED], 1);
    assert_int_equal(p.finished, 0);
}

static void test_failures_without_success(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 6; i++)
        propose(i);
    finish(0, TRIAL_COMPLETE, 1);
    progress_mark(&p, 1000);
    finish(1, TRIAL_FAILED, 0);
    finish(2, TRIAL_FAILED, 0);
    assert_int_equal(p.failures, 2); /* what completed before the mark does not help */
    assert_string_equal(p.last_error, "it broke");
    finish(3, TRIAL_COMPLETE, 5);
    assert_int_equal(p.failures, 0);
    finish(4, TRIAL_FAILED, 0);
    assert_int_equal(p.failures, 0);
}

static void test_end_and_reopening(void **state)
{
    (void)state;
    assert_int_equal(change((struct record){.kind = REC_STUDY_CLOSED, .note = STR("trials")}),
                     PROGRESS_CLOSED);
    assert_string_equal(p.closed, "trials");
    assert_int_equal(change((struct record){.kind = REC_STUDY_ENDED}), PROGRESS_ENDED);
    assert_true(p.ended);
    change((struct record){.kind = REC_STUDY_OPENED});
    assert_false(p.ended);
    assert_string_equal(p.closed, "");
}

static void test_pauses(void **state)
{
    (void)state;
    propose(0);
    propose(1);
    change((struct record){.kind = REC_PAUSED, .trial = 0});
    run_to(1, 1);
    change((struct record){.kind = REC_STOPPING, .trial = 1, .code = STOP_PAUSE});
    assert_int_equal(p.counts[TRIAL_PAUSED], 1);
    change((struct record){.kind = REC_CLOSED, .trial = 1, .code = CLOSE_RELEASED});
    assert_int_equal(p.counts[TRIAL_PAUSED], 2);
    change((struct record){.kind = REC_QUEUED, .trial = 1});
    assert_int_equal(p.counts[TRIAL_PAUSED], 1);
    assert_int_equal(p.counts[TRIAL_QUEUED], 1);
    assert_int_equal(change((struct record){.kind = REC_STUDY_PAUSED}), PROGRESS_PAUSED);
    assert_true(p.paused);
    assert_int_equal(change((struct record){.kind = REC_STUDY_RESUMED}), PROGRESS_RESUMED);
    assert_false(p.paused);
    change((struct record){.kind = REC_STUDY_PAUSED});
    change((struct record){.kind = REC_STUDY_ENDED});
    assert_false(p.paused);
}

static void test_time_left(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 4; i++)
        propose(i);
    assert_true(progress_left(&p, 5000) < 0);
    finish(0, TRIAL_COMPLETE, 1);
    progress_mark(&p, 10000);
    assert_true(progress_left(&p, 20000) < 0); /* nothing ended since the mark */
    finish(1, TRIAL_COMPLETE, 1);
    assert_true(fabs(progress_left(&p, 20000) - 20) < 1e-9);
    finish(2, TRIAL_FAILED, 1);
    finish(3, TRIAL_PRUNED, 1);
    assert_true(progress_left(&p, 30000) == 0);
}

static void test_long_study_keeps_a_thinned_curve(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 5000; i++) {
        propose(i);
        finish(i, TRIAL_COMPLETE, 5000.0 - (double)i);
    }
    assert_in_range(p.curve_n, PROGRESS_CURVE / 2, PROGRESS_CURVE);
    assert_int_equal(p.stride, 16);
    for (size_t i = 0; i < p.curve_n; i++)
        assert_true(p.curve[i] == 5000.0 - (double)((i + 1) * p.stride - 1));
    assert_int_equal(p.open.n, 0);
}

/* A follower that joined late sees records of trials it was never told about. */
static void test_unknown_trials(void **state)
{
    (void)state;
    assert_int_equal(finish(77, TRIAL_COMPLETE, 1), PROGRESS_FINISHED | PROGRESS_IMPROVED);
    assert_null(p.best_params);
    assert_int_equal(p.counts[TRIAL_QUEUED], 0);
    assert_int_equal(change((struct record){.kind = 200, .trial = 1}), PROGRESS_NOTHING);
    assert_int_equal(change((struct record){.kind = REC_FINISHED, .trial = 78, .code = 250}),
                     PROGRESS_FINISHED);
    assert_int_equal(p.counts[TRIAL_FAILED], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life_of_a_trial, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_better_and_finite_is_an_improvement, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_maximize, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash_and_retry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures_without_success, setup, teardown),
        cmocka_unit_test_setup_teardown(test_end_and_reopening, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pauses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_time_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_study_keeps_a_thinned_curve, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_trials, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
