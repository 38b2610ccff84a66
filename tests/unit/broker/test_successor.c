/* A worker that found the spool of an ended process: it speaks for that one's attempts and for
 * nobody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "farmbox.h"

#define W 11u /* the process that ends: id 1 */
#define Y 13u /* its successor: id 7 */
#define C 12u

struct fixture {
    struct box b;
    uint64_t w, c;
};

static void begin(struct fixture *x, int trials)
{
    box_open(&x->b);
    x->c = box_client(&x->b, C, 2);
    box_submit(&x->b, C, x->c, "s");
    for (int i = 0; i < trials; i++)
        box_enqueue(&x->b, C, x->c, "s", "{}");
    x->w = box_worker(&x->b, W, 1, (uint32_t)trials);
    for (int i = 0; i < trials; i++)
        SEND(&x->b, W, x->w, START, start, .study = 1, .trial = (uint64_t)i, .attempt = 1);
    box_settle(&x->b);
    box_clear(&x->b);
}

/* HELLO of worker `id` that holds the final of an attempt of trial 0 and speaks for the process
 * `former` (0 = nobody). */
static struct verdict hello(struct fixture *x, uint64_t peer, unsigned id, unsigned former,
                            uint32_t attempt, uint64_t *session)
{
    struct held h = {.study = 1, .trial = 0, .attempt = attempt, .phase = 3};
    struct former f = {box_id(former)};
    struct msg_hello m = {.role = ROLE_WORKER,
                          .version_min = 1,
                          .version_max = 1,
                          .peer = box_id(id),
                          .host = STR("host"),
                          .slots = 2};
    m.held.v = &h;
    m.held.n = 1;
    m.former.v = &f;
    m.former.n = former ? 1 : 0;
    box_send(&x->b, peer, 0, MSG_HELLO, &m, sizeof m);
    box_settle(&x->b);
    const union message *w = box_take(&x->b, peer, MSG_WELCOME);
    assert_non_null(w);
    assert_int_equal(w->welcome.verdicts.n, 1);
    *session = w->welcome.session;
    return w->welcome.verdicts.v[0];
}

static unsigned final(struct fixture *x, uint64_t peer, uint64_t session, uint32_t attempt)
{
    SEND(&x->b, peer, session, FINAL, final, .study = 1, .trial = 0, .attempt = attempt,
         .has_value = true, .value = 3);
    box_settle(&x->b);
    return box_take(&x->b, peer, MSG_ACK) ? MSG_ACK : MSG_NAK;
}

static void test_the_result_of_an_open_attempt(void **unused)
{
    (void)unused;
    struct fixture x;
    uint64_t session;
    begin(&x, 2);
    struct verdict v = hello(&x, Y, 7, 1, 1, &session);
    assert_int_equal(v.verdict, VERDICT_KEEP);
    assert_int_equal(final(&x, Y, session, 1), MSG_ACK);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_COMPLETE);
    /* What the ended process held besides is lost at once, and it gets nothing more. */
    assert_int_equal(box_state(&x.b, 1, 1), TRIAL_QUEUED);
    assert_int_equal(box_trial(&x.b, 1, 1).lost, 1);
    box_close(&x.b);
}

static void test_nobody_speaks_for_another(void **unused)
{
    (void)unused;
    struct fixture x;
    uint64_t session;
    begin(&x, 1);
    assert_int_equal(hello(&x, Y, 7, 0, 1, &session).verdict, VERDICT_KILL);
    assert_int_equal(hello(&x, Y, 7, 6, 1, &session).verdict, VERDICT_KILL);
    assert_int_equal(final(&x, Y, session, 1), MSG_NAK);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_RUNNING);
    box_close(&x.b);
}

static void test_nobody_takes_an_orphan_of_another(void **unused)
{
    (void)unused;
    struct fixture x;
    uint64_t session;
    begin(&x, 1);
    box_restart(&x.b);
    assert_int_equal(hello(&x, Y, 7, 0, 1, &session).verdict, VERDICT_KILL);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_RUNNING); /* still waits for its own worker */
    assert_int_equal(hello(&x, 14, 8, 1, 1, &session).verdict, VERDICT_KEEP);
    assert_int_equal(final(&x, 14, session, 1), MSG_ACK);
    box_close(&x.b);
}

static void test_after_a_start_the_rest_is_lost_at_once(void **unused)
{
    (void)unused;
    struct fixture x;
    uint64_t session;
    begin(&x, 2);
    box_restart(&x.b);
    assert_int_equal(hello(&x, Y, 7, 1, 1, &session).verdict, VERDICT_KEEP);
    assert_int_equal(box_state(&x.b, 1, 1), TRIAL_QUEUED);
    assert_int_equal(box_trial(&x.b, 1, 1).lost, 1);
    box_close(&x.b);
}

static void test_expired_attempts_are_adopted_by_the_successor_only(void **unused)
{
    (void)unused;
    struct fixture x;
    uint64_t session;
    begin(&x, 1);
    box_pass(&x.b, 40 * SEC);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_QUEUED);
    assert_int_equal(hello(&x, 14, 8, 0, 1, &session).verdict, VERDICT_KILL);
    assert_int_equal(final(&x, 14, session, 1), MSG_NAK);
    struct verdict v = hello(&x, Y, 7, 1, 1, &session);
    assert_int_equal(v.verdict, VERDICT_ADOPT);
    assert_int_equal(v.new_attempt, 2);
    assert_int_equal(final(&x, Y, session, 2), MSG_ACK);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_COMPLETE);
    box_close(&x.b);
}

static void test_what_was_granted_again_is_superseded(void **unused)
{
    (void)unused;
    struct fixture x;
    uint64_t session;
    begin(&x, 1);
    box_pass(&x.b, 40 * SEC);
    box_worker(&x.b, 14, 9, 1);
    assert_int_equal(box_trial(&x.b, 1, 0).attempt, 2);
    struct verdict v = hello(&x, Y, 7, 1, 1, &session);
    assert_int_equal(v.verdict, VERDICT_KILL);
    assert_int_equal(v.why, STOP_SUPERSEDED);
    assert_int_equal(final(&x, Y, session, 1), MSG_NAK);
    box_close(&x.b);
}

static void test_the_next_successor_takes_it_over(void **unused)
{
    (void)unused;
    struct fixture x;
    uint64_t session;
    begin(&x, 1);
    assert_int_equal(hello(&x, Y, 7, 1, 1, &session).verdict, VERDICT_KEEP);
    /* It ends too. Its successor names the process that the attempt was granted to. */
    assert_int_equal(hello(&x, 14, 8, 7, 1, &session).verdict, VERDICT_KEEP);
    assert_int_equal(final(&x, 14, session, 1), MSG_ACK);
    /* The first one is not dead after all: nothing of it counts twice. */
    assert_int_equal(hello(&x, W, 1, 0, 1, &session).verdict, VERDICT_FINISHED);
    box_close(&x.b);
}

static void test_a_former_that_lives_has_lost_it(void **unused)
{
    (void)unused;
    struct fixture x;
    uint64_t session, old;
    begin(&x, 1);
    assert_int_equal(hello(&x, Y, 7, 1, 1, &session).verdict, VERDICT_KEEP);
    SEND(&x.b, W, x.w, FINAL, final, .study = 1, .trial = 0, .attempt = 1, .has_value = true);
    box_settle(&x.b);
    assert_true(str_is(box_take(&x.b, W, MSG_ERROR)->error.name, "STALE"));
    assert_int_equal(hello(&x, W, 1, 0, 1, &old).verdict, VERDICT_KILL);
    assert_int_equal(final(&x, W, old, 1), MSG_NAK);
    assert_int_equal(final(&x, Y, session, 1), MSG_ACK);
    box_close(&x.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_result_of_an_open_attempt),
        cmocka_unit_test(test_nobody_speaks_for_another),
        cmocka_unit_test(test_nobody_takes_an_orphan_of_another),
        cmocka_unit_test(test_after_a_start_the_rest_is_lost_at_once),
        cmocka_unit_test(test_expired_attempts_are_adopted_by_the_successor_only),
        cmocka_unit_test(test_what_was_granted_again_is_superseded),
        cmocka_unit_test(test_the_next_successor_takes_it_over),
        cmocka_unit_test(test_a_former_that_lives_has_lost_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
