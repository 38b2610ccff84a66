/* What the worker's core puts into its spool and when, and what a successor makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core_fixture.h"

static struct fix f, next; /* next: the worker after it */

static int setup(void **state)
{
    (void)state;
    fix_open_spooling(&f, 1);
    fix_open_spooling(&next, 2);
    fix_clear(&next);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fix_close(&f);
    fix_close(&next);
    return 0;
}

/* A trial that has ended with a result, which is on its way. */
static uint64_t end_trial(struct fix *x, uint64_t trial)
{
    uint64_t run = fix_run(x, trial, "");
    fix_line(x, run, "{\"step\":1,\"loss\":0.5}");
    fix_line(x, run, "{\"loss\":0.25}");
    fix_exit(x, run, 0, 0, "");
    return run;
}

/* Kinds of what the spool holds: letters of records since it was begun; "-" = nothing in it. */
static const char *tape(const struct fix *x)
{
    static char text[64];
    static const struct {
        unsigned kind;
        char letter;
    } letters[] = {{MSG_HELLO, 'H'},  {MSG_WELCOME, 'W'},    {MSG_ASSIGN, 'A'}, {MSG_START, 'S'},
                   {MSG_REPORT, 'R'}, {MSG_CHECKPOINT, 'C'}, {MSG_FINAL, 'F'},  {MSG_RELEASE, 'L'},
                   {MSG_KILL, 'K'},   {MSG_BEAT_ACK, 'N'}};
    size_t n = 0;
    for (size_t i = 0; i < x->n; i++) {
        if (x->fx[i].kind == WFX_SPOOL_NEW)
            n = 0;
        for (size_t k = 0; k < sizeof letters / sizeof *letters; k++)
            if (x->fx[i].kind == WFX_SPOOL && x->fx[i].message == letters[k].kind && n < 63)
                text[n++] = letters[k].letter;
    }
    if (n == 0)
        text[n++] = '-';
    text[n] = 0;
    return text;
}

/* The worker of x is killed; the one of y reads its spool. Returns how many attempts it found. */
static size_t succeed(const struct fix *x, struct fix *y)
{
    size_t begin = 0;
    for (size_t i = 0; i < x->n; i++)
        if (x->fx[i].kind == WFX_SPOOL_NEW)
            begin = i;
    for (size_t i = begin; i < x->n; i++)
        if (x->fx[i].kind == WFX_SPOOL)
            assert_true(worker_restore(y->w, x->fx[i].message, &x->m[i]));
    size_t n = worker_restored(y->w, y->now, &y->out);
    fix_take(y);
    return n;
}

static struct verdict verdict(uint64_t trial, uint32_t attempt, unsigned code, uint32_t new_attempt,
                              unsigned why)
{
    return (struct verdict){3, trial, attempt, (uint8_t)code, new_attempt, (uint8_t)why};
}

static void send_ack(struct fix *x, unsigned of, uint64_t trial, uint32_t attempt)
{
    struct msg_ack m = {3, trial, attempt, (uint8_t)of, 1};
    fix_send(x, MSG_ACK, &m);
}

/* ---- what is spooled ---- */

static void quick_acknowledgements_cost_nothing(void **state)
{
    (void)state;
    end_trial(&f, 1);
    fix_at(&f, 900 * NS_PER_MS);
    fix_ack(&f, MSG_FINAL, 1, 0);
    fix_at(&f, 5 * NS_PER_S);
    assert_int_equal(fix_effects(&f, WFX_SPOOL), 0);
    assert_int_equal(fix_effects(&f, WFX_SPOOL_NEW), 0);
}

static void after_a_second_it_is_spooled(void **state)
{
    (void)state;
    end_trial(&f, 1);
    assert_string_equal(tape(&f), "-");
    fix_at(&f, NS_PER_S);
    assert_string_equal(tape(&f), "HWASRF");
    assert_int_equal(fix_last(&f, MSG_FINAL)->final.value * 4, 1);
    fix_live(&f, 30);
    assert_string_equal(tape(&f), "HWASRF"); /* once */
    fix_ack(&f, MSG_FINAL, 1, 0);
    assert_string_equal(tape(&f), "-");
}

static void without_a_session_at_once(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    fix_ack(&f, MSG_START, 1, 0);
    worker_on_disconnected(f.w, f.now, &f.out);
    fix_take(&f);
    fix_line(&f, run, "{\"loss\":0.25}");
    assert_string_equal(tape(&f), "-");
    fix_exit(&f, run, 0, 0, "");
    assert_string_equal(tape(&f), "HWAF");
}

static void draining_at_once(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    end_trial(&f, 2);
    worker_drain(f.w, f.now, &f.out);
    fix_take(&f);
    assert_string_equal(tape(&f), "HWASRF"); /* what was on its way */
    fix_exit(&f, run, 1, 0, "");
    assert_string_equal(tape(&f), "HWASRFASF");
    worker_release_all(f.w, f.now, &f.out);
    fix_take(&f);
}

static void each_is_forgotten_when_it_is_settled(void **state)
{
    (void)state;
    end_trial(&f, 1);
    end_trial(&f, 2);
    fix_at(&f, NS_PER_S);
    assert_string_equal(tape(&f), "HWASRFASRF");
    fix_ack(&f, MSG_START, 1, 0);
    assert_string_equal(tape(&f), "HWASRFASRF");
    fix_ack(&f, MSG_FINAL, 1, 0);
    assert_string_equal(tape(&f), "HWASRFASRFK");
    struct msg_nak nak = {3, 2, 1, MSG_FINAL, NAK_STALE};
    fix_send(&f, MSG_NAK, &nak);
    assert_string_equal(tape(&f), "-");
}

static void checkpoints_of_running_trials(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    fix_ack(&f, MSG_START, 1, 0);
    fix_line(&f, run, "{\"step\":1,\"loss\":0.5}");
    fix_line(&f, run, "{\"checkpoint\":\"a\",\"step\":1}");
    fix_seal(&f, run, SEAL_OK, "a", STR("a"));
    fix_at(&f, NS_PER_S);
    assert_string_equal(tape(&f), "HWARC");
    fix_line(&f, run, "{\"step\":2,\"loss\":0.4}");
    fix_line(&f, run, "{\"checkpoint\":\"b\",\"step\":2}");
    fix_seal(&f, run, SEAL_OK, "b", STR("b"));
    fix_at(&f, NS_PER_S);
    assert_string_equal(tape(&f), "HWARCRC"); /* only what is new */
    struct msg_ack ack = {3, 1, 1, MSG_CHECKPOINT, 2};
    fix_send(&f, MSG_ACK, &ack);
    assert_string_equal(tape(&f), "-");
}

static void an_adopted_one_is_renumbered(void **state)
{
    (void)state;
    end_trial(&f, 1);
    fix_at(&f, NS_PER_S);
    worker_on_gap(f.w, f.now, &f.out);
    fix_take(&f);
    struct verdict v = verdict(1, 1, VERDICT_ADOPT, 2, 0);
    fix_welcome(&f, &v, 1);
    assert_string_equal(tape(&f), "HWASRFN");
    assert_int_equal(succeed(&f, &next), 1);
    const struct msg_hello *h = &fix_last(&next, MSG_HELLO)->hello;
    assert_int_equal(h->held.n, 1);
    assert_int_equal(h->held.v[0].attempt, 2);
}

static void everything_can_be_said_again(void **state)
{
    (void)state;
    end_trial(&f, 1);
    uint64_t run = fix_run(&f, 2, "");
    fix_line(&f, run, "{\"checkpoint\":\"a\",\"step\":1}");
    fix_seal(&f, run, SEAL_OK, "a", STR("a"));
    fix_at(&f, NS_PER_S);
    end_trial(&f, 3);
    fix_clear(&f);
    worker_respool(f.w, f.now, &f.out);
    fix_take(&f);
    assert_string_equal(tape(&f), "HWASRFASC"); /* the third waits for its second */
    fix_at(&f, NS_PER_S);
    assert_string_equal(tape(&f), "HWASRFASCASRF");
}

static void another_timeline_begins_it_anew(void **state)
{
    (void)state;
    end_trial(&f, 1);
    fix_at(&f, NS_PER_S);
    fix_clear(&f);
    worker_on_gap(f.w, f.now, &f.out);
    fix_take(&f);
    struct msg_welcome m = {.version = 1,
                            .farm = 9,
                            .timeline = 5,
                            .session = ++f.session,
                            .hello = fix_last(&f, MSG_HELLO)->hello.number};
    fix_send(&f, MSG_WELCOME, &m);
    assert_string_equal(tape(&f), "HWASRF");
    assert_int_equal(fix_last(&f, MSG_HELLO)->hello.peer.b[0], 1);
    uint64_t farm, timeline;
    worker_farm(f.w, &farm, &timeline);
    assert_true(farm == 9 && timeline == 5);
}

/* ---- what a successor makes of it ---- */

static void a_result_is_offered_and_recorded(void **state)
{
    (void)state;
    end_trial(&f, 1);
    fix_at(&f, NS_PER_S);
    assert_int_equal(succeed(&f, &next), 1);
    const struct msg_hello *h = &fix_last(&next, MSG_HELLO)->hello;
    assert_int_equal(h->former.n, 1);
    assert_int_equal(h->former.v[0].peer.b[0], 1);
    assert_int_equal(h->held.n, 1);
    assert_true(h->held.v[0].trial == 1 && h->held.v[0].attempt == 1 && h->held.v[0].phase == 3 &&
                h->held.v[0].last_step == 1);
    assert_string_equal(tape(&next), "HWHASRF"); /* its own now, with the owner's name */
    struct verdict v = verdict(1, 1, VERDICT_KEEP, 0, 0);
    fix_welcome(&next, &v, 1);
    assert_int_equal(fix_messages(&next, MSG_START), 1);
    assert_int_equal(fix_last(&next, MSG_REPORT)->report.points.n, 1);
    assert_true(fix_last(&next, MSG_FINAL)->final.value == 0.25);
    fix_ack(&next, MSG_FINAL, 1, 0);
    assert_string_equal(tape(&next), "-");
    assert_int_equal(worker_attempts(next.w), 0);
    worker_on_gap(next.w, next.now, &next.out);
    fix_take(&next);
    assert_int_equal(fix_last(&next, MSG_HELLO)->hello.former.n, 0);
}

static void an_expired_one_is_adopted(void **state)
{
    (void)state;
    end_trial(&f, 1);
    fix_at(&f, NS_PER_S);
    succeed(&f, &next);
    struct verdict v = verdict(1, 1, VERDICT_ADOPT, 2, 0);
    fix_welcome(&next, &v, 1);
    assert_int_equal(fix_last(&next, MSG_FINAL)->final.attempt, 2);
    send_ack(&next, MSG_FINAL, 1, 2);
    assert_int_equal(worker_attempts(next.w), 0);
}

static void a_superseded_one_is_an_orphan(void **state)
{
    (void)state;
    end_trial(&f, 1);
    fix_at(&f, NS_PER_S);
    succeed(&f, &next);
    struct verdict v = verdict(1, 1, VERDICT_KILL, 0, STOP_SUPERSEDED);
    fix_welcome(&next, &v, 1);
    assert_int_equal(fix_effects(&next, WFX_ORPHAN), 1);
    assert_int_equal(worker_attempts(next.w), 0);
    assert_string_equal(tape(&next), "-");
}

static void a_recorded_one_is_forgotten(void **state)
{
    (void)state;
    end_trial(&f, 1);
    fix_at(&f, NS_PER_S);
    succeed(&f, &next);
    struct verdict v = verdict(1, 1, VERDICT_FINISHED, 0, STOP_FINISHED);
    fix_welcome(&next, &v, 1);
    assert_int_equal(fix_effects(&next, WFX_ORPHAN), 0);
    assert_int_equal(worker_attempts(next.w), 0);
}

static void spool_checkpoint(void)
{
    uint64_t run = fix_run(&f, 1, "");
    fix_line(&f, run, "{\"checkpoint\":\"a\",\"step\":1}");
    fix_seal(&f, run, SEAL_OK, "a", STR("a"));
    fix_at(&f, NS_PER_S);
    assert_string_equal(tape(&f), "HWASC");
}

static void a_checkpoint_goes_before_the_loss(void **state)
{
    (void)state;
    spool_checkpoint();
    assert_int_equal(succeed(&f, &next), 1);
    fix_welcome(&next, NULL, 0);
    assert_true(str_is(fix_last(&next, MSG_CHECKPOINT)->checkpoint.uri, "a"));
    assert_int_equal(fix_last(&next, MSG_RELEASE)->release.why, RELEASE_LOST);
    send_ack(&next, MSG_CHECKPOINT, 1, 1);
    send_ack(&next, MSG_RELEASE, 1, 1);
    assert_int_equal(worker_attempts(next.w), 0);
}

static void a_loss_is_not_counted_twice(void **state)
{
    (void)state;
    spool_checkpoint();
    succeed(&f, &next);
    struct verdict v = verdict(1, 1, VERDICT_ADOPT, 2, 0);
    fix_welcome(&next, &v, 1);
    assert_int_equal(fix_last(&next, MSG_CHECKPOINT)->checkpoint.attempt, 2);
    assert_int_equal(fix_last(&next, MSG_RELEASE)->release.why, RELEASE_PREEMPT);
}

static void settled_ones_are_not_offered(void **state)
{
    (void)state;
    end_trial(&f, 1);
    end_trial(&f, 2);
    fix_at(&f, NS_PER_S);
    fix_ack(&f, MSG_FINAL, 1, 0);
    assert_int_equal(succeed(&f, &next), 1);
    assert_int_equal(fix_last(&next, MSG_HELLO)->hello.held.v[0].trial, 2);
}

static void it_is_handed_on_from_worker_to_worker(void **state)
{
    (void)state;
    static struct fix third;
    end_trial(&f, 1);
    fix_at(&f, NS_PER_S);
    succeed(&f, &next);
    fix_welcome(&next, NULL, 0);
    end_trial(&next, 5);
    fix_at(&next, NS_PER_S);
    assert_string_equal(tape(&next), "HWHASRFHASRF"); /* each under the name of its owner */
    fix_open_spooling(&third, 3);
    fix_clear(&third);
    assert_int_equal(succeed(&next, &third), 2);
    const struct msg_hello *h = &fix_last(&third, MSG_HELLO)->hello;
    assert_int_equal(h->former.n, 2);
    assert_int_equal(h->former.v[0].peer.b[0] + h->former.v[1].peer.b[0], 3);
    fix_close(&third);
}

static void there_is_room_for_so_many(void **state)
{
    (void)state;
    union message m = {.hello = {.peer = {{9}}}};
    assert_true(worker_restore(next.w, MSG_HELLO, &m));
    m = (union message){.assign = {.study = 3, .attempt = 1, .study_name = STR("s")}};
    for (uint64_t i = 0; i < WORKER_MAX_SLOTS; i++) {
        m.assign.trial = i;
        assert_true(worker_restore(next.w, MSG_ASSIGN, &m));
    }
    assert_true(worker_restore(next.w, MSG_ASSIGN, &m)); /* is there already */
    m.assign.trial = WORKER_MAX_SLOTS;
    assert_false(worker_restore(next.w, MSG_ASSIGN, &m));
    for (unsigned i = 0; i < WORKER_MAX_FORMERS; i++) {
        m = (union message){.hello = {.peer = {{(uint8_t)(i + 10)}}}};
        assert_int_equal(worker_restore(next.w, MSG_HELLO, &m), i + 1 < WORKER_MAX_FORMERS);
    }
    assert_int_equal(worker_restored(next.w, next.now, &next.out), 0); /* nothing was owed */
    fix_take(&next);
}

static void what_makes_no_sense_is_left_out(void **state)
{
    (void)state;
    uint64_t run = fix_run(&next, 1, ""); /* an attempt of its own is never touched */
    union message m = {.final = {.study = 3, .trial = 1, .attempt = 1, .has_value = true}};
    assert_true(worker_restore(next.w, MSG_FINAL, &m));
    m.final.trial = 2;
    assert_true(worker_restore(next.w, MSG_FINAL, &m));
    m = (union message){.kill = {.study = 3, .trial = 1, .attempt = 1}};
    assert_true(worker_restore(next.w, MSG_KILL, &m));
    m = (union message){.assign = {.study = 3, .trial = 1, .attempt = 1}};
    assert_true(worker_restore(next.w, MSG_ASSIGN, &m));
    assert_true(worker_restore(next.w, MSG_SQL, &m));
    struct verdict v = verdict(1, 1, VERDICT_ADOPT, 7, 0);
    m = (union message){.beat_ack = {.verdicts = {&v, 1}}};
    assert_true(worker_restore(next.w, MSG_BEAT_ACK, &m));
    assert_int_equal(worker_restored(next.w, next.now, &next.out), 0);
    fix_take(&next);
    fix_line(&next, run, "{\"loss\":0.25}");
    fix_exit(&next, run, 0, 0, "");
    assert_int_equal(fix_last(&next, MSG_FINAL)->final.attempt, 1);
}

/* ---- orphans of the living ---- */

static void a_result_that_is_too_late(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    fix_line(&f, run, "{\"loss\":0.25}"); /* it has not ended yet */
    struct msg_kill kill = {3, 1, 1, STOP_SUPERSEDED};
    fix_send(&f, MSG_KILL, &kill);
    assert_int_equal(fix_effects(&f, WFX_ORPHAN), 1);
    end_trial(&f, 2);
    struct msg_nak nak = {3, 2, 1, MSG_FINAL, NAK_FINISHED};
    fix_send(&f, MSG_NAK, &nak);
    assert_int_equal(fix_effects(&f, WFX_ORPHAN), 2);
    const char *last = NULL;
    for (size_t i = 0; i < f.n; i++)
        if (f.fx[i].kind == WFX_ORPHAN)
            last = f.fx[i].body.p;
    assert_string_equal(last, "{\"study\":\"s\",\"study_number\":3,\"trial\":2,\"attempt\":1,"
                              "\"worker\":\"h\",\"why\":\"finished\",\"status\":\"ok\","
                              "\"value\":0.25,\"last_step\":1,\"runtime_ms\":0}");
}

static void without_a_result_there_is_none(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    fix_line(&f, run, "{\"step\":1,\"loss\":0.25}");
    struct msg_kill kill = {3, 1, 1, STOP_SUPERSEDED};
    fix_send(&f, MSG_KILL, &kill);
    uint64_t failed = fix_run(&f, 2, "");
    fix_exit(&f, failed, 1, 0, "");
    kill.trial = 2;
    fix_send(&f, MSG_KILL, &kill);
    assert_int_equal(fix_effects(&f, WFX_ORPHAN), 0);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(quick_acknowledgements_cost_nothing),
        TEST(after_a_second_it_is_spooled),
        TEST(without_a_session_at_once),
        TEST(draining_at_once),
        TEST(each_is_forgotten_when_it_is_settled),
        TEST(checkpoints_of_running_trials),
        TEST(an_adopted_one_is_renumbered),
        TEST(everything_can_be_said_again),
        TEST(another_timeline_begins_it_anew),
        TEST(a_result_is_offered_and_recorded),
        TEST(an_expired_one_is_adopted),
        TEST(a_superseded_one_is_an_orphan),
        TEST(a_recorded_one_is_forgotten),
        TEST(a_checkpoint_goes_before_the_loss),
        TEST(a_loss_is_not_counted_twice),
        TEST(settled_ones_are_not_offered),
        TEST(it_is_handed_on_from_worker_to_worker),
        TEST(there_is_room_for_so_many),
        TEST(what_makes_no_sense_is_left_out),
        TEST(a_result_that_is_too_late),
        TEST(without_a_result_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
