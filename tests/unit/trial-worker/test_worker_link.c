/* Sessions, beats, leases, credit and leaving in the worker's core, with virtual time. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backoff.h"
#include "core_fixture.h"

static struct fix f;

static int setup(void **state)
{
    (void)state;
    fix_open(&f, 4);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fix_close(&f);
    return 0;
}

/* Acknowledges the last beat. */
static void acknowledge_beat(void)
{
    const union message *b = fix_last(&f, MSG_BEAT);
    assert_non_null(b);
    struct msg_beat_ack m = {.number = b->beat.number};
    fix_send(&f, MSG_BEAT_ACK, &m);
}

static void credit_counts_from_the_sessions_start(void **state)
{
    (void)state;
    assert_int_equal(fix_last(&f, MSG_CREDIT)->credit.total, 4);
    uint64_t run = fix_run(&f, 1, "");
    assert_int_equal(fix_messages(&f, MSG_CREDIT), 1); /* the grant used up what it gave */
    fix_exit(&f, run, 1, 0, "");
    assert_int_equal(fix_last(&f, MSG_CREDIT)->credit.total, 5);
    run = fix_run(&f, 2, "");
    worker_on_gap(f.w, f.now, &f.out);
    fix_take(&f);
    fix_clear(&f);
    worker_on_gap(f.w, f.now, &f.out); /* already greeting */
    fix_take(&f);
    assert_int_equal(f.n, 0);
}

static void held_slots_are_not_offered_again(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    worker_on_gap(f.w, f.now, &f.out);
    fix_take(&f);
    fix_welcome(&f, NULL, 0);
    assert_int_equal(fix_last(&f, MSG_CREDIT)->credit.total, 3);
    fix_exit(&f, run, 1, 0, "");
    assert_int_equal(fix_last(&f, MSG_CREDIT)->credit.total, 4);
}

static void beats_name_what_is_held(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 7, "");
    fix_line(&f, run, "{\"step\":5,\"loss\":1}");
    fix_clear(&f);
    for (uint64_t i = 1; i <= 20; i++) {
        fix_at(&f, 5500 * NS_PER_MS); /* at most a tenth late, at most two */
        const struct msg_beat *b = &fix_last(&f, MSG_BEAT)->beat;
        assert_true(b->number >= i && b->held.n == 1);
        assert_true(b->held.v[0].trial == 7 && b->held.v[0].phase == 1 &&
                    b->held.v[0].last_step == 5);
        acknowledge_beat();
    }
    assert_true(fix_messages(&f, MSG_BEAT) <= 25);
}

static void silence_calls_for_a_new_session(void **state)
{
    (void)state;
    fix_clear(&f);
    fix_at(&f, 14 * NS_PER_S);
    assert_int_equal(fix_messages(&f, MSG_HELLO), 0);
    fix_at(&f, 2 * NS_PER_S);
    assert_int_equal(fix_messages(&f, MSG_HELLO), 1);
    assert_int_equal(worker_session(f.w), 0);
    fix_at(&f, 17 * NS_PER_S); /* and again, less and less often */
    assert_int_equal(fix_messages(&f, MSG_HELLO), 2);
    fix_at(&f, 600 * NS_PER_S);
    assert_in_range(fix_messages(&f, MSG_HELLO), 10, 14);
    for (size_t i = 0; i < f.n; i++)
        if (f.fx[i].kind == WFX_SEND && f.fx[i].message == MSG_HELLO)
            assert_int_equal(f.fx[i].session, 0);
}

static void other_sessions_change_nothing(void **state)
{
    (void)state;
    struct msg_kill kill = {.study = 3, .trial = 1, .attempt = 1};
    fix_run(&f, 1, "");
    fix_clear(&f);
    f.session--;
    fix_send(&f, MSG_KILL, &kill);
    assert_int_equal(f.n, 0);
    struct msg_error stale = {.name = STR("STALE"), .text = STR("x")};
    fix_send(&f, MSG_ERROR, &stale); /* of a session that is over */
    assert_int_equal(fix_messages(&f, MSG_HELLO), 0);
    f.session++;
    fix_send(&f, MSG_ERROR, &stale);
    assert_int_equal(fix_messages(&f, MSG_HELLO), 1);
    struct msg_welcome old = {.version = 1, .timeline = 1, .session = f.session + 9, .hello = 1};
    fix_send(&f, MSG_WELCOME, &old); /* answers an older HELLO */
    assert_int_equal(worker_session(f.w), 0);
}

static void verdicts(void **state)
{
    (void)state;
    uint64_t run[4];
    for (uint64_t i = 0; i < 4; i++) {
        run[i] = fix_run(&f, i, "");
        fix_line(&f, run[i], "{\"step\":1,\"loss\":1}");
    }
    fix_at(&f, NS_PER_S);
    const struct verdict v[] = {
        {.study = 3, .trial = 0, .attempt = 1, .verdict = VERDICT_KEEP},
        {.study = 3, .trial = 1, .attempt = 1, .verdict = VERDICT_ADOPT, .new_attempt = 4},
        {.study = 3, .trial = 2, .attempt = 1, .verdict = VERDICT_STOP, .why = STOP_PRUNE},
        {.study = 3, .trial = 3, .attempt = 1, .verdict = VERDICT_KILL},
        {.study = 3, .trial = 9, .attempt = 1, .verdict = VERDICT_KILL}, /* not held */
    };
    worker_on_disconnected(f.w, f.now, &f.out);
    worker_on_connected(f.w, f.now, &f.out);
    fix_take(&f);
    assert_int_equal(fix_last(&f, MSG_HELLO)->hello.held.n, 4);
    fix_clear(&f);
    worker_on_gap(f.w, f.now, &f.out);
    worker_on_connected(f.w, f.now, &f.out);
    fix_take(&f);
    fix_welcome(&f, v, 5);
    assert_int_equal(fix_signals(&f, SIGTERM), 1);
    assert_int_equal(fix_signals(&f, SIGKILL), 1);
    assert_int_equal(fix_messages(&f, MSG_START),
                     3 + 1); /* resent; the adopted one under its new number at once too */
    assert_int_equal(worker_attempts(f.w), 4);
    fix_exit(&f, run[1], 0, 0, "");
    assert_int_equal(fix_last(&f, MSG_FINAL)->final.attempt, 4);
    fix_exit(&f, run[3], 0, 9, "");
    assert_int_equal(worker_attempts(f.w), 3);
}

static void finished_and_unacknowledged_is_forgotten(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    fix_line(&f, run, "{\"loss\":1}");
    fix_exit(&f, run, 0, 0, "");
    assert_int_equal(worker_attempts(f.w), 1);
    const struct verdict v = {.study = 3, .trial = 1, .attempt = 1, .verdict = VERDICT_FINISHED};
    worker_on_gap(f.w, f.now, &f.out);
    fix_take(&f);
    assert_int_equal(fix_last(&f, MSG_HELLO)->hello.held.v[0].phase, 3);
    fix_clear(&f);
    worker_on_connected(f.w, f.now, &f.out);
    fix_take(&f);
    fix_welcome(&f, &v, 1);
    assert_int_equal(worker_attempts(f.w), 0);
}

/* 25 s after the last acknowledged beat the lease is over; children go on for ten minutes more. */
static void fence_and_orphans(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    fix_clear(&f);
    fix_at(&f, 6 * NS_PER_S);
    acknowledge_beat();
    int64_t since = f.now;
    worker_on_disconnected(f.w, f.now, &f.out);
    fix_take(&f);
    fix_clear(&f);
    fix_at(&f, 23 * NS_PER_S);
    assert_int_equal(fix_effects(&f, WFX_FACT), 0);
    fix_at(&f, 3 * NS_PER_S);
    assert_int_equal(f.fx[0].fact, FACT_FENCED);
    fix_at(&f, 595 * NS_PER_S);
    assert_int_equal(fix_signals(&f, SIGKILL), 0);
    fix_at(&f, since + 626 * NS_PER_S - f.now);
    assert_int_equal(fix_signals(&f, SIGKILL), 1);
    fix_exit(&f, run, 0, 9, "");
    assert_int_equal(worker_attempts(f.w), 0);
}

static void orphans_that_are_kept(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    worker_on_disconnected(f.w, f.now, &f.out);
    fix_take(&f);
    fix_at(&f, 300 * NS_PER_S);
    worker_on_connected(f.w, f.now, &f.out);
    fix_take(&f);
    fix_welcome(&f, NULL, 0);
    fix_clear(&f);
    for (int i = 0; i < 200; i++) {
        fix_at(&f, 6 * NS_PER_S);
        acknowledge_beat();
    }
    assert_int_equal(fix_signals(&f, SIGKILL), 0);
    fix_exit(&f, run, 1, 0, "");
    assert_int_equal(fix_messages(&f, MSG_FINAL), 1);
}

static void drain_and_its_deadline(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, ",\"grace\":\"10s\"");
    fix_spec(&f, ",\"grace\":\"11s\"");
    fix_assign(&f, 2); /* still fetching */
    fix_clear(&f);
    worker_drain(f.w, f.now, &f.out);
    worker_drain(f.w, f.now, &f.out);
    fix_take(&f);
    assert_int_equal(fix_messages(&f, MSG_DRAIN), 1);
    assert_int_equal(fix_messages(&f, MSG_RELEASE), 1);
    fix_assign(&f, 3); /* crossed the DRAIN */
    assert_int_equal(fix_messages(&f, MSG_RELEASE), 2);
    fix_ack(&f, MSG_RELEASE, 2, 0);
    fix_ack(&f, MSG_RELEASE, 3, 0);
    fix_at(&f, 12 * NS_PER_S);
    acknowledge_beat();
    fix_at(&f, 12 * NS_PER_S);
    acknowledge_beat();
    assert_int_equal(fix_signals(&f, SIGTERM), 0);
    fix_at(&f, 7 * NS_PER_S);
    assert_int_equal(fix_signals(&f, SIGTERM), 1);
    fix_exit(&f, run, 0, 15, "");
    assert_int_equal(fix_last(&f, MSG_RELEASE)->release.why, RELEASE_DRAIN);
    assert_int_equal(fix_effects(&f, WFX_EXIT), 0);
    assert_int_equal(fix_messages(&f, MSG_CREDIT), 0);
    fix_ack(&f, MSG_RELEASE, 1, 0);
    assert_int_equal(fix_messages(&f, MSG_BYE), 1);
    assert_int_equal(fix_effects(&f, WFX_EXIT), 1);
}

static void release_waits_two_seconds_for_the_last_word(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    fix_clear(&f);
    worker_release_all(f.w, f.now, &f.out);
    fix_take(&f);
    assert_int_equal(fix_signals(&f, SIGKILL), 1);
    fix_exit(&f, run, 0, 9, "");
    assert_int_equal(fix_messages(&f, MSG_RELEASE), 1);
    fix_at(&f, 1900 * NS_PER_MS);
    assert_int_equal(fix_effects(&f, WFX_EXIT), 0);
    fix_at(&f, 200 * NS_PER_MS);
    assert_int_equal(fix_effects(&f, WFX_EXIT), 1);
}

static void delays(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    for (uint32_t tries = 0; tries < 70; tries++) {
        double wanted = tries < 3 ? 10 * (1 << tries) : 60;
        double d = (double)backoff_delay(&r, 10 * NS_PER_S, 60 * NS_PER_S, tries) / 1e9;
        assert_true(d >= wanted * 0.9 && d < wanted * 1.1);
    }
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(credit_counts_from_the_sessions_start),
        T(held_slots_are_not_offered_again),
        T(beats_name_what_is_held),
        T(silence_calls_for_a_new_session),
        T(other_sessions_change_nothing),
        T(verdicts),
        T(finished_and_unacknowledged_is_forgotten),
        T(fence_and_orphans),
        T(orphans_that_are_kept),
        T(drain_and_its_deadline),
        T(release_waits_two_seconds_for_the_last_word),
        T(delays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
