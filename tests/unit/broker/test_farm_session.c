/* Sessions and leases: what is current, what expires, what is adopted, and what a restart leaves.
 */
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

static void begin(struct fixture *x, uint32_t slots, int trials)
{
    box_open(&x->b);
    x->c = box_client(&x->b, C, 2);
    box_submit(&x->b, C, x->c, "s");
    for (int i = 0; i < trials; i++)
        box_enqueue(&x->b, C, x->c, "s", "{}");
    x->w = box_worker(&x->b, W, 1, slots);
    box_clear(&x->b);
}

static void start(struct fixture *x, uint64_t peer, uint64_t session, uint64_t trial,
                  uint32_t attempt)
{
    SEND(&x->b, peer, session, START, start, .study = 1, .trial = trial, .attempt = attempt);
    box_settle(&x->b);
}

/* HELLO of worker `id` that holds one attempt; its verdict. */
static struct verdict hello_holding(struct fixture *x, uint64_t peer, unsigned id, uint64_t trial,
                                    uint32_t attempt, unsigned phase, uint64_t *session)
{
    struct held h = {.study = 1, .trial = trial, .attempt = attempt, .phase = (uint8_t)phase};
    struct msg_hello m = {.role = ROLE_WORKER,
                          .version_min = 1,
                          .version_max = 1,
                          .peer = box_id(id),
                          .host = STR("host"),
                          .slots = 2};
    m.held.v = &h;
    m.held.n = 1;
    box_send(&x->b, peer, 0, MSG_HELLO, &m, sizeof m);
    box_settle(&x->b);
    const union message *w = box_take(&x->b, peer, MSG_WELCOME);
    assert_non_null(w);
    assert_int_equal(w->welcome.verdicts.n, 1);
    *session = w->welcome.session;
    return w->welcome.verdicts.v[0];
}

static void test_hello_is_checked(void **unused)
{
    (void)unused;
    struct box b;
    box_open(&b);
    SEND(&b, 1, 0, HELLO, hello, .role = 9, .version_min = 1, .version_max = 1);
    SEND(&b, 2, 0, HELLO, hello, .role = ROLE_CLIENT, .version_min = 2, .version_max = 3);
    SEND(&b, 3, 77, SQL, sql, .query = STR("select 1"));
    box_settle(&b);
    assert_true(str_is(box_take(&b, 1, MSG_ERROR)->error.name, "INVALID"));
    assert_true(str_is(box_take(&b, 2, MSG_ERROR)->error.name, "VERSION"));
    assert_true(str_is(box_take(&b, 3, MSG_ERROR)->error.name, "STALE"));
    uint64_t c = box_client(&b, 4, 1);
    assert_int_equal(c >> 32, b.c.epoch);
    SEND(&b, 4, c, CREDIT, credit, .total = 1);
    SEND(&b, 5, c, BEAT, beat, .number = 1); /* another's session */
    box_settle(&b);
    assert_true(str_is(box_take(&b, 4, MSG_ERROR)->error.name, "REFUSED"));
    assert_true(str_is(box_take(&b, 5, MSG_ERROR)->error.name, "STALE"));
    box_close(&b);
}

static void test_silence_expires_and_a_beat_keeps(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    start(&x, W, x.w, 0, 1);
    struct held h = {.study = 1, .attempt = 1, .phase = 1};
    for (int i = 0; i < 20; i++) {
        struct msg_beat m = {.number = (uint64_t)i + 1};
        m.held.v = &h;
        m.held.n = 1;
        box_pass(&x.b, 5 * SEC);
        box_send(&x.b, W, x.w, MSG_BEAT, &m, sizeof m);
        box_settle(&x.b);
    }
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_RUNNING);
    box_pass(&x.b, 31 * SEC);
    struct trial_image im = box_trial(&x.b, 1, 0);
    assert_int_equal(im.state, TRIAL_QUEUED);
    assert_int_equal(im.lost, 1);
    SEND(&x.b, W, x.w, CREDIT, credit, .total = 5);
    box_settle(&x.b);
    assert_true(str_is(box_take(&x.b, W, MSG_ERROR)->error.name, "STALE"));
    box_close(&x.b);
}

static void test_a_connection_that_is_gone_is_given_up_sooner(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    farm_on_peer_gone(x.b.f, x.b.now, W, &x.b.g->fx);
    box_pass(&x.b, 6 * SEC);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_QUEUED);
    assert_int_equal(box_trial(&x.b, 1, 0).lost, 0); /* it was never seen running */
    box_close(&x.b);
}

static void test_who_lost_messages_says_hello_again(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 0);
    farm_on_gap(x.b.f, C, x.w, &x.b.g->fx); /* not its session */
    farm_on_gap(x.b.f, W, x.w + 77, &x.b.g->fx);
    box_settle(&x.b);
    assert_int_equal(x.b.n_out, 0);
    farm_on_gap(x.b.f, W, x.w, &x.b.g->fx);
    box_settle(&x.b);
    const union message *m = box_take(&x.b, W, MSG_ERROR);
    assert_non_null(m);
    assert_true(str_is(m->error.name, "STALE"));
    box_close(&x.b);
}

static void test_the_expired_attempt_is_adopted_while_it_waits(void **unused)
{
    (void)unused;
    struct fixture x;
    uint64_t session;
    begin(&x, 1, 1);
    start(&x, W, x.w, 0, 1);
    box_pass(&x.b, 40 * SEC);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_QUEUED);
    struct verdict v = hello_holding(&x, W, 1, 0, 1, 1, &session);
    assert_int_equal(v.verdict, VERDICT_ADOPT);
    assert_int_equal(v.new_attempt, 2);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_RUNNING);
    /* The worker had not heard of it when it sent this. */
    SEND(&x.b, W, session, FINAL, final, .study = 1, .trial = 0, .attempt = 1, .has_value = true,
         .value = 3);
    box_settle(&x.b);
    assert_int_equal(box_take(&x.b, W, MSG_ACK)->ack.attempt, 1);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_COMPLETE);
    SEND(&x.b, W, session, FINAL, final, .study = 1, .trial = 0, .attempt = 2, .has_value = true,
         .value = 4);
    box_settle(&x.b);
    assert_non_null(box_take(&x.b, W, MSG_ACK));
    assert_true(box_trial(&x.b, 1, 0).value == 3);
    box_close(&x.b);
}

static void test_after_a_new_grant_the_old_one_is_killed(void **unused)
{
    (void)unused;
    struct fixture x;
    uint64_t session;
    begin(&x, 1, 1);
    start(&x, W, x.w, 0, 1);
    box_pass(&x.b, 40 * SEC);
    box_worker(&x.b, 14, 9, 1);
    assert_int_equal(box_trial(&x.b, 1, 0).attempt, 2);
    struct verdict v = hello_holding(&x, W, 1, 0, 1, 1, &session);
    assert_int_equal(v.verdict, VERDICT_KILL);
    assert_int_equal(v.why, STOP_SUPERSEDED);
    SEND(&x.b, W, session, FINAL, final, .study = 1, .trial = 0, .attempt = 1, .has_value = true,
         .value = 3);
    box_settle(&x.b);
    assert_int_equal(box_take(&x.b, W, MSG_NAK)->nak.code, NAK_SUPERSEDED);
    box_close(&x.b);
}

static void test_verdicts_of_attempts_that_are_over(void **unused)
{
    (void)unused;
    struct fixture x;
    uint64_t session;
    begin(&x, 1, 1);
    SEND(&x.b, W, x.w, FINAL, final, .study = 1, .trial = 0, .attempt = 1, .has_value = true,
         .value = 3);
    box_settle(&x.b);
    assert_int_equal(hello_holding(&x, W, 1, 0, 1, 3, &session).verdict, VERDICT_FINISHED);
    assert_int_equal(hello_holding(&x, W, 1, 0, 1, 1, &session).verdict, VERDICT_KILL);
    assert_int_equal(hello_holding(&x, W, 1, 7, 1, 1, &session).verdict, VERDICT_KILL);
    assert_int_equal(hello_holding(&x, W, 1, 0, 5, 1, &session).verdict, VERDICT_KILL);
    box_close(&x.b);
}

static void test_what_a_worker_does_not_hold_is_not_there(void **unused)
{
    (void)unused;
    struct fixture x;
    uint64_t session;
    begin(&x, 2, 2);
    assert_int_equal(box_state(&x.b, 1, 1), TRIAL_LEASED);
    struct verdict v = hello_holding(&x, W, 1, 0, 1, 0, &session);
    assert_int_equal(v.verdict, VERDICT_KEEP);
    assert_int_equal(box_state(&x.b, 1, 1), TRIAL_QUEUED); /* its ASSIGN was lost */
    /* The other is missing from two beats, long after its grant. */
    for (int i = 0; i < 4; i++) {
        box_pass(&x.b, 5 * SEC);
        SEND(&x.b, W, session, BEAT, beat, .number = (uint64_t)i + 1);
        box_settle(&x.b);
    }
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_QUEUED);
    box_close(&x.b);
}

static void test_poison(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    uint64_t session = x.w;
    for (uint32_t attempt = 1; attempt <= 8; attempt++) {
        assert_int_equal(box_state(&x.b, 1, 0), TRIAL_LEASED);
        assert_int_equal(box_trial(&x.b, 1, 0).lost, attempt - 1);
        start(&x, W, session, 0, attempt);
        box_pass(&x.b, 31 * SEC);
        if (attempt < 8)
            session = box_worker(&x.b, W, attempt + 20, 1);
    }
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_FAILED);
    box_close(&x.b);
}

static void test_restart_keeps_what_runs(void **unused)
{
    (void)unused;
    struct fixture x;
    uint64_t session;
    begin(&x, 2, 3);
    start(&x, W, x.w, 0, 1);
    start(&x, W, x.w, 1, 1);
    uint64_t epoch = x.b.c.epoch;
    box_restart(&x.b);
    assert_int_equal(x.b.c.epoch, epoch + 1);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_RUNNING);
    SEND(&x.b, W, x.w, BEAT, beat, .number = 1);
    box_settle(&x.b);
    assert_true(str_is(box_take(&x.b, W, MSG_ERROR)->error.name, "STALE"));
    box_pass(&x.b, 40 * SEC); /* within lease and grace */
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_RUNNING);
    struct verdict v = hello_holding(&x, W, 1, 0, 1, 1, &session);
    assert_int_equal(v.verdict, VERDICT_KEEP);
    assert_int_equal(box_state(&x.b, 1, 1), TRIAL_QUEUED); /* not held by its worker any more */
    SEND(&x.b, W, session, FINAL, final, .study = 1, .trial = 0, .attempt = 1, .has_value = true,
         .value = 3);
    box_settle(&x.b);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_COMPLETE);
    box_close(&x.b);
}

static void test_grace_ends(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 2, 2);
    start(&x, W, x.w, 0, 1);
    box_restart(&x.b);
    box_worker(&x.b, 15, 8, 2); /* queued trials would be granted at once; these two are open */
    assert_int_equal(box_trial(&x.b, 1, 0).attempt, 1);
    for (int i = 0; i < 5; i++) {
        box_pass(&x.b, 9 * SEC);
        SEND(&x.b, 15, (x.b.c.epoch << 32) + 1, BEAT, beat, .number = (uint64_t)i + 1);
        box_settle(&x.b);
    }
    box_pass(&x.b, SEC);
    assert_int_equal(box_trial(&x.b, 1, 0).attempt, 2);
    assert_int_equal(box_trial(&x.b, 1, 0).lost, 1);
    assert_int_equal(box_trial(&x.b, 1, 1).lost, 0);
    box_close(&x.b);
}

static void test_rows_and_journal_give_the_same(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 2, 6);
    for (uint64_t t = 0; t < 4; t++) {
        start(&x, W, x.w, t, 1);
        if (t == 1)
            box_pass(&x.b, 2 * SEC); /* some rows are written, some are behind */
        SEND(&x.b, W, x.w, FINAL, final, .study = 1, .trial = t, .attempt = 1, .has_value = t != 2,
             .value = (double)t, .status = t == 2 ? FINAL_ERROR : FINAL_OK, .error = STR("e"));
        SEND(&x.b, W, x.w, CREDIT, credit, .total = t + 3);
        box_settle(&x.b);
    }
    struct farm_counts before = farm_counts(x.b.f);
    unsigned states[6];
    for (uint64_t t = 0; t < 6; t++)
        states[t] = box_state(&x.b, 1, t);
    box_restart(&x.b);
    struct farm_counts after = farm_counts(x.b.f);
    assert_int_equal(before.trials, after.trials);
    assert_int_equal(before.open_trials, after.open_trials);
    for (uint64_t t = 0; t < 6; t++)
        assert_int_equal(box_state(&x.b, 1, t), states[t]);
    box_pass(&x.b, 3 * SEC);
    box_restart(&x.b);
    assert_int_equal(farm_counts(x.b.f).trials, before.trials);
    box_close(&x.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello_is_checked),
        cmocka_unit_test(test_silence_expires_and_a_beat_keeps),
        cmocka_unit_test(test_a_connection_that_is_gone_is_given_up_sooner),
        cmocka_unit_test(test_who_lost_messages_says_hello_again),
        cmocka_unit_test(test_the_expired_attempt_is_adopted_while_it_waits),
        cmocka_unit_test(test_after_a_new_grant_the_old_one_is_killed),
        cmocka_unit_test(test_verdicts_of_attempts_that_are_over),
        cmocka_unit_test(test_what_a_worker_does_not_hold_is_not_there),
        cmocka_unit_test(test_poison),
        cmocka_unit_test(test_restart_keeps_what_runs),
        cmocka_unit_test(test_grace_ends),
        cmocka_unit_test(test_rows_and_journal_give_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
