/* Workers that leave: the order and its repetition, who is answered when, and what the journal
 * says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "farmbox.h"

#define W 11u
#define C 12u

struct fixture {
    struct box b;
    uint64_t w, c;
};

static void begin(struct fixture *x)
{
    box_open(&x->b);
    x->c = box_client(&x->b, C, 2);
    box_submit(&x->b, C, x->c, "s");
    box_enqueue(&x->b, C, x->c, "s", "{}");
    x->w = box_worker(&x->b, W, 1, 2);
    box_settle(&x->b);
    assert_int_equal(box_state(&x->b, 1, 0), TRIAL_LEASED);
    box_clear(&x->b);
}

static void order(struct fixture *x, unsigned request, uint64_t deadline_ms, bool at_once)
{
    SEND(&x->b, C, x->c, DRAIN_WORKER, drain_worker, .request = box_id(request),
         .worker = box_id(1), .deadline_ms = deadline_ms, .at_once = at_once);
    box_settle(&x->b);
}

static void expect_reply(struct fixture *x, unsigned request, const char *name, const char *text)
{
    const union message *m = box_take(&x->b, C, MSG_REPLY);
    assert_non_null(m);
    assert_true(id128_eq(m->reply.request, box_id(request)));
    assert_true(str_is(m->reply.name, name));
    if (text)
        assert_true(str_is(m->reply.text, text));
}

static const struct msg_beat_ack *beat(struct fixture *x, bool draining)
{
    struct held h = {.study = 1, .trial = 0, .attempt = 1, .phase = 1};
    struct msg_beat m = {.draining = draining, .number = 1};
    m.held.v = &h;
    m.held.n = 1;
    box_send(&x->b, W, x->w, MSG_BEAT, &m, sizeof m);
    box_settle(&x->b);
    return &box_take(&x->b, W, MSG_BEAT_ACK)->beat_ack;
}

static void test_the_client_hears_when_the_worker_obeys(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    order(&x, 70, 120000, false);
    const union message *m = box_take(&x.b, W, MSG_LEAVE);
    assert_int_equal(m->leave.deadline_ms, 120000);
    assert_false(m->leave.at_once);
    assert_int_equal(box_count(&x.b, C, MSG_REPLY), 0);
    box_enqueue(&x.b, C, x.c, "s", "{}"); /* it has a slot, and gets nothing */
    assert_int_equal(box_state(&x.b, 1, 1), TRIAL_QUEUED);
    box_clear(&x.b);
    SEND(&x.b, W, x.w, DRAIN, drain, .deadline_ms = 119000, .why = STR("order"));
    box_settle(&x.b);
    expect_reply(&x, 70, "OK", "{\"state\":\"draining\"}");
    box_close(&x.b);
}

static void test_a_lost_order_is_repeated(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    assert_false(beat(&x, false)->leave);
    order(&x, 70, 60000, false);
    order(&x, 71, 30000, true);
    box_clear(&x.b);
    box_pass(&x.b, 5 * SEC);
    const struct msg_beat_ack *m = beat(&x, false);
    assert_true(m->leave && m->at_once);
    assert_int_equal(m->deadline_ms, 25000);
    box_clear(&x.b);
    assert_true(beat(&x, true)->leave);
    expect_reply(&x, 71, "OK", NULL);
    expect_reply(&x, 70, "OK", NULL);
    box_close(&x.b);
}

static void test_a_new_session_is_told_at_once(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    order(&x, 70, 0, false);
    box_clear(&x.b);
    x.w = box_worker(&x.b, 21, 1, 2); /* the same process on another connection */
    box_settle(&x.b);
    assert_int_equal(box_take(&x.b, 21, MSG_LEAVE)->leave.deadline_ms, 0);
    box_close(&x.b);
}

static void test_a_worker_that_is_silent(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    order(&x, 70, 0, false);
    box_clear(&x.b);
    box_pass(&x.b, 11 * SEC);
    expect_reply(&x, 70, "UNREACHABLE", NULL);
    order(&x, 71, 0, false);
    box_pass(&x.b, 25 * SEC); /* its lease ends */
    expect_reply(&x, 71, "UNREACHABLE", NULL);
    order(&x, 72, 0, false);
    expect_reply(&x, 72, "NOT_FOUND", "the worker is not connected");
    box_close(&x.b);
}

static void test_a_worker_that_goes_before_it_answers(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    order(&x, 70, 0, false);
    order(&x, 70, 0, false); /* repeated: one answer */
    box_clear(&x.b);
    SEND(&x.b, W, x.w, BYE, bye, .why = STR("drained"));
    box_settle(&x.b);
    assert_int_equal(box_count(&x.b, C, MSG_REPLY), 1);
    expect_reply(&x, 70, "OK", "{\"state\":\"left\"}");
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_QUEUED);
    struct trial_image im = box_trial(&x.b, 1, 0);
    assert_int_equal(im.crashes + im.lost, 0);
    box_close(&x.b);
}

static void test_the_journal_says_so_once(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    SEND(&x.b, C, x.c, TAIL, tail, .request = box_id(90), .from = 1, .credit = 1000);
    box_settle(&x.b);
    box_clear(&x.b);
    for (int i = 0; i < 3; i++) {
        SEND(&x.b, W, x.w, DRAIN, drain, .deadline_ms = 5000, .why = STR("aws: terminate"));
        beat(&x, true);
    }
    unsigned seen = 0;
    for (const union message *m; (m = box_take(&x.b, C, MSG_EVENTS));) {
        for (uint32_t i = 0; i < m->events.records.n; i++) {
            const struct record *r = &m->events.records.v[i];
            if (r->kind != REC_WORKER_DRAINING)
                continue;
            seen++;
            assert_true(id128_eq(r->who, box_id(1)) && str_is(r->note, "aws: terminate"));
            assert_int_equal(r->number, 5000);
        }
    }
    assert_int_equal(seen, 1);
    box_close(&x.b);
}

static void test_the_digest_goes_with_the_checkpoint(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    struct digest d = {{1, 2, 3}};
    SEND(&x.b, W, x.w, CHECKPOINT, checkpoint, .study = 1, .trial = 0, .attempt = 1, .step = 5,
         .uri = STR("/c\n"), .digest = d);
    box_settle(&x.b);
    assert_non_null(box_take(&x.b, W, MSG_ERROR)); /* no line feed in a place */
    SEND(&x.b, W, x.w, CHECKPOINT, checkpoint, .study = 1, .trial = 0, .attempt = 1, .step = 5,
         .uri = STR("/c"), .digest = d);
    box_settle(&x.b);
    box_restart(&x.b);
    x.w = box_worker(&x.b, W, 1, 2);
    box_settle(&x.b);
    x.c = box_client(&x.b, C, 2);
    SEND(&x.b, W, x.w, RELEASE, release, .study = 1, .trial = 0, .attempt = 1,
         .why = RELEASE_PREEMPT);
    SEND(&x.b, W, x.w, CREDIT, credit, .total = 2);
    box_settle(&x.b);
    const union message *m = box_take(&x.b, W, MSG_ASSIGN);
    assert_non_null(m);
    assert_int_equal(m->assign.attempt, 2);
    assert_true(str_is(m->assign.resume, "/c") && digest_eq(m->assign.resume_digest, d));
    SEND(&x.b, W, x.w, START, start, .study = 1, .trial = 0, .attempt = 2, .resume = 9);
    box_settle(&x.b);
    assert_non_null(box_take(&x.b, W, MSG_ERROR));
    SEND(&x.b, W, x.w, START, start, .study = 1, .trial = 0, .attempt = 2, .resume = RESUME_DONE,
         .resume_step = 5);
    box_settle(&x.b);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_RUNNING);
    box_close(&x.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_client_hears_when_the_worker_obeys),
        cmocka_unit_test(test_a_lost_order_is_repeated),
        cmocka_unit_test(test_a_new_session_is_told_at_once),
        cmocka_unit_test(test_a_worker_that_is_silent),
        cmocka_unit_test(test_a_worker_that_goes_before_it_answers),
        cmocka_unit_test(test_the_journal_says_so_once),
        cmocka_unit_test(test_the_digest_goes_with_the_checkpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
