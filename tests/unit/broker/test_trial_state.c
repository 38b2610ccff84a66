/* The state table: what it allows, and that nothing leaves a final state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "trial_state.h"

static void test_final_states_are_final(void **unused)
{
    (void)unused;
    for (unsigned s = TRIAL_COMPLETE; s <= TRIAL_CANCELLED + 3; s++) {
        for (unsigned e = 0; e < TRIAL_EVENTS; e++)
            assert_int_equal(trial_next(s, e), -1);
    }
    assert_int_equal(trial_next(TRIAL_QUEUED, TRIAL_EVENTS), -1);
}

static void test_every_unfinished_state_can_be_cancelled(void **unused)
{
    (void)unused;
    for (unsigned s = TRIAL_QUEUED; s <= TRIAL_DELAYED; s++)
        assert_int_equal(trial_next(s, TRIAL_ON_CANCEL), TRIAL_CANCELLED);
}

static void test_the_way_of_a_trial(void **unused)
{
    (void)unused;
    assert_int_equal(trial_next(TRIAL_QUEUED, TRIAL_ON_GRANT), TRIAL_LEASED);
    assert_int_equal(trial_next(TRIAL_LEASED, TRIAL_ON_START), TRIAL_RUNNING);
    assert_int_equal(trial_next(TRIAL_LEASED, TRIAL_ON_REPORT), TRIAL_RUNNING);
    assert_int_equal(trial_next(TRIAL_RUNNING, TRIAL_ON_STOP), TRIAL_STOPPING);
    assert_int_equal(trial_next(TRIAL_STOPPING, TRIAL_ON_REPORT), TRIAL_STOPPING);
    assert_int_equal(trial_next(TRIAL_STOPPING, TRIAL_ON_COMPLETE), TRIAL_COMPLETE);
    assert_int_equal(trial_next(TRIAL_STOPPING, TRIAL_ON_PAUSE), TRIAL_PAUSED);
    assert_int_equal(trial_next(TRIAL_PAUSED, TRIAL_ON_QUEUE), TRIAL_QUEUED);
    assert_int_equal(trial_next(TRIAL_RUNNING, TRIAL_ON_DELAY), TRIAL_DELAYED);
    assert_int_equal(trial_next(TRIAL_DELAYED, TRIAL_ON_QUEUE), TRIAL_QUEUED);
    assert_int_equal(trial_next(TRIAL_QUEUED, TRIAL_ON_ADOPT), TRIAL_RUNNING);
}

static void test_what_must_not_happen(void **unused)
{
    (void)unused;
    assert_int_equal(trial_next(TRIAL_RUNNING, TRIAL_ON_GRANT), -1); /* two attempts at once */
    assert_int_equal(trial_next(TRIAL_RUNNING, TRIAL_ON_ADOPT), -1);
    assert_int_equal(trial_next(TRIAL_QUEUED, TRIAL_ON_COMPLETE),
                     -1); /* a result without an attempt */
    assert_int_equal(trial_next(TRIAL_STOPPING, TRIAL_ON_REQUEUE),
                     -1); /* a stop is not forgotten */
    assert_int_equal(trial_next(TRIAL_PAUSED, TRIAL_ON_GRANT), -1);
    assert_int_equal(trial_next(TRIAL_DELAYED, TRIAL_ON_GRANT), -1);
}

static void test_what_may_be_paused(void **unused)
{
    (void)unused;
    for (unsigned s = TRIAL_QUEUED; s <= TRIAL_CANCELLED; s++) {
        bool waits = s == TRIAL_QUEUED || s == TRIAL_DELAYED || s == TRIAL_STOPPING;
        assert_int_equal(trial_next(s, TRIAL_ON_PAUSE), waits ? (int)TRIAL_PAUSED : -1);
    }
    for (unsigned e = 0; e < TRIAL_EVENTS; e++) {
        int next = e == TRIAL_ON_QUEUE    ? (int)TRIAL_QUEUED
                   : e == TRIAL_ON_PRUNE  ? (int)TRIAL_PRUNED
                   : e == TRIAL_ON_CANCEL ? (int)TRIAL_CANCELLED
                                          : -1;
        assert_int_equal(trial_next(TRIAL_PAUSED, e), next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_final_states_are_final),
        cmocka_unit_test(test_every_unfinished_state_can_be_cancelled),
        cmocka_unit_test(test_the_way_of_a_trial),
        cmocka_unit_test(test_what_must_not_happen),
        cmocka_unit_test(test_what_may_be_paused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
