/* Checkpoints in the worker's core, above all when it has to leave: evaluators that obey, ignore,
 * hang and die; digests that come late; the check before a trial goes on. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "core_fixture.h"
#include "hash.h"

#define LINE   ",\"checkpoint\":{\"ask\":\"line\"},\"grace\":\"3s\""
#define SIGNAL ",\"checkpoint\":{\"ask\":\"SIGUSR1\",\"within\":\"15s\"},\"grace\":\"3s\""

static struct fix f;

static int setup(void **state)
{
    (void)state;
    fix_open(&f, 4);
    fix_clear(&f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fix_close(&f);
    return 0;
}

static void leave_in(int64_t ns)
{
    struct worker_leave l = {f.now + ns, RELEASE_PREEMPT, "spot"};
    worker_leave(f.w, f.now, &l, &f.out);
    fix_take(&f);
}

static const struct worker_fx *last_effect(enum worker_fx_kind kind)
{
    for (size_t i = f.n; i-- > 0;)
        if (f.fx[i].kind == kind)
            return &f.fx[i];
    return NULL;
}

static size_t place_of(unsigned kind)
{
    size_t i = 0;
    while (i < f.n && !(f.fx[i].kind == WFX_SEND && f.fx[i].message == kind))
        i++;
    return i;
}

/* It was given back, and not as anything else. */
static void assert_released(uint8_t why)
{
    assert_int_equal(fix_messages(&f, MSG_RELEASE), 1);
    assert_int_equal(fix_last(&f, MSG_RELEASE)->release.why, why);
    assert_int_equal(fix_messages(&f, MSG_FINAL), 0);
}

static void a_checkpoint_is_told_with_its_digest(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    fix_line(&f, run, "{\"checkpoint\":\"c/5\",\"step\":5}");
    assert_true(str_is(last_effect(WFX_SEAL)->body, "c/5"));
    assert_int_equal(fix_messages(&f, MSG_CHECKPOINT), 0);
    fix_line(&f, run, "{\"checkpoint\":\"c/6\",\"step\":6}");
    fix_line(&f, run, "{\"checkpoint\":\"c/7\",\"step\":7}");
    assert_int_equal(fix_effects(&f, WFX_SEAL), 1); /* one at a time */
    fix_seal(&f, run, SEAL_OK, "/root/c/5", STR("five"));
    const struct msg_checkpoint *m = &fix_last(&f, MSG_CHECKPOINT)->checkpoint;
    assert_true(str_is(m->uri, "/root/c/5") && m->step == 5 && m->size == 4);
    assert_true(digest_eq(m->digest, hash_bytes(STR("five"))));
    assert_true(str_is(last_effect(WFX_SEAL)->body, "c/7")); /* the newest of those that waited */
    fix_seal(&f, run, SEAL_ABSENT, "", STR(""));
    assert_int_equal(fix_messages(&f, MSG_CHECKPOINT), 1);
    fix_line(&f, run, "{\"checkpoint\":\"s3://bucket/8\",\"step\":8,\"size\":99}");
    fix_seal(&f, run, SEAL_ELSEWHERE, "s3://bucket/8", STR(""));
    m = &fix_last(&f, MSG_CHECKPOINT)->checkpoint;
    assert_true(str_is(m->uri, "s3://bucket/8") && m->size == 99);
    fix_line(&f, run, "{\"loss\":1}");
    fix_exit(&f, run, 0, 0, "");
    fix_clear(&f);
    fix_ack(&f, MSG_FINAL, 1, 0);
    assert_int_equal(last_effect(WFX_TIDY)->trial, 1);
}

static void asked_by_a_line_and_obeys(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, LINE);
    leave_in(30 * NS_PER_S);
    assert_true(
        str_is(last_effect(WFX_LINE)->body, "{\"checkpoint\":{\"deadline_s\":20},\"trial\":1}"));
    assert_int_equal(fix_effects(&f, WFX_SIGNAL), 0);
    const struct msg_drain *d = &fix_last(&f, MSG_DRAIN)->drain;
    assert_true(d->deadline_ms == 30000 && str_is(d->why, "spot"));
    fix_line(&f, run, "{\"step\":3,\"loss\":0.5}");
    fix_line(&f, run, "{\"checkpoint\":\"c\",\"step\":3}");
    assert_int_equal(fix_signals(&f, SIGTERM), 0);
    fix_seal(&f, run, SEAL_OK, "/c", STR("x"));
    assert_int_equal(fix_signals(&f, SIGTERM), 1); /* it need not go on */
    fix_exit(&f, run, -1, SIGTERM, "");
    assert_released(RELEASE_PREEMPT);
    assert_true(place_of(MSG_REPORT) < place_of(MSG_CHECKPOINT));
    assert_true(place_of(MSG_CHECKPOINT) < place_of(MSG_RELEASE));
    assert_int_equal(fix_effects(&f, WFX_EXIT), 0);
    fix_ack(&f, MSG_CHECKPOINT, 1, 3);
    fix_ack(&f, MSG_RELEASE, 1, 0);
    assert_int_equal(fix_messages(&f, MSG_BYE), 1);
    assert_int_equal(fix_effects(&f, WFX_EXIT), 1);
    assert_int_equal(fix_effects(&f, WFX_TIDY), 0); /* another worker needs it */
}

/* A program that knows nothing of the channel: what is in its directory when it ends well. */
static void asked_by_a_signal_and_obeys(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, SIGNAL);
    fix_line(&f, run, "{\"step\":4,\"loss\":0.5}");
    leave_in(120 * NS_PER_S);
    assert_int_equal(last_effect(WFX_ASK)->signal, SIGUSR1);
    fix_exit(&f, run, 0, 0, "");
    assert_true(last_effect(WFX_SEAL)->body.n == 0);
    assert_int_equal(fix_messages(&f, MSG_RELEASE), 0);
    fix_seal(&f, run, SEAL_OK, "/root/checkpoints/1/1", STR("x"));
    assert_int_equal(fix_last(&f, MSG_CHECKPOINT)->checkpoint.step, 4);
    assert_released(RELEASE_PREEMPT);
}

static void asked_by_a_signal_and_leaves_nothing(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, SIGNAL);
    leave_in(120 * NS_PER_S);
    fix_exit(&f, run, 0, 0, "");
    fix_seal(&f, run, SEAL_ABSENT, "", STR(""));
    assert_int_equal(fix_messages(&f, MSG_CHECKPOINT), 0);
    assert_released(RELEASE_PREEMPT);
}

static void dies_of_the_question(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, SIGNAL);
    leave_in(120 * NS_PER_S);
    fix_exit(&f, run, -1, SIGUSR1, "");
    assert_int_equal(fix_effects(&f, WFX_SEAL), 0); /* half of one may be there */
    assert_released(RELEASE_PREEMPT);
}

static void ignores_the_question(void **state)
{
    (void)state;
    int64_t begin = f.now;
    uint64_t run = fix_run(&f, 1, SIGNAL);
    leave_in(120 * NS_PER_S);
    while (fix_signals(&f, SIGTERM) == 0)
        fix_live(&f, 1);
    assert_int_equal((f.now - begin) / NS_PER_S, 15); /* objective.checkpoint.within */
    while (fix_signals(&f, SIGKILL) == 0)
        fix_live(&f, 1);
    assert_int_equal((f.now - begin) / NS_PER_S, 18); /* objective.grace */
    fix_exit(&f, run, -1, SIGKILL, "");
    assert_released(RELEASE_PREEMPT);
}

/* Everything is over before the deadline, even if nothing obeys and nothing dies. */
static void hangs_until_the_deadline(void **state)
{
    (void)state;
    int64_t begin = f.now;
    fix_run(&f, 1, ",\"checkpoint\":{\"ask\":\"line\",\"within\":\"10m\"},\"grace\":\"1m\"");
    leave_in(30 * NS_PER_S);
    while (fix_signals(&f, SIGTERM) == 0)
        fix_live(&f, 1);
    assert_int_equal((f.now - begin) / NS_PER_S, 20);
    while (fix_signals(&f, SIGKILL) == 0)
        fix_live(&f, 1);
    assert_int_equal((f.now - begin) / NS_PER_S, 25);
    while (fix_effects(&f, WFX_EXIT) == 0)
        fix_live(&f, 1);
    assert_int_equal((f.now - begin) / NS_PER_S, 28);
    assert_int_equal(fix_messages(&f, MSG_BYE), 1); /* the broker takes back what is held */
}

static void short_notice_is_divided_alike(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, LINE);
    leave_in(3 * NS_PER_S);
    fix_at(&f, 1900 * NS_PER_MS);
    assert_int_equal(fix_signals(&f, SIGTERM), 0);
    fix_at(&f, 200 * NS_PER_MS);
    assert_int_equal(fix_signals(&f, SIGTERM), 1);
    fix_exit(&f, run, -1, SIGTERM, "");
    assert_released(RELEASE_PREEMPT);
    fix_at(&f, 800 * NS_PER_MS);
    assert_int_equal(fix_effects(&f, WFX_EXIT), 1); /* not acknowledged; there is no time to wait */
}

static void a_deadline_that_comes_later_shortens(void **state)
{
    (void)state;
    int64_t begin = f.now;
    fix_run(&f, 1, ",\"checkpoint\":{\"ask\":\"line\",\"within\":\"10m\"},\"grace\":\"1m\"");
    worker_drain(f.w, f.now, &f.out);
    fix_take(&f);
    assert_int_equal(fix_effects(&f, WFX_LINE), 1);
    fix_live(&f, 28);
    struct msg_beat_ack order = {.leave = true, .deadline_ms = 9000};
    fix_send(&f, MSG_BEAT_ACK, &order);
    fix_live(&f, 1);
    order.deadline_ms = 8000; /* the same, a second later */
    size_t drains = fix_messages(&f, MSG_DRAIN);
    fix_send(&f, MSG_BEAT_ACK, &order);
    assert_int_equal(fix_messages(&f, MSG_DRAIN), drains);
    assert_int_equal(fix_effects(&f, WFX_LINE), 1);
    while (fix_effects(&f, WFX_EXIT) == 0)
        fix_live(&f, 1);
    assert_in_range(f.now - begin, 35 * NS_PER_S, 37 * NS_PER_S);
}

static void an_order_at_once(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, LINE);
    struct msg_leave order = {.at_once = true};
    fix_send(&f, MSG_LEAVE, &order);
    assert_int_equal(fix_signals(&f, SIGKILL), 1);
    fix_exit(&f, run, -1, SIGKILL, "");
    assert_released(RELEASE_DRAIN);
    struct msg_leave late = {.deadline_ms = 1000};
    fix_send(&f, MSG_LEAVE, &late);
}

static void a_result_wins(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, LINE);
    leave_in(30 * NS_PER_S);
    fix_line(&f, run, "{\"checkpoint\":\"c\",\"step\":3}");
    fix_line(&f, run, "{\"loss\":0.25}");
    fix_exit(&f, run, 0, 0, "");
    assert_int_equal(fix_last(&f, MSG_FINAL)->final.status, FINAL_OK);
    assert_int_equal(fix_messages(&f, MSG_RELEASE), 0);
    fix_seal(&f, run, SEAL_OK, "/c", STR("x"));
    assert_int_equal(fix_messages(&f, MSG_CHECKPOINT), 0);
}

/* The helpers end a trial that was stopped as pruned; that is no verdict on its point. */
static void giving_up_when_asked_to_leave_is_giving_back(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    fix_line(&f, run, "{\"step\":1,\"loss\":1}");
    leave_in(30 * NS_PER_S);
    fix_live(&f, 20);
    assert_int_equal(fix_signals(&f, SIGTERM), 1);
    fix_line(&f, run, "{\"pruned\":true}");
    fix_exit(&f, run, 0, 0, "");
    assert_released(RELEASE_PREEMPT);
}

/* It need not wait to be stopped: what it named counts although it is done with the trial. */
static void giving_up_right_behind_a_checkpoint(void **state)
{
    (void)state;
    for (int served = 0; served < 2; served++) {
        teardown(state);
        setup(state);
        uint64_t run = fix_run(&f, 1, served ? ",\"serve\":true" LINE : LINE);
        leave_in(30 * NS_PER_S);
        fix_line(&f, run, "{\"checkpoint\":\"c\",\"step\":3}");
        fix_line(&f, run, "{\"pruned\":true}");
        if (served)
            assert_int_equal(fix_effects(&f, WFX_END), 1);
        else
            fix_exit(&f, run, 0, 0, "");
        assert_int_equal(fix_messages(&f, MSG_RELEASE), 0);
        fix_seal(&f, run, SEAL_OK, "/c", STR("x"));
        assert_int_equal(fix_messages(&f, MSG_CHECKPOINT), 1);
        assert_released(RELEASE_PREEMPT);
    }
}

static void cancelled_while_it_is_asked(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, LINE);
    leave_in(30 * NS_PER_S);
    fix_line(&f, run, "{\"checkpoint\":\"c\",\"step\":3}");
    struct msg_stop stop = {.study = 3, .trial = 1, .attempt = 1, .why = STOP_CANCEL};
    fix_send(&f, MSG_STOP, &stop);
    assert_int_equal(fix_signals(&f, SIGTERM), 1);
    fix_exit(&f, run, -1, SIGTERM, "");
    assert_int_equal(fix_messages(&f, MSG_FINAL), 1); /* nobody needs the digest any more */
    fix_seal(&f, run, SEAL_OK, "/c", STR("x"));
    assert_int_equal(fix_messages(&f, MSG_CHECKPOINT), 0);
}

static void the_end_waits_for_the_digest(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    fix_line(&f, run, "{\"checkpoint\":\"c\",\"step\":3}");
    fix_exit(&f, run, 1, 0, "it broke");
    assert_int_equal(fix_messages(&f, MSG_FINAL), 0);
    fix_live(&f, 20);
    fix_seal(&f, run, SEAL_OK, "/c", STR("x"));
    assert_int_equal(fix_messages(&f, MSG_CHECKPOINT), 1);
    const struct msg_final *m = &fix_last(&f, MSG_FINAL)->final;
    assert_true(m->status == FINAL_ERROR && m->exit_code == 1);
    assert_non_null(strstr(m->error.p, "it broke"));
}

static void a_digest_that_takes_too_long(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, LINE);
    leave_in(30 * NS_PER_S);
    fix_line(&f, run, "{\"checkpoint\":\"c\",\"step\":3}");
    fix_exit(&f, run, 0, 0, "");
    fix_live(&f, 24);
    assert_int_equal(fix_messages(&f, MSG_RELEASE), 0);
    fix_live(&f, 2);
    assert_released(RELEASE_PREEMPT); /* without it: better than not at all */
    fix_seal(&f, run, SEAL_OK, "/c", STR("x"));
    assert_int_equal(fix_messages(&f, MSG_CHECKPOINT), 0);
}

static void unwanted_while_its_digest_is_computed(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, LINE);
    fix_line(&f, run, "{\"checkpoint\":\"c\",\"step\":3}");
    fix_exit(&f, run, 1, 0, "");
    struct msg_kill kill = {.study = 3, .trial = 1, .attempt = 1};
    fix_send(&f, MSG_KILL, &kill);
    assert_int_equal(worker_attempts(f.w), 0);
    fix_seal(&f, run, SEAL_OK, "/c", STR("x"));
    assert_int_equal(fix_messages(&f, MSG_CHECKPOINT) + fix_messages(&f, MSG_FINAL), 0);
}

static void a_pause_has_time_for_a_checkpoint(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, LINE);
    struct msg_stop stop = {.study = 3, .trial = 1, .attempt = 1, .why = STOP_PAUSE};
    fix_send(&f, MSG_STOP, &stop);
    fix_send(&f, MSG_STOP, &stop); /* every beat says so */
    assert_int_equal(fix_effects(&f, WFX_LINE), 1);
    assert_int_equal(fix_signals(&f, SIGTERM), 0);
    fix_line(&f, run, "{\"checkpoint\":\"c\",\"step\":3}");
    fix_seal(&f, run, SEAL_OK, "/c", STR("x"));
    assert_int_equal(fix_signals(&f, SIGTERM), 1);
    fix_exit(&f, run, -1, SIGTERM, "");
    assert_int_equal(fix_messages(&f, MSG_RELEASE), 1);
}

/* ---- resuming ---- */

static void assign_resuming(uint64_t trial, struct digest digest)
{
    (void)fix_run(&f, 9, ""); /* the spec is known */
    fix_clear(&f);
    struct msg_assign m = {.study = 3,
                           .trial = trial,
                           .attempt = 2,
                           .spec = f.spec,
                           .params = STR("{\"x\":0.5}"),
                           .study_name = STR("s"),
                           .resume = STR("/c"),
                           .resume_step = 5,
                           .resume_digest = digest};
    fix_send(&f, MSG_ASSIGN, &m);
}

static void answer_check(uint64_t run, enum seal_verdict verdict, struct str content)
{
    struct seal s = {.verdict = verdict, .digest = hash_bytes(content), .text = STR("why not")};
    worker_on_checked(f.w, f.now, run, &s, &f.out);
    fix_take(&f);
}

static void expect_start(uint8_t outcome, int64_t step)
{
    uint64_t run = fix_spawned(&f);
    assert_true(run > 0);
    bool given = last_effect(WFX_SPAWN)->run->resume.n > 0;
    assert_int_equal(given, outcome == RESUME_DONE);
    worker_on_child_started(f.w, f.now, run, 5, &f.out);
    fix_take(&f);
    const struct msg_start *m = &fix_last(&f, MSG_START)->start;
    assert_int_equal(m->resume, outcome);
    assert_int_equal(m->resume_step, step);
}

static void goes_on_from_a_checkpoint_that_is_whole(void **state)
{
    (void)state;
    assign_resuming(1, hash_bytes(STR("x")));
    const struct worker_fx *x = last_effect(WFX_CHECK);
    assert_true(str_is(x->body, "/c") && fix_spawned(&f) == 0);
    answer_check(x->run->run, SEAL_OK, STR("x"));
    expect_start(RESUME_DONE, 5);
}

static void begins_anew_without_one(void **state)
{
    (void)state;
    assign_resuming(1, hash_bytes(STR("x")));
    answer_check(last_effect(WFX_CHECK)->run->run, SEAL_ABSENT, STR(""));
    expect_start(RESUME_ABSENT, 0);
}

static void begins_anew_if_it_is_another(void **state)
{
    (void)state;
    assign_resuming(1, hash_bytes(STR("x")));
    answer_check(last_effect(WFX_CHECK)->run->run, SEAL_OK, STR("y"));
    expect_start(RESUME_CHANGED, 0);
}

static void what_nobody_here_can_check_is_passed_on(void **state)
{
    (void)state;
    assign_resuming(1, (struct digest){{0}});
    assert_int_equal(fix_effects(&f, WFX_CHECK), 0);
    expect_start(RESUME_DONE, 5);
}

static void leaves_while_it_is_checked(void **state)
{
    (void)state;
    assign_resuming(1, hash_bytes(STR("x")));
    uint64_t run = last_effect(WFX_CHECK)->run->run;
    leave_in(30 * NS_PER_S);
    assert_released(RELEASE_PREEMPT);
    answer_check(run, SEAL_OK, STR("x"));
    assert_int_equal(fix_spawned(&f), 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_checkpoint_is_told_with_its_digest),
        T(asked_by_a_line_and_obeys),
        T(asked_by_a_signal_and_obeys),
        T(asked_by_a_signal_and_leaves_nothing),
        T(dies_of_the_question),
        T(ignores_the_question),
        T(hangs_until_the_deadline),
        T(short_notice_is_divided_alike),
        T(a_deadline_that_comes_later_shortens),
        T(an_order_at_once),
        T(a_result_wins),
        T(giving_up_when_asked_to_leave_is_giving_back),
        T(giving_up_right_behind_a_checkpoint),
        T(cancelled_while_it_is_asked),
        T(the_end_waits_for_the_digest),
        T(a_digest_that_takes_too_long),
        T(unwanted_while_its_digest_is_computed),
        T(a_pause_has_time_for_a_checkpoint),
        T(goes_on_from_a_checkpoint_that_is_whole),
        T(begins_anew_without_one),
        T(begins_anew_if_it_is_another),
        T(what_nobody_here_can_check_is_passed_on),
        T(leaves_while_it_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
