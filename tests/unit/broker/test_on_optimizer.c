/* Attachments, streams, wants and proposals; and how slots are shared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "farmbox.h"

#define O 10u
#define W 11u
#define C 12u

struct fixture {
    struct box b;
    uint64_t o, w, c;
    uint32_t epoch;
};

static void begin(struct fixture *x)
{
    box_open(&x->b);
    x->c = box_client(&x->b, C, 2);
    x->o = box_optimizer(&x->b, O, 3);
}

static uint32_t attach(struct fixture *x, const char *name)
{
    uint64_t study = box_submit(&x->b, C, x->c, name);
    const union message *m = box_take(&x->b, O, MSG_ATTACHED);
    assert_non_null(m);
    assert_int_equal(m->attached.study, study);
    x->epoch = m->attached.epoch;
    SEND(&x->b, O, x->o, PULL, pull, .study = study, .epoch = x->epoch, .credit = 1000);
    box_settle(&x->b);
    m = box_take(&x->b, O, MSG_EVENTS);
    assert_non_null(m);
    assert_true(m->events.live);
    return x->epoch;
}

/* Answers a WANT with n points. */
static void propose(struct fixture *x, uint64_t study, uint64_t want, uint64_t draw, uint32_t n)
{
    struct proposal p[16] = {{0}};
    for (uint32_t i = 0; i < n; i++)
        p[i] = (struct proposal){
            .draw = draw + i, .params = STR("{\"x\":0.5}"), .why = STR("{}"), .based_on = 2};
    struct msg_propose m = {.study = study, .epoch = x->epoch, .want = want};
    m.proposals.v = p;
    m.proposals.n = n;
    box_send(&x->b, O, x->o, MSG_PROPOSE, &m, sizeof m);
    box_settle(&x->b);
}

static void test_a_proposal_is_wanted_when_a_slot_is_free(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    attach(&x, "s");
    assert_int_equal(box_count(&x.b, O, MSG_WANT), 0); /* no worker */
    x.w = box_worker(&x.b, W, 1, 3);
    const union message *m = box_take(&x.b, O, MSG_WANT);
    assert_non_null(m);
    assert_int_equal(m->want.n, 3);
    assert_int_equal(box_count(&x.b, O, MSG_WANT), 0); /* asked once */
    propose(&x, 1, 1, 0, 3);
    assert_int_equal(box_count(&x.b, W, MSG_ASSIGN), 3);
    m = box_take(&x.b, O, MSG_EVENTS);
    assert_int_equal(m->events.records.n, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(m->events.records.v[i].kind, REC_PROPOSED);
        assert_int_equal(m->events.records.v[i].number, i);
        assert_true(str_is(m->events.records.v[i].text, "{\"x\":0.5}"));
    }
    assert_int_equal(box_count(&x.b, O, MSG_WANT), 0);
    box_close(&x.b);
}

static void test_want_follows_the_events_it_counts(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    attach(&x, "s");
    x.w = box_worker(&x.b, W, 1, 1);
    box_clear(&x.b);
    propose(&x, 1, 1, 0, 1);
    box_clear(&x.b);
    SEND(&x.b, W, x.w, FINAL, final, .study = 1, .trial = 0, .attempt = 1, .has_value = true,
         .value = 1);
    SEND(&x.b, W, x.w, CREDIT, credit, .total = 2);
    box_settle(&x.b);
    size_t events = 99, want = 99;
    for (size_t i = 0; i < x.b.n_out; i++) {
        events = x.b.out[i].kind == MSG_EVENTS ? i : events;
        want = x.b.out[i].kind == MSG_WANT ? i : want;
    }
    assert_true(events < want && want < 99);
    const union message *m = box_take(&x.b, O, MSG_EVENTS);
    uint64_t upto = m->events.upto;
    assert_int_equal(m->events.records.v[m->events.records.n - 1].kind, REC_FINISHED);
    assert_int_equal(box_take(&x.b, O, MSG_WANT)->want.upto, upto);
    box_close(&x.b);
}

static void test_fewer_than_wanted_waits_for_news(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    attach(&x, "s");
    x.w = box_worker(&x.b, W, 1, 4);
    box_clear(&x.b);
    propose(&x, 1, 1, 0, 1);
    assert_int_equal(box_count(&x.b, O, MSG_WANT), 0);
    SEND(&x.b, W, x.w, START, start, .study = 1, .trial = 0, .attempt = 1);
    box_settle(&x.b);
    assert_int_equal(box_count(&x.b, O, MSG_WANT), 0); /* a start is no news */
    SEND(&x.b, W, x.w, FINAL, final, .study = 1, .trial = 0, .attempt = 1, .has_value = true,
         .value = 1);
    box_settle(&x.b);
    assert_int_equal(box_take(&x.b, O, MSG_WANT)->want.n, 3); /* the fourth has no credit */
    box_close(&x.b);
}

static void test_wrong_answers(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    attach(&x, "s");
    x.w = box_worker(&x.b, W, 1, 2);
    box_clear(&x.b);
    propose(&x, 1, 7, 0, 1); /* no such want */
    x.epoch++;
    propose(&x, 1, 1, 0, 1); /* another attachment */
    assert_true(str_is(box_take(&x.b, O, MSG_DETACHED)->detached.why, "stale"));
    assert_int_equal(farm_counts(x.b.f).trials, 0);
    x.epoch--;
    propose(&x, 1, 1, 5, 1); /* not the next draw */
    assert_true(str_is(box_take(&x.b, O, MSG_ERROR)->error.name, "INVALID"));
    assert_non_null(box_take(&x.b, O, MSG_DETACHED));
    assert_int_equal(farm_counts(x.b.f).trials, 0);
    assert_int_equal(box_count(&x.b, O, MSG_ATTACHED), 0); /* not again to the same process */
    x.o = box_optimizer(&x.b, O, 4);
    assert_int_equal(box_count(&x.b, O, MSG_ATTACHED), 1);
    box_close(&x.b);
}

static void test_a_lost_optimizer_is_replaced(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    attach(&x, "s");
    x.w = box_worker(&x.b, W, 1, 1);
    propose(&x, 1, 1, 0, 1);
    box_clear(&x.b);
    uint64_t other = box_optimizer(&x.b, 20, 9);
    assert_int_equal(box_count(&x.b, 20, MSG_ATTACHED), 0);
    SEND(&x.b, O, x.o, BYE, bye, .why = STR("test"));
    box_settle(&x.b);
    const union message *m = box_take(&x.b, 20, MSG_ATTACHED);
    assert_non_null(m);
    assert_int_equal(m->attached.epoch, 2);
    assert_int_equal(m->attached.next_draw, 1);
    assert_int_equal(m->attached.trials, 1);
    SEND(&x.b, 20, other, PULL, pull, .study = 1, .epoch = 2, .credit = 10);
    box_settle(&x.b);
    m = box_take(&x.b, 20, MSG_EVENTS); /* from the first record on */
    assert_int_equal(m->events.records.n, 1);
    assert_int_equal(m->events.records.v[0].kind, REC_PROPOSED);
    assert_true(m->events.live);
    box_close(&x.b);
}

static void test_credit_bounds_the_stream_and_the_store_helps(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    box_submit(&x.b, C, x.c, "s");
    for (int i = 0; i < 30; i++)
        box_enqueue(&x.b, C, x.c, "s", "{}");
    box_restart(&x.b); /* nothing recent is in memory */
    x.o = box_optimizer(&x.b, O, 3);
    uint32_t epoch = box_take(&x.b, O, MSG_ATTACHED)->attached.epoch;
    uint64_t next = 0;
    for (uint64_t credit = 7; next < 30; credit += 7) {
        SEND(&x.b, O, x.o, PULL, pull, .study = 1, .epoch = epoch, .credit = credit);
        box_settle(&x.b);
        for (const union message *m; (m = box_take(&x.b, O, MSG_EVENTS));) {
            for (uint32_t i = 0; i < m->events.records.n; i++)
                assert_int_equal(m->events.records.v[i].trial, next++);
        }
        assert_true(next <= credit);
    }
    assert_int_equal(next, 30);
    box_close(&x.b);
}

static void test_close_study_ends_it_when_all_is_final(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    attach(&x, "s");
    x.w = box_worker(&x.b, W, 1, 2);
    propose(&x, 1, 1, 0, 2);
    SEND(&x.b, O, x.o, CLOSE_STUDY, close_study, .study = 1, .epoch = x.epoch,
         .why = STR("trials"));
    box_settle(&x.b);
    box_clear(&x.b);
    SEND(&x.b, W, x.w, CREDIT, credit, .total = 9);
    for (uint64_t t = 0; t < 2; t++)
        SEND(&x.b, W, x.w, FINAL, final, .study = 1, .trial = t, .attempt = 1, .has_value = true,
             .value = 1);
    box_settle(&x.b);
    assert_int_equal(box_count(&x.b, O, MSG_WANT), 0);
    assert_true(str_is(box_take(&x.b, O, MSG_DETACHED)->detached.why, "ended"));
    box_close(&x.b);
}

static void test_prune_needs_a_report(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    attach(&x, "s");
    x.w = box_worker(&x.b, W, 1, 1);
    propose(&x, 1, 1, 0, 1);
    SEND(&x.b, O, x.o, PRUNE, prune, .study = 1, .epoch = x.epoch, .trial = 0, .attempt = 1,
         .step = 3);
    box_settle(&x.b);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_LEASED);
    struct point p = {.step = 3, .has_value = true, .value = 2};
    struct msg_report r = {.study = 1, .trial = 0, .attempt = 1};
    r.points.v = &p;
    r.points.n = 1;
    box_send(&x.b, W, x.w, MSG_REPORT, &r, sizeof r);
    SEND(&x.b, O, x.o, PRUNE, prune, .study = 1, .epoch = x.epoch, .trial = 0, .attempt = 2,
         .step = 3);
    box_settle(&x.b);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_RUNNING);
    SEND(&x.b, O, x.o, PRUNE, prune, .study = 1, .epoch = x.epoch, .trial = 0, .attempt = 1,
         .step = 3);
    box_settle(&x.b);
    assert_int_equal(box_take(&x.b, W, MSG_STOP)->stop.why, STOP_PRUNE);
    SEND(&x.b, W, x.w, FINAL, final, .study = 1, .trial = 0, .attempt = 1, .status = FINAL_PRUNED);
    box_settle(&x.b);
    struct trial_image im = box_trial(&x.b, 1, 0);
    assert_int_equal(im.state, TRIAL_PRUNED);
    assert_true(im.value == 2); /* its last report stands */
    box_close(&x.b);
}

static void test_an_optimizer_that_gives_up_closes_the_study(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    attach(&x, "s");
    x.w = box_worker(&x.b, W, 1, 1);
    box_clear(&x.b);
    SEND(&x.b, O, x.o, PROPOSE, propose, .study = 1, .epoch = x.epoch, .want = 1,
         .error = STR("no idea"));
    box_settle(&x.b);
    const union message *m = box_take(&x.b, O, MSG_EVENTS);
    assert_int_equal(m->events.records.v[0].kind, REC_STUDY_CLOSED);
    assert_true(str_is(m->events.records.v[0].note, "error: no idea"));
    assert_non_null(box_take(&x.b, O, MSG_DETACHED));
    box_close(&x.b);
}

static void test_slots_are_shared(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    box_submit(&x.b, C, x.c, "a");
    x.b.env.weight = 3;
    box_submit(&x.b, C, x.c, "b");
    for (int i = 0; i < 20; i++) {
        box_enqueue(&x.b, C, x.c, "a", "{}");
        box_enqueue(&x.b, C, x.c, "b", "{}");
    }
    x.w = box_worker(&x.b, W, 1, 8);
    unsigned a = 0, b = 0;
    for (const union message *m; (m = box_take(&x.b, W, MSG_ASSIGN));)
        *(m->assign.study == 1 ? &a : &b) += 1;
    assert_int_equal(a, 2);
    assert_int_equal(b, 6);
    x.b.env.priority = 1;
    x.b.env.weight = 1;
    x.b.env.parallel = 1;
    box_submit(&x.b, C, x.c, "first");
    box_enqueue(&x.b, C, x.c, "first", "{}");
    box_enqueue(&x.b, C, x.c, "first", "{}");
    SEND(&x.b, W, x.w, FINAL, final, .study = 2, .trial = 0, .attempt = 1, .has_value = true);
    SEND(&x.b, W, x.w, FINAL, final, .study = 2, .trial = 1, .attempt = 1, .has_value = true);
    SEND(&x.b, W, x.w, CREDIT, credit, .total = 10);
    box_settle(&x.b);
    assert_int_equal(box_state(&x.b, 3, 0), TRIAL_LEASED);
    assert_int_equal(box_state(&x.b, 3, 1), TRIAL_QUEUED); /* parallel: 1 */
    box_close(&x.b);
}

static void finish(struct fixture *x, uint64_t trial, uint64_t credit)
{
    SEND(&x->b, W, x->w, FINAL, final, .study = 1, .trial = trial, .attempt = 1, .has_value = true);
    SEND(&x->b, W, x->w, CREDIT, credit, .total = credit);
    box_settle(&x->b);
}

static void test_a_slot_waits_for_the_study_that_it_is_due_to(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    attach(&x, "a");
    x.w = box_worker(&x.b, W, 1, 4);
    propose(&x, 1, 1, 0, 4);
    attach(&x, "b");
    box_clear(&x.b);
    finish(&x, 0, 5);
    const union message *m = box_take(&x.b, O, MSG_WANT);
    assert_int_equal(m->want.study, 2);
    finish(&x, 1, 6); /* b has the smaller load still, but is asked already */
    assert_int_equal(box_count(&x.b, O, MSG_WANT), 0);
    propose(&x, 2, 1, 0, 1);
    m = box_take(&x.b, O, MSG_WANT);
    assert_int_equal(m->want.study, 2);
    assert_int_equal(m->want.n, 1);
    finish(&x, 2, 7);
    m = box_take(&x.b, O, MSG_WANT);
    assert_int_equal(m->want.study, 1);
    box_pass(&x.b, 3 * SEC); /* b does not answer: what was kept for it goes to others */
    propose(&x, 1, 2, 4, 1);
    m = box_take(&x.b, O, MSG_WANT);
    assert_int_equal(m->want.study, 1);
    box_close(&x.b);
}

static void test_many_studies_are_served_in_order(void **unused)
{
    (void)unused;
    struct fixture x;
    char name[8];
    begin(&x);
    for (int i = 0; i < 20; i++) {
        x.b.env.priority = i % 3;
        snprintf(name, sizeof name, "s%d", i);
        box_submit(&x.b, C, x.c, name);
        for (int k = 0; k < 3; k++)
            box_enqueue(&x.b, C, x.c, name, "{}");
    }
    x.w = box_worker(&x.b, W, 1, 60);
    for (int priority = 2; priority >= 0; priority--)
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < 20; i++) {
                if (i % 3 != priority)
                    continue;
                const union message *m = box_take(&x.b, W, MSG_ASSIGN);
                assert_non_null(m);
                assert_int_equal(m->assign.study, i + 1);
                assert_int_equal(m->assign.trial, k);
            }
    box_close(&x.b);
}

static void test_resources_and_labels(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    static const struct str fast[] = {{"fast", 4}};
    x.b.env.cpu = 2;
    x.b.env.gpu = 1;
    x.b.env.memory = 100;
    x.b.env.labels = fast;
    x.b.env.n_labels = 1;
    box_submit(&x.b, C, x.c, "a");
    for (int i = 0; i < 4; i++)
        box_enqueue(&x.b, C, x.c, "a", "{}");
    box_worker(&x.b, 30, 30, 4); /* unlimited, but without the label and a GPU */
    assert_int_equal(box_count(&x.b, 30, MSG_ASSIGN), 0);
    struct resources have = {.cpu = 5, .gpu = 3, .memory = 1000};
    struct msg_hello h = {
        .role = ROLE_WORKER, .version_min = 1, .version_max = 1, .peer = box_id(31), .slots = 4};
    h.have.v = &have;
    h.have.n = 1;
    h.labels.v = fast;
    h.labels.n = 1;
    box_send(&x.b, 31, 0, MSG_HELLO, &h, sizeof h);
    box_settle(&x.b);
    uint64_t s = box_take(&x.b, 31, MSG_WELCOME)->welcome.session;
    SEND(&x.b, 31, s, CREDIT, credit, .total = 4);
    box_settle(&x.b);
    assert_int_equal(box_count(&x.b, 31, MSG_ASSIGN), 2); /* two processors each of five */
    SEND(&x.b, 31, s, FINAL, final, .study = 1, .trial = 0, .attempt = 1, .has_value = true);
    box_settle(&x.b);
    assert_int_equal(box_count(&x.b, 31, MSG_ASSIGN), 3);
    box_close(&x.b);
}

static void test_ahead_keeps_points_ready(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    x.b.env.ahead = 2;
    attach(&x, "s");
    const union message *m = box_take(&x.b, O, MSG_WANT);
    assert_int_equal(m->want.n, 2); /* without any worker */
    propose(&x, 1, 1, 0, 2);
    x.w = box_worker(&x.b, W, 1, 1);
    assert_int_equal(box_count(&x.b, W, MSG_ASSIGN), 1);
    m = box_take(&x.b, O, MSG_WANT);
    assert_int_equal(m->want.n, 1);
    box_close(&x.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_proposal_is_wanted_when_a_slot_is_free),
        cmocka_unit_test(test_want_follows_the_events_it_counts),
        cmocka_unit_test(test_fewer_than_wanted_waits_for_news),
        cmocka_unit_test(test_wrong_answers),
        cmocka_unit_test(test_a_lost_optimizer_is_replaced),
        cmocka_unit_test(test_credit_bounds_the_stream_and_the_store_helps),
        cmocka_unit_test(test_close_study_ends_it_when_all_is_final),
        cmocka_unit_test(test_prune_needs_a_report),
        cmocka_unit_test(test_an_optimizer_that_gives_up_closes_the_study),
        cmocka_unit_test(test_slots_are_shared),
        cmocka_unit_test(test_a_slot_waits_for_the_study_that_it_is_due_to),
        cmocka_unit_test(test_many_studies_are_served_in_order),
        cmocka_unit_test(test_resources_and_labels),
        cmocka_unit_test(test_ahead_keeps_points_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
