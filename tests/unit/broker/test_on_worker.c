/* What workers say about attempts: the state table, message by message. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "farmbox.h"

#define W 11u
#define C 12u

struct fixture {
    struct box b;
    uint64_t w, c, study;
};

static void begin(struct fixture *x, uint32_t slots, int trials)
{
    box_open(&x->b);
    x->c = box_client(&x->b, C, 2);
    x->study = box_submit(&x->b, C, x->c, "s");
    for (int i = 0; i < trials; i++)
        box_enqueue(&x->b, C, x->c, "s", "{\"x\":1}");
    x->w = box_worker(&x->b, W, 1, slots);
}

static void start(struct fixture *x, uint64_t trial, uint32_t attempt)
{
    SEND(&x->b, W, x->w, START, start, .study = x->study, .trial = trial, .attempt = attempt,
         .pid = 7);
    box_settle(&x->b);
}

static void report(struct fixture *x, uint64_t trial, uint32_t attempt, int64_t step, double value)
{
    struct point p = {.step = step, .has_value = true, .value = value};
    struct msg_report m = {.study = x->study, .trial = trial, .attempt = attempt};
    m.points.v = &p;
    m.points.n = 1;
    box_send(&x->b, W, x->w, MSG_REPORT, &m, sizeof m);
    box_settle(&x->b);
}

static void final(struct fixture *x, uint64_t trial, uint32_t attempt, unsigned status,
                  double value)
{
    SEND(&x->b, W, x->w, FINAL, final, .study = x->study, .trial = trial, .attempt = attempt,
         .status = (uint8_t)status, .has_value = status == FINAL_OK, .value = value,
         .exit_code = status == FINAL_ERROR,
         .error = status == FINAL_ERROR ? STR("it broke") : (struct str){0});
    box_settle(&x->b);
}

static void expect_ack(struct fixture *x, unsigned of)
{
    const union message *m = box_take(&x->b, W, MSG_ACK);
    assert_non_null(m);
    assert_int_equal(m->ack.of, of);
    assert_int_equal(box_count(&x->b, W, MSG_NAK), 0);
}

static void expect_nak(struct fixture *x, unsigned code)
{
    const union message *m = box_take(&x->b, W, MSG_NAK);
    assert_non_null(m);
    assert_int_equal(m->nak.code, code);
}

static void test_assign_to_final(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 2, 3);
    assert_int_equal(box_count(&x.b, W, MSG_ASSIGN), 2); /* as many as slots */
    const union message *m = box_take(&x.b, W, MSG_ASSIGN);
    assert_int_equal(m->assign.trial, 0);
    assert_int_equal(m->assign.attempt, 1);
    assert_true(str_is(m->assign.params, "{\"x\":1}"));
    assert_true(str_is(m->assign.study_name, "s"));
    start(&x, 0, 1);
    expect_ack(&x, MSG_START);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_RUNNING);
    report(&x, 0, 1, 3, 0.5);
    m = box_take(&x.b, W, MSG_ACK);
    assert_int_equal(m->ack.step, 3);
    final(&x, 0, 1, FINAL_OK, 0.25);
    expect_ack(&x, MSG_FINAL);
    struct trial_image im = box_trial(&x.b, 1, 0);
    assert_int_equal(im.state, TRIAL_COMPLETE);
    assert_true(im.value == 0.25);
    /* The third waits for credit, not for a slot that the broker believes free. */
    assert_int_equal(box_state(&x.b, 1, 2), TRIAL_QUEUED);
    SEND(&x.b, W, x.w, CREDIT, credit, .total = 3);
    box_settle(&x.b);
    assert_int_equal(box_state(&x.b, 1, 2), TRIAL_LEASED);
    box_close(&x.b);
}

static void test_repeated_messages_change_nothing(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    start(&x, 0, 1);
    report(&x, 0, 1, 1, 0.5);
    uint64_t seq = farm_seq(x.b.f);
    box_clear(&x.b);
    start(&x, 0, 1);
    expect_ack(&x, MSG_START);
    report(&x, 0, 1, 1, 0.7);
    const union message *m = box_take(&x.b, W, MSG_ACK);
    assert_int_equal(m->ack.step, 1);
    assert_int_equal(farm_seq(x.b.f), seq);
    final(&x, 0, 1, FINAL_OK, 0.1);
    seq = farm_seq(x.b.f);
    box_clear(&x.b);
    final(&x, 0, 1, FINAL_OK, 0.9);
    expect_ack(&x, MSG_FINAL);
    assert_int_equal(farm_seq(x.b.f), seq);
    assert_true(box_trial(&x.b, 1, 0).value == 0.1);
    report(&x, 0, 1, 5, 0.5);
    expect_nak(&x, NAK_FINISHED);
    box_close(&x.b);
}

static void test_steps_that_do_not_rise_are_refused(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    struct point p[2] = {{.step = 4}, {.step = 4}};
    struct msg_report m = {.study = 1, .trial = 0, .attempt = 1};
    m.points.v = p;
    m.points.n = 2;
    box_send(&x.b, W, x.w, MSG_REPORT, &m, sizeof m);
    p[1].step = INT64_C(1) << 53;
    box_send(&x.b, W, x.w, MSG_REPORT, &m, sizeof m);
    box_settle(&x.b);
    assert_int_equal(box_count(&x.b, W, MSG_ERROR), 2);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_LEASED);
    box_close(&x.b);
}

/* What is no JSON object would stand in the views, where people ask json_extract() of it. */
static void test_metrics_are_json_objects(void **unused)
{
    (void)unused;
    const char *bad[] = {"zzz{", "[1]", "{\"a\":1}x", "1", "{\"a\":nan}"};
    struct fixture x;
    begin(&x, 1, 1);
    start(&x, 0, 1);
    uint64_t before = farm_counts(x.b.f).records;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct point p = {.step = 1, .has_value = true, .value = 1, .metrics = str_of(bad[i])};
        struct msg_report m = {.study = x.study, .attempt = 1};
        m.points.v = &p;
        m.points.n = 1;
        box_send(&x.b, W, x.w, MSG_REPORT, &m, sizeof m);
        SEND(&x.b, W, x.w, FINAL, final, .study = x.study, .attempt = 1, .has_value = true,
             .value = 1, .metrics = str_of(bad[i]));
        box_settle(&x.b);
        assert_int_equal(box_count(&x.b, W, MSG_ERROR), 2 * (i + 1));
    }
    assert_int_equal(farm_counts(x.b.f).records, before);
    SEND(&x.b, W, x.w, FINAL, final, .study = x.study, .attempt = 1, .has_value = true, .value = 1,
         .metrics = STR("{\"acc\":0.5}"));
    box_settle(&x.b);
    assert_int_equal(farm_counts(x.b.f).open_trials, 0);
    box_close(&x.b);
}

static void test_unknown_attempts_are_refused(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    final(&x, 0, 2, FINAL_OK, 1);
    expect_nak(&x, NAK_UNKNOWN);
    final(&x, 9, 1, FINAL_OK, 1);
    expect_nak(&x, NAK_UNKNOWN);
    final(&x, 0, 0, FINAL_OK, 1);
    expect_nak(&x, NAK_UNKNOWN);
    /* Another worker may not speak for it. */
    uint64_t other = box_worker(&x.b, 13, 5, 1);
    SEND(&x.b, 13, other, FINAL, final, .study = 1, .trial = 0, .attempt = 1);
    box_settle(&x.b);
    const union message *m = box_take(&x.b, 13, MSG_NAK);
    assert_int_equal(m->nak.code, NAK_NOT_OWNER);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_LEASED);
    box_close(&x.b);
}

static void test_crash_is_retried_later_and_then_failed(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    uint32_t attempt = 1;
    for (; attempt <= 2; attempt++) {
        start(&x, 0, attempt);
        final(&x, 0, attempt, FINAL_ERROR, 0);
        assert_int_equal(box_state(&x.b, 1, 0), TRIAL_DELAYED);
        box_clear(&x.b);
        final(&x, 0, attempt, FINAL_ERROR, 0); /* the ACK was lost */
        expect_ack(&x, MSG_FINAL);
        SEND(&x.b, W, x.w, CREDIT, credit, .total = attempt + 1);
        box_pass(&x.b, 2 * SEC);
        assert_int_equal(box_state(&x.b, 1, 0), TRIAL_LEASED);
    }
    final(&x, 0, attempt, FINAL_ERROR, 0);
    struct trial_image im = box_trial(&x.b, 1, 0);
    assert_int_equal(im.state, TRIAL_FAILED);
    assert_int_equal(im.crashes, 3);
    assert_true(str_is(im.error, "it broke"));
    box_close(&x.b);
}

static void test_no_retry_fails_at_once(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    SEND(&x.b, W, x.w, FINAL, final, .study = 1, .trial = 0, .attempt = 1, .status = FINAL_ERROR,
         .no_retry = true, .error = STR("no such program"));
    box_settle(&x.b);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_FAILED);
    box_close(&x.b);
}

static void test_values_that_are_no_numbers(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 3, 3);
    final(&x, 0, 1, FINAL_OK, (double)NAN);
    struct trial_image im = box_trial(&x.b, 1, 0);
    assert_int_equal(im.state, TRIAL_FAILED);
    assert_true(str_is(im.error, "non-finite"));
    assert_true(im.has_value && isnan(im.value));
    final(&x, 1, 1, FINAL_OK, (double)INFINITY);
    assert_int_equal(box_state(&x.b, 1, 1), TRIAL_FAILED);
    SEND(&x.b, W, x.w, FINAL, final, .study = 1, .trial = 2, .attempt = 1);
    box_settle(&x.b);
    im = box_trial(&x.b, 1, 2);
    assert_int_equal(im.state, TRIAL_FAILED);
    assert_true(str_is(im.error, "no final value"));
    box_close(&x.b);
}

static void test_a_result_beats_a_stop(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 3, 3);
    for (uint64_t t = 0; t < 3; t++)
        start(&x, t, 1);
    SEND(&x.b, C, x.c, CANCEL, cancel, .request = box_id(900), .study = STR("s"));
    box_settle(&x.b);
    assert_int_equal(box_count(&x.b, W, MSG_STOP), 3);
    box_clear(&x.b);
    report(&x, 0, 1, 1, 0.5);
    assert_int_equal(box_count(&x.b, W, MSG_ACK), 1);
    assert_int_equal(box_count(&x.b, W, MSG_STOP), 1); /* a level: said again */
    final(&x, 0, 1, FINAL_OK, 0.5);
    final(&x, 1, 1, FINAL_PRUNED, 0);
    SEND(&x.b, W, x.w, RELEASE, release, .study = 1, .trial = 2, .attempt = 1);
    box_settle(&x.b);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_COMPLETE);
    assert_int_equal(box_state(&x.b, 1, 1), TRIAL_CANCELLED);
    assert_int_equal(box_state(&x.b, 1, 2), TRIAL_CANCELLED);
    box_close(&x.b);
}

static void test_release_goes_first_in_line_and_counts_nothing(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 3);
    start(&x, 0, 1);
    SEND(&x.b, W, x.w, RELEASE, release, .study = 1, .trial = 0, .attempt = 1,
         .why = RELEASE_PREEMPT);
    SEND(&x.b, W, x.w, CREDIT, credit, .total = 2);
    box_settle(&x.b);
    struct trial_image im = box_trial(&x.b, 1, 0);
    assert_int_equal(im.state, TRIAL_LEASED); /* before trial 1 */
    assert_int_equal(im.attempt, 2);
    assert_int_equal(im.crashes + im.lost, 0);
    box_clear(&x.b);
    report(&x, 0, 1, 1, 1);
    expect_nak(&x, NAK_SUPERSEDED);
    box_close(&x.b);
}

static void test_checkpoint_is_resumed_from(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    SEND(&x.b, W, x.w, CHECKPOINT, checkpoint, .study = 1, .trial = 0, .attempt = 1, .step = 5,
         .uri = STR("file:///c"));
    SEND(&x.b, W, x.w, RELEASE, release, .study = 1, .trial = 0, .attempt = 1);
    SEND(&x.b, W, x.w, CREDIT, credit, .total = 2);
    box_clear(&x.b);
    box_settle(&x.b);
    const union message *m = box_take(&x.b, W, MSG_ASSIGN);
    if (m && m->assign.attempt == 1)
        m = box_take(&x.b, W, MSG_ASSIGN);
    assert_non_null(m);
    assert_true(str_is(m->assign.resume, "file:///c"));
    assert_int_equal(m->assign.resume_step, 5);
    box_close(&x.b);
}

static void test_checkpoint_says_where_it_is(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    start(&x, 0, 1);
    box_clear(&x.b);
    SEND(&x.b, W, x.w, CHECKPOINT, checkpoint, .study = 1, .trial = 0, .attempt = 1, .step = 5);
    box_settle(&x.b);
    assert_int_equal(box_count(&x.b, W, MSG_ACK), 0); /* nothing was recorded */
    assert_non_null(box_take(&x.b, W, MSG_ERROR));
    assert_false(box_trial(&x.b, 1, 0).has_resume);
    box_close(&x.b);
}

static void test_draining_worker_gets_nothing(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 2, 1);
    SEND(&x.b, W, x.w, DRAIN, drain, .deadline_ms = 0);
    box_settle(&x.b);
    const union message *m = box_take(&x.b, W, MSG_DRAIN_OK);
    assert_int_equal(m->drain_ok.running, 1);
    box_enqueue(&x.b, C, x.c, "s", "{}");
    assert_int_equal(box_state(&x.b, 1, 1), TRIAL_QUEUED);
    box_close(&x.b);
}

static void test_without_room_only_ends_are_taken(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 2, 2);
    start(&x, 0, 1);
    box_clear(&x.b);
    farm_on_full(x.b.f, x.b.now, true, &x.b.g->fx);
    report(&x, 0, 1, 1, 0.5);
    start(&x, 1, 1);
    assert_int_equal(box_count(&x.b, W, MSG_ACK), 0); /* no answer: it comes again */
    assert_int_equal(box_count(&x.b, W, MSG_NAK), 0);
    final(&x, 0, 1, FINAL_OK, 0.5);
    expect_ack(&x, MSG_FINAL);
    SEND(&x.b, C, x.c, ENQUEUE, enqueue, .request = box_id(901), .study = STR("s"),
         .params = STR("{}"));
    box_settle(&x.b);
    const union message *m = box_take(&x.b, C, MSG_REPLY);
    assert_true(str_is(m->reply.name, "FULL"));
    farm_on_full(x.b.f, x.b.now, false, &x.b.g->fx);
    start(&x, 1, 1);
    expect_ack(&x, MSG_START);
    box_close(&x.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_assign_to_final),
        cmocka_unit_test(test_repeated_messages_change_nothing),
        cmocka_unit_test(test_steps_that_do_not_rise_are_refused),
        cmocka_unit_test(test_metrics_are_json_objects),
        cmocka_unit_test(test_unknown_attempts_are_refused),
        cmocka_unit_test(test_crash_is_retried_later_and_then_failed),
        cmocka_unit_test(test_no_retry_fails_at_once),
        cmocka_unit_test(test_values_that_are_no_numbers),
        cmocka_unit_test(test_a_result_beats_a_stop),
        cmocka_unit_test(test_release_goes_first_in_line_and_counts_nothing),
        cmocka_unit_test(test_checkpoint_is_resumed_from),
        cmocka_unit_test(test_checkpoint_says_where_it_is),
        cmocka_unit_test(test_draining_worker_gets_nothing),
        cmocka_unit_test(test_without_room_only_ends_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
