/* Pausing and resuming studies and trials: in every state, over restarts, beside stops and ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "farmbox.h"
#include "hash.h"

#define O 10u
#define W 11u
#define C 12u

struct fixture {
    struct box b;
    uint64_t w, c;
    unsigned requests;
};

/* Study s, whose trials are enqueued, and a worker. */
static void begin(struct fixture *x, uint32_t slots, int trials)
{
    *x = (struct fixture){.requests = 1000};
    box_open(&x->b);
    x->c = box_client(&x->b, C, 2);
    box_submit(&x->b, C, x->c, "s");
    for (int i = 0; i < trials; i++)
        box_enqueue(&x->b, C, x->c, "s", "{}");
    x->w = box_worker(&x->b, W, 1, slots);
}

/* The reply's name and text, as "NAME text". */
static const char *answer(struct fixture *x)
{
    static char text[512];
    box_settle(&x->b);
    const union message *m = box_take(&x->b, C, MSG_REPLY);
    assert_non_null(m);
    assert_true(id128_eq(m->reply.request, box_id(x->requests)));
    snprintf(text, sizeof text, STR_FMT " " STR_FMT, STR_ARG(m->reply.name),
             STR_ARG(m->reply.text));
    return text;
}

static const char *pause_study(struct fixture *x)
{
    SEND(&x->b, C, x->c, PAUSE, pause, .request = box_id(++x->requests), .study = STR("s"));
    return answer(x);
}

static const char *resume_study(struct fixture *x)
{
    SEND(&x->b, C, x->c, RESUME, resume, .request = box_id(++x->requests), .study = STR("s"));
    return answer(x);
}

static const char *pause_trial(struct fixture *x, uint64_t trial)
{
    SEND(&x->b, C, x->c, PAUSE, pause, .request = box_id(++x->requests), .study = STR("s"),
         .one = true, .trial = trial);
    return answer(x);
}

static const char *resume_trial(struct fixture *x, uint64_t trial)
{
    SEND(&x->b, C, x->c, RESUME, resume, .request = box_id(++x->requests), .study = STR("s"),
         .one = true, .trial = trial);
    return answer(x);
}

static const char *cancel(struct fixture *x, bool one, uint64_t trial)
{
    SEND(&x->b, C, x->c, CANCEL, cancel, .request = box_id(++x->requests), .study = STR("s"),
         .one = one, .trial = trial);
    return answer(x);
}

static void complete(struct fixture *x, uint64_t trial, uint32_t attempt, uint64_t credit)
{
    SEND(&x->b, W, x->w, FINAL, final, .study = 1, .trial = trial, .attempt = attempt,
         .has_value = true, .value = 1);
    SEND(&x->b, W, x->w, CREDIT, credit, .total = credit);
    box_settle(&x->b);
}

/* ---- studies ---- */

static void test_a_paused_study_is_granted_nothing(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 2, 4);
    assert_int_equal(box_count(&x.b, W, MSG_ASSIGN), 2);
    box_clear(&x.b);
    assert_string_equal(pause_study(&x), "OK {\"state\":\"paused\"}");
    assert_string_equal(pause_study(&x), "OK {\"state\":\"paused\"}"); /* is no change */
    complete(&x, 0, 1, 3); /* what runs goes on to its end */
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_COMPLETE);
    assert_int_equal(box_count(&x.b, W, MSG_ASSIGN), 0);
    assert_int_equal(box_count(&x.b, W, MSG_STOP), 0);
    assert_string_equal(resume_study(&x), "OK {\"state\":\"open\"}");
    assert_int_equal(box_take(&x.b, W, MSG_ASSIGN)->assign.trial, 2);
    box_close(&x.b);
}

static void test_a_pause_outlives_the_broker(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 2);
    pause_study(&x);
    complete(&x, 0, 1, 2);
    for (int i = 0; i < 2; i++) { /* from the journal's tail, then from the rows too */
        box_restart(&x.b);
        x.c = box_client(&x.b, C, 2);
        x.w = box_worker(&x.b, W, 1, 1);
        box_pass(&x.b, 5 * SEC);
        assert_int_equal(box_count(&x.b, W, MSG_ASSIGN), 0);
    }
    resume_study(&x);
    assert_int_equal(box_count(&x.b, W, MSG_ASSIGN), 1);
    box_restart(&x.b);
    x.c = box_client(&x.b, C, 2);
    assert_string_equal(resume_study(&x), "OK {\"state\":\"open\"}");
    box_close(&x.b);
}

static void test_others_get_the_slots_of_a_paused_study(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 2);
    box_submit(&x.b, C, x.c, "t");
    box_enqueue(&x.b, C, x.c, "t", "{}");
    box_clear(&x.b);
    pause_study(&x);
    complete(&x, 0, 1, 2);
    assert_int_equal(box_take(&x.b, W, MSG_ASSIGN)->assign.study, 2);
    box_close(&x.b);
}

static void test_a_paused_study_is_asked_for_nothing(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 0, 0);
    uint64_t o = box_optimizer(&x.b, O, 3);
    const union message *m = box_take(&x.b, O, MSG_ATTACHED);
    assert_non_null(m);
    uint32_t epoch = m->attached.epoch;
    SEND(&x.b, O, o, PULL, pull, .study = 1, .epoch = epoch, .credit = 1000);
    box_settle(&x.b);
    pause_study(&x);
    x.w = box_worker(&x.b, W, 1, 2);
    assert_int_equal(box_count(&x.b, O, MSG_WANT), 0);
    resume_study(&x);
    m = box_take(&x.b, O, MSG_WANT);
    assert_int_equal(m->want.n, 2);
    /* What was asked for before a pause comes, and waits. */
    pause_study(&x);
    struct proposal p = {.params = STR("{}"), .why = STR("{}")};
    struct msg_propose q = {.study = 1, .epoch = epoch, .want = 1};
    q.proposals.v = &p;
    q.proposals.n = 1;
    box_send(&x.b, O, o, MSG_PROPOSE, &q, sizeof q);
    box_settle(&x.b);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_QUEUED);
    assert_int_equal(box_count(&x.b, W, MSG_ASSIGN), 0);
    resume_study(&x);
    assert_int_equal(box_count(&x.b, W, MSG_ASSIGN), 1);
    /* The optimizer is told, as its clock has to stand still. */
    unsigned paused = 0, resumed = 0;
    while ((m = box_take(&x.b, O, MSG_EVENTS)))
        for (uint32_t i = 0; i < m->events.records.n; i++) {
            paused += m->events.records.v[i].kind == REC_STUDY_PAUSED;
            resumed += m->events.records.v[i].kind == REC_STUDY_RESUMED;
        }
    assert_int_equal(paused, 2);
    assert_int_equal(resumed, 2);
    box_close(&x.b);
}

static void test_time_stands_still(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 0);
    box_pass(&x.b, 10 * SEC);
    pause_study(&x);
    box_pass(&x.b, 20 * SEC);
    resume_study(&x);
    box_pass(&x.b, 5 * SEC);
    box_optimizer(&x.b, O, 3);
    assert_int_equal(box_take(&x.b, O, MSG_ATTACHED)->attached.elapsed_ms, 15000);
    box_close(&x.b);
}

static void test_ends_of_a_paused_study(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 2);
    pause_study(&x);
    cancel(&x, false, 0);
    assert_int_equal(box_state(&x.b, 1, 1), TRIAL_CANCELLED);
    SEND(&x.b, W, x.w, RELEASE, release, .study = 1, .trial = 0, .attempt = 1);
    box_settle(&x.b);
    const char *ended = "REFUSED study s has ended";
    assert_string_equal(pause_study(&x), ended);
    assert_string_equal(resume_study(&x), ended);
    box_close(&x.b);
}

static void test_submitted_again_it_goes_on(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 0, 1);
    pause_study(&x);
    for (int reopen = 0; reopen < 2; reopen++) {
        struct str spec = STR("{\"study\":\"s\"}");
        SEND(&x.b, C, x.c, SUBMIT, submit, .request = box_id(++x.requests), .name = STR("s"),
             .spec = spec, .digest = hash_bytes(spec), .search = hash_bytes(STR("search")),
             .reopen = reopen);
        assert_non_null(strstr(answer(&x), reopen ? "\"state\":\"open\"" : "\"state\":\"paused\""));
    }
    box_close(&x.b);
}

static void test_points_added_to_a_paused_study_wait(void **unused)
{
    (void)unused;
    struct fixture x;
    static const struct str points[] = {{"{\"x\":1}", 7}};
    begin(&x, 1, 0);
    pause_study(&x);
    x.b.env.enqueue = points;
    x.b.env.n_enqueue = 1;
    for (int reopen = 0; reopen < 2; reopen++) {
        struct str spec = STR("{\"study\":\"s\",\"more\":1}");
        SEND(&x.b, C, x.c, SUBMIT, submit, .request = box_id(++x.requests), .name = STR("s"),
             .spec = spec, .digest = hash_bytes(spec), .search = hash_bytes(STR("search")),
             .reopen = reopen);
        answer(&x);
        assert_true(str_is(box_trial(&x.b, 1, 0).params, "{\"x\":1}"));
        assert_int_equal(box_count(&x.b, W, MSG_ASSIGN), reopen);
    }
    box_close(&x.b);
}

static void test_who_is_not_there(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 0, 1);
    SEND(&x.b, C, x.c, PAUSE, pause, .request = box_id(++x.requests), .study = STR("none"));
    assert_string_equal(answer(&x), "NOT_FOUND there is no study none");
    SEND(&x.b, C, x.c, RESUME, resume, .request = box_id(++x.requests), .study = STR("none"));
    assert_string_equal(answer(&x), "NOT_FOUND there is no study none");
    assert_string_equal(pause_trial(&x, 1), "NOT_FOUND study s has no trial 1");
    assert_string_equal(resume_trial(&x, 1), "NOT_FOUND study s has no trial 1");
    SEND(&x.b, W, x.w, PAUSE, pause, .request = box_id(7), .study = STR("s"));
    box_settle(&x.b);
    assert_true(str_is(box_take(&x.b, W, MSG_ERROR)->error.name, "REFUSED"));
    box_close(&x.b);
}

static void test_a_repeated_request_changes_nothing(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 0, 1);
    pause_study(&x);
    unsigned first = x.requests;
    resume_study(&x);
    uint64_t seq = farm_seq(x.b.f);
    SEND(&x.b, C, x.c, PAUSE, pause, .request = box_id(first), .study = STR("s"));
    box_settle(&x.b);
    assert_true(str_is(box_take(&x.b, C, MSG_REPLY)->reply.text, "{\"state\":\"paused\"}"));
    assert_int_equal(farm_seq(x.b.f), seq);
    box_close(&x.b);
}

/* ---- trials ---- */

static void test_a_waiting_trial(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 0, 3);
    assert_string_equal(pause_trial(&x, 0), "OK {\"state\":\"paused\"}");
    assert_string_equal(pause_trial(&x, 0), "OK {\"state\":\"paused\"}");
    box_restart(&x.b);
    x.c = box_client(&x.b, C, 2);
    x.w = box_worker(&x.b, W, 1, 1);
    assert_int_equal(box_take(&x.b, W, MSG_ASSIGN)->assign.trial, 1);
    assert_string_equal(resume_trial(&x, 0), "OK {\"state\":\"queued\"}");
    assert_string_equal(resume_trial(&x, 0), "OK {\"state\":\"queued\"}");
    complete(&x, 1, 1, 2);
    assert_int_equal(box_take(&x.b, W, MSG_ASSIGN)->assign.trial, 0); /* before 2 */
    box_close(&x.b);
}

static void test_a_running_trial_goes_on_from_its_checkpoint(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    assert_string_equal(resume_trial(&x, 0), "OK {\"state\":\"leased\"}"); /* is not paused */
    SEND(&x.b, W, x.w, START, start, .study = 1, .trial = 0, .attempt = 1);
    SEND(&x.b, W, x.w, CHECKPOINT, checkpoint, .study = 1, .trial = 0, .attempt = 1, .step = 4,
         .uri = STR("file:4"));
    box_settle(&x.b);
    box_clear(&x.b);
    assert_string_equal(pause_trial(&x, 0), "OK {\"state\":\"stopping\"}");
    assert_int_equal(box_take(&x.b, W, MSG_STOP)->stop.why, STOP_PAUSE);
    assert_string_equal(pause_trial(&x, 0), "OK {\"state\":\"stopping\"}");
    assert_int_equal(box_count(&x.b, W, MSG_STOP), 0);
    assert_string_equal(
        resume_trial(&x, 0),
        "REFUSED trial 0 of study s is stopping still; resume it when it is paused");
    SEND(&x.b, W, x.w, RELEASE, release, .study = 1, .trial = 0, .attempt = 1);
    SEND(&x.b, W, x.w, CREDIT, credit, .total = 2);
    box_settle(&x.b);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_PAUSED);
    box_restart(&x.b);
    x.c = box_client(&x.b, C, 2);
    x.w = box_worker(&x.b, W, 1, 1);
    assert_int_equal(box_count(&x.b, W, MSG_ASSIGN), 0);
    resume_trial(&x, 0);
    const union message *m = box_take(&x.b, W, MSG_ASSIGN);
    assert_int_equal(m->assign.attempt, 2);
    assert_true(str_is(m->assign.resume, "file:4"));
    assert_int_equal(m->assign.resume_step, 4);
    box_close(&x.b);
}

static void test_a_result_beats_a_pause(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    pause_trial(&x, 0);
    complete(&x, 0, 1, 2);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_COMPLETE);
    assert_string_equal(
        pause_trial(&x, 0),
        "REFUSED trial 0 of study s is complete; only one that is not final can be paused");
    assert_string_equal(resume_trial(&x, 0),
                        "REFUSED trial 0 of study s is complete; only a paused one can go on");
    box_close(&x.b);
}

static void test_a_crash_while_it_stops_is_no_failure(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    pause_trial(&x, 0);
    SEND(&x.b, W, x.w, FINAL, final, .study = 1, .trial = 0, .attempt = 1, .status = FINAL_ERROR,
         .signal = 15);
    box_settle(&x.b);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_PAUSED);
    assert_int_equal(box_trial(&x.b, 1, 0).crashes, 0);
    box_close(&x.b);
}

static void test_the_worker_of_a_stopping_trial_is_lost(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    pause_trial(&x, 0);
    box_pass(&x.b, 60 * SEC);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_PAUSED);
    box_close(&x.b);
}

static void test_a_delayed_trial(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    SEND(&x.b, W, x.w, FINAL, final, .study = 1, .trial = 0, .attempt = 1, .status = FINAL_ERROR);
    SEND(&x.b, W, x.w, CREDIT, credit, .total = 2);
    box_settle(&x.b);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_DELAYED);
    assert_string_equal(pause_trial(&x, 0), "OK {\"state\":\"paused\"}");
    box_clear(&x.b);
    box_pass(&x.b, 3 * SEC);
    assert_int_equal(box_count(&x.b, W, MSG_ASSIGN), 0);
    resume_trial(&x, 0);
    assert_int_equal(box_count(&x.b, W, MSG_ASSIGN), 1);
    box_close(&x.b);
}

static void test_a_trial_that_stops_for_good(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 2);
    cancel(&x, true, 0);
    assert_string_equal(pause_trial(&x, 0),
                        "REFUSED trial 0 of study s is stopping for good; it cannot be paused");
    pause_trial(&x, 1);
    cancel(&x, true, 1);
    assert_int_equal(box_state(&x.b, 1, 1), TRIAL_CANCELLED);
    box_close(&x.b);
}

static void test_a_study_waits_for_its_paused_trials(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 2);
    uint64_t o = box_optimizer(&x.b, O, 3);
    uint32_t epoch = box_take(&x.b, O, MSG_ATTACHED)->attached.epoch;
    struct point p = {.step = 1, .has_value = true, .value = 2};
    struct msg_report r = {.study = 1, .trial = 0, .attempt = 1};
    r.points.v = &p;
    r.points.n = 1;
    box_send(&x.b, W, x.w, MSG_REPORT, &r, sizeof r);
    box_settle(&x.b);
    SEND(&x.b, O, o, PRUNE, prune, .study = 1, .epoch = epoch, .trial = 0, .attempt = 1, .step = 1,
         .pause = true);
    SEND(&x.b, O, o, CLOSE_STUDY, close_study, .study = 1, .epoch = epoch, .why = STR("trials"));
    box_settle(&x.b);
    SEND(&x.b, W, x.w, RELEASE, release, .study = 1, .trial = 0, .attempt = 1);
    SEND(&x.b, W, x.w, CREDIT, credit, .total = 2);
    box_settle(&x.b);
    complete(&x, 1, 1, 3);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_PAUSED);
    assert_int_equal(box_count(&x.b, O, MSG_DETACHED), 0);
    SEND(&x.b, O, o, PRUNE, prune, .study = 1, .epoch = epoch, .trial = 0, .attempt = 1, .step = 1);
    box_settle(&x.b);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_PRUNED);
    assert_true(str_is(box_take(&x.b, O, MSG_DETACHED)->detached.why, "ended"));
    box_close(&x.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_paused_study_is_granted_nothing),
        cmocka_unit_test(test_a_pause_outlives_the_broker),
        cmocka_unit_test(test_others_get_the_slots_of_a_paused_study),
        cmocka_unit_test(test_a_paused_study_is_asked_for_nothing),
        cmocka_unit_test(test_time_stands_still),
        cmocka_unit_test(test_ends_of_a_paused_study),
        cmocka_unit_test(test_submitted_again_it_goes_on),
        cmocka_unit_test(test_points_added_to_a_paused_study_wait),
        cmocka_unit_test(test_who_is_not_there),
        cmocka_unit_test(test_a_repeated_request_changes_nothing),
        cmocka_unit_test(test_a_waiting_trial),
        cmocka_unit_test(test_a_running_trial_goes_on_from_its_checkpoint),
        cmocka_unit_test(test_a_result_beats_a_pause),
        cmocka_unit_test(test_a_crash_while_it_stops_is_no_failure),
        cmocka_unit_test(test_the_worker_of_a_stopping_trial_is_lost),
        cmocka_unit_test(test_a_delayed_trial),
        cmocka_unit_test(test_a_trial_that_stops_for_good),
        cmocka_unit_test(test_a_study_waits_for_its_paused_trials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
