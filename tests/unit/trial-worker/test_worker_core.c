/* Attempts in the worker's core, with virtual time: reports, results, stops, resources. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "attempt.h"
#include "core_fixture.h"
#include "worker_impl.h"

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

static const struct msg_final * final(void)
{
    const union message *m = fix_last(&f, MSG_FINAL);
    assert_non_null(m);
    return &m->final;
}

static void one_fetch_for_many_attempts(void **state)
{
    (void)state;
    fix_clear(&f);
    fix_spec(&f, "");
    fix_assign(&f, 1);
    fix_assign(&f, 2);
    fix_assign(&f, 2); /* repeated */
    assert_int_equal(fix_effects(&f, WFX_FETCH_SPEC), 1);
    assert_int_equal(worker_attempts(f.w), 2);
    fix_clear(&f);
    worker_on_fetch_failed(f.w, f.now, f.spec, STR("gone"), true, &f.out);
    fix_take(&f);
    assert_int_equal(fix_messages(&f, MSG_FINAL), 2);
    assert_true(str_is(final()->error, "gone") && final()->no_retry);
    fix_assign(&f, 3); /* is fetched anew */
    assert_int_equal(fix_effects(&f, WFX_FETCH_SPEC), 1);
}

static void reports_are_merged_and_batched(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    fix_clear(&f);
    fix_line(&f, run, "{\"step\":1,\"loss\":3}");
    fix_line(&f, run, "{\"step\":1,\"acc\":0.5}");
    fix_line(&f, run, "{\"step\":2,\"loss\":2}");
    assert_int_equal(fix_messages(&f, MSG_REPORT), 0);
    fix_at(&f, 100 * NS_PER_MS);
    assert_int_equal(fix_messages(&f, MSG_REPORT), 1);
    const struct msg_report *r = &fix_last(&f, MSG_REPORT)->report;
    assert_int_equal(r->points.n, 2);
    assert_true(r->points.v[0].value == 3 && str_is(r->points.v[0].metrics, "{\"acc\":0.5}"));
    assert_true(r->points.v[1].step == 2 && r->points.v[1].value == 2);
    fix_line(&f, run, "{\"step\":2,\"loss\":1}"); /* closed already */
    fix_line(&f, run, "{\"step\":1,\"loss\":1}"); /* falls */
    fix_line(&f, run, "{\"step\":3,\"acc\":1}");  /* waits for the metric or the next step */
    fix_at(&f, NS_PER_S);
    assert_int_equal(fix_messages(&f, MSG_REPORT), 1);
    fix_line(&f, run, "{\"step\":9,\"loss\":1}"); /* a decision step goes at once */
    assert_int_equal(fix_messages(&f, MSG_REPORT), 2);
    r = &fix_last(&f, MSG_REPORT)->report;
    assert_true(r->points.n == 2 && !r->points.v[0].has_value && r->points.v[1].step == 9);
    fix_exit(&f, run, 0, 0, "");
    assert_true(final()->status == FINAL_OK && final()->value == 1 && final()->last_step == 9);
}

static void nothing_acknowledged_is_thinned(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    worker_on_disconnected(f.w, f.now, &f.out);
    fix_take(&f);
    for (int i = 1; i <= 2000; i++) {
        char line[64];
        snprintf(line, sizeof line, "{\"step\":%d,\"loss\":%d}", i, i == 777 ? -5 : i);
        fix_line(&f, run, line);
    }
    worker_on_connected(f.w, f.now, &f.out);
    fix_take(&f);
    assert_int_equal(fix_last(&f, MSG_HELLO)->hello.held.n, 1);
    fix_welcome(&f, NULL, 0);
    fix_at(&f, NS_PER_S);
    bool first = false, last = false, best = false, decision = false;
    uint32_t points = 0, thinned = 0;
    int64_t step = 0;
    for (size_t i = 0; i < f.n; i++) {
        if (f.fx[i].kind != WFX_SEND || f.fx[i].message != MSG_REPORT)
            continue;
        const struct msg_report *r = &f.m[i].report;
        thinned += r->thinned;
        for (uint32_t k = 0; k < r->points.n; k++, points++) {
            assert_true(r->points.v[k].step > step);
            step = r->points.v[k].step;
            first |= step == 1;
            last |= step == 2000;
            best |= step == 777;
            decision |= step == 9;
        }
    }
    assert_true(first && last && best && decision);
    assert_true(points <= OUTBOX_RING + 1 && points + thinned == 2000);
}

static void the_window_is_bounded(void **state)
{
    (void)state;
    uint64_t run[4];
    char line[9000];
    memset(line, 'x', sizeof line);
    for (uint64_t i = 0; i < 4; i++) {
        run[i] = fix_run(&f, i, "");
        for (int step = 10; step < 250; step++) {
            int n = snprintf(line, sizeof line, "{\"step\":%d,\"loss\":1", step);
            for (int k = 0; k < 30; k++)
                n += snprintf(line + n, sizeof line - (size_t)n, ",\"m%d\":\"%0200d\"", k, k);
            snprintf(line + n, sizeof line - (size_t)n, "}");
            fix_line(&f, run[i], line);
        }
        fix_clear(&f);
        fix_at(&f, 200 * NS_PER_MS);
    }
    assert_true(f.w->window.bytes <= OUTBOX_WINDOW_BYTES &&
                f.w->window.bytes > OUTBOX_WINDOW_BYTES - 10000);
    uint32_t before = f.w->window.points;
    fix_clear(&f);
    fix_ack(&f, MSG_REPORT, 0, 1000);
    assert_true(f.w->window.points < before);
    fix_at(&f, 200 * NS_PER_MS); /* the room is taken by what waited */
    assert_true(f.w->window.bytes > OUTBOX_WINDOW_BYTES - 10000);
    fix_exit(&f, run[3], 0, 0, ""); /* the end sends all of its own points before it */
    assert_non_null(fix_last(&f, MSG_FINAL));
    struct attempt *a = worker_find(f.w, 3, 3, 1);
    assert_non_null(a);
    assert_int_equal(a->outbox.sent, a->outbox.n);
}

static void sent_again_until_acknowledged(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    fix_line(&f, run, "{\"loss\":1}");
    fix_exit(&f, run, 0, 0, "");
    fix_clear(&f);
    size_t wanted = 0;
    for (int s = 1; s <= 220; s++) { /* at 10, 30, 70, 130, 190 */
        fix_live(&f, 1);
        wanted += s == 10 || s == 30 || s == 70 || s == 130 || s == 190;
        assert_int_equal(fix_messages(&f, MSG_FINAL), wanted);
    }
    assert_int_equal(worker_attempts(f.w), 1);
    fix_ack(&f, MSG_FINAL, 1, 0);
    assert_int_equal(worker_attempts(f.w), 0);
}

static void results(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int64_t code;
        uint32_t signal;
        enum final_status status;
        const char *error;
    } rows[] = {
        {"{\"loss\":1}", 0, 0, FINAL_OK, ""},
        {"{\"loss\":1}", 1, 0, FINAL_OK, ""}, /* said before it fell over */
        {"{\"step\":1,\"loss\":1}", 1, 0, FINAL_ERROR, "exit status 1; last output: text"},
        {"{\"step\":1,\"loss\":1}", 0, 9, FINAL_ERROR,
         "killed by SIGKILL, not by the worker (out of memory?); last output: text"},
        {"{\"pruned\":true}", 0, 0, FINAL_PRUNED, ""},
        {"{\"error\":\"bad\"}", 0, 0, FINAL_ERROR, "bad; last output: text"},
        {"{\"acc\":1}", 0, 0, FINAL_ERROR,
         "the program ended without reporting \"loss\"; it reported \"acc\"; last output: text"},
        {"{\"loss\":Infinity}", 0, 0, FINAL_OK, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fix_clear(&f);
        uint64_t run = fix_run(&f, i, "");
        fix_line(&f, run, rows[i].line);
        fix_exit(&f, run, rows[i].code, rows[i].signal, "text\n\n");
        assert_int_equal(final()->status, rows[i].status);
        if (!str_is(final()->error, rows[i].error))
            fail_msg(STR_FMT, STR_ARG(final()->error));
        assert_int_equal(final()->exit_code, rows[i].code);
        fix_ack(&f, MSG_FINAL, i, 0);
    }
    assert_int_equal(worker_slots_free(f.w), 4);
}

static void output_of_any_bytes_is_made_text(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    static char output[9000];
    for (size_t i = 0; i < sizeof output - 1; i++)
        output[i] = (char)(i * 7 + i / 250);
    fix_exit(&f, run, 1, 0, output);
    assert_true(final()->error.n <= 4096 && str_utf8_valid(final()->error));
}

static void stop_by_kind_of_program(void **state)
{
    (void)state;
    struct msg_stop stop = {
        .study = 3, .trial = 1, .attempt = 1, .why = STOP_PRUNE, .grace_ms = 4000};
    uint64_t run = fix_run(&f, 1, "");
    fix_line(&f, run, "{\"step\":1,\"loss\":2}");
    fix_clear(&f);
    fix_send(&f, MSG_STOP, &stop);
    fix_send(&f, MSG_STOP, &stop); /* repeated: nothing new */
    assert_int_equal(fix_effects(&f, WFX_LINE), 1);
    assert_int_equal(fix_signals(&f, SIGTERM), 1);
    fix_at(&f, 3900 * NS_PER_MS);
    assert_int_equal(fix_signals(&f, SIGKILL), 0);
    fix_at(&f, 200 * NS_PER_MS);
    assert_int_equal(fix_signals(&f, SIGKILL), 1);
    fix_exit(&f, run, 0, 9, "");
    assert_true(final()->status == FINAL_PRUNED && final()->has_value && final()->value == 2);
    run = fix_run(&f, 2, ",\"serve\":true");
    stop.trial = 2;
    fix_clear(&f);
    fix_send(&f, MSG_STOP, &stop);
    assert_true(str_is(f.fx[0].body, "{\"stop\":\"prune\",\"trial\":2}"));
    assert_int_equal(fix_signals(&f, SIGTERM), 0);
    fix_at(&f, 2100 * NS_PER_MS);
    assert_int_equal(fix_signals(&f, SIGTERM), 1);
    fix_line(&f, run, "{\"loss\":1}"); /* a real value beats a stop */
    assert_int_equal(fix_effects(&f, WFX_END), 1);
    assert_true(final()->status == FINAL_OK && final()->value == 1);
}

static void stop_and_kill_before_it_runs(void **state)
{
    (void)state;
    struct msg_stop stop = {.study = 3, .trial = 1, .attempt = 1, .why = STOP_CANCEL};
    struct msg_kill kill = {.study = 3, .trial = 2, .attempt = 1};
    fix_spec(&f, "");
    fix_assign(&f, 1);
    fix_assign(&f, 2);
    fix_clear(&f);
    fix_send(&f, MSG_STOP, &stop);
    assert_true(final()->status == FINAL_PRUNED && !final()->has_value);
    fix_send(&f, MSG_KILL, &kill);
    assert_int_equal(fix_messages(&f, MSG_FINAL), 1);
    assert_int_equal(worker_attempts(f.w), 1);
    assert_int_equal(worker_slots_free(f.w), 4);
}

static void kill_says_nothing(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, "");
    fix_line(&f, run, "{\"step\":1,\"loss\":1}");
    fix_clear(&f);
    struct msg_nak nak = {
        .study = 3, .trial = 1, .attempt = 1, .of = MSG_START, .code = NAK_SUPERSEDED};
    fix_send(&f, MSG_NAK, &nak);
    assert_int_equal(fix_signals(&f, SIGKILL), 1);
    assert_int_equal(worker_slots_free(f.w), 3); /* until it is gone */
    fix_line(&f, run, "{\"loss\":1}");
    fix_at(&f, 60 * NS_PER_S);
    fix_exit(&f, run, 0, 9, "");
    assert_int_equal(fix_messages(&f, MSG_REPORT) + fix_messages(&f, MSG_FINAL) +
                         fix_messages(&f, MSG_RELEASE),
                     0);
    assert_int_equal(worker_attempts(f.w), 0);
    assert_int_equal(worker_slots_free(f.w), 4);
}

static void timeout(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, ",\"timeout\":\"10m\"");
    fix_clear(&f);
    fix_live(&f, 599);
    assert_int_equal(fix_signals(&f, SIGTERM), 0);
    fix_live(&f, 2);
    assert_int_equal(fix_signals(&f, SIGTERM), 1);
    fix_exit(&f, run, 0, 15, "");
    assert_true(str_is(final()->error, "timed out after 10m"));
    assert_false(final()->no_retry);
    assert_int_equal(final()->runtime_ms, 601000);
}

static void program_that_does_not_end_after_its_result(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, ",\"grace\":\"5s\"");
    fix_line(&f, run, "{\"loss\":1}");
    fix_clear(&f);
    fix_at(&f, 4 * NS_PER_S);
    assert_int_equal(fix_signals(&f, SIGTERM), 0);
    fix_at(&f, 2 * NS_PER_S);
    assert_int_equal(fix_signals(&f, SIGTERM), 1);
    fix_at(&f, 5 * NS_PER_S);
    assert_int_equal(fix_signals(&f, SIGKILL), 1);
    fix_exit(&f, run, 0, 9, "");
    assert_int_equal(final()->status, FINAL_OK);
}

static void resources_short_for_a_moment(void **state)
{
    (void)state;
    uint64_t run = fix_run(&f, 1, ",\"resources\":{\"gpu\":2}");
    struct msg_kill kill = {.study = 3, .trial = 1, .attempt = 1};
    fix_send(&f, MSG_KILL, &kill); /* the broker counts the GPUs as free now */
    fix_clear(&f);
    fix_assign(&f, 2);
    assert_int_equal(fix_effects(&f, WFX_SPAWN), 0);
    fix_exit(&f, run, 0, 9, "");
    assert_int_equal(fix_effects(&f, WFX_SPAWN), 1);
    fix_clear(&f);
    fix_assign(&f, 3);
    fix_live(&f, 61);
    assert_int_equal(fix_last(&f, MSG_RELEASE)->release.why, RELEASE_RESOURCES);
    fix_clear(&f);
    (void)fix_spec(&f, ",\"resources\":{\"gpu\":3}");
}

static void too_many_attempts_are_given_back(void **state)
{
    (void)state;
    fix_spec(&f, "");
    for (uint64_t i = 0; i < 5; i++)
        fix_assign(&f, i);
    assert_int_equal(fix_messages(&f, MSG_RELEASE), 1);
    assert_int_equal(fix_last(&f, MSG_RELEASE)->release.why, RELEASE_RESOURCES);
}

/* Any event in any state: nothing breaks, and in the end every slot is free again. */
static void any_order_of_events(void **state)
{
    (void)state;
    struct rng r;
    static const char *const lines[] = {
        "{\"step\":1,\"loss\":1}",           "{\"loss\":1}",     "x", "{\"pruned\":true}",
        "{\"checkpoint\":\"u\",\"step\":1}", "{\"error\":\"e\"}"};
    rng_seed(&r, 5);
    for (uint64_t trial = 0; trial < 3000; trial++) {
        fix_clear(&f);
        static const char *const objectives[] = {
            ",\"timeout\":\"3s\"", ",\"timeout\":\"3s\",\"checkpoint\":{\"ask\":\"line\"}",
            ",\"timeout\":\"3s\",\"checkpoint\":{\"ask\":\"USR1\",\"within\":1}",
            ",\"serve\":true,\"timeout\":\"3s\"",
            ",\"serve\":true,\"timeout\":\"3s\",\"checkpoint\":{\"ask\":\"line\"}"};
        uint64_t which = rng_below(&r, 5);
        bool served = which >= 3;
        uint64_t run = fix_run(&f, trial, objectives[which]);
        struct msg_stop stop = {.study = 3,
                                .trial = trial,
                                .attempt = 1,
                                .why = (uint8_t)rng_below(&r, 3),
                                .grace_ms = 1000};
        struct msg_kill kill = {.study = 3, .trial = trial, .attempt = 1};
        struct msg_nak nak = {3, trial, 1, (uint8_t)(18 + rng_below(&r, 5)),
                              (uint8_t)rng_below(&r, 6)};
        for (int i = 0; i < 8; i++) {
            switch (rng_below(&r, 10)) {
            case 9:
                fix_seal(&f, run, (enum seal_verdict)rng_below(&r, 4), "/c", STR("bytes"));
                break;
            case 0:
                fix_send(&f, MSG_STOP, &stop);
                break;
            case 1:
                fix_send(&f, MSG_KILL, &kill);
                break;
            case 2:
                fix_send(&f, MSG_NAK, &nak);
                break;
            case 3:
                fix_ack(&f, (unsigned)(18 + rng_below(&r, 5)), trial, 1);
                break;
            case 4:
                fix_at(&f, (int64_t)rng_below(&r, (uint64_t)(2 * NS_PER_S)));
                break;
            case 5:
                worker_on_child_started(f.w, f.now, run, 1, &f.out);
                fix_take(&f);
                break;
            default:
                fix_line(&f, run, lines[rng_below(&r, 6)]);
                break;
            }
        }
        if (!served || fix_effects(&f, WFX_END) == 0)
            fix_exit(&f, run, (int64_t)rng_below(&r, 2), 0, "");
        for (int i = 0; i < 2; i++) /* the one at work and the one behind it */
            fix_seal(&f, run, SEAL_OK, "/c", STR("bytes"));
        fix_ack(&f, MSG_FINAL, trial, 0);
        fix_ack(&f, MSG_RELEASE, trial, 0);
        assert_int_equal(worker_attempts(f.w), 0);
        assert_int_equal(worker_slots_free(f.w), 4);
        if (worker_session(f.w) == 0) { /* three beats without a word */
            worker_on_connected(f.w, f.now, &f.out);
            fix_take(&f);
            fix_welcome(&f, NULL, 0);
        }
    }
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_fetch_for_many_attempts),
        T(reports_are_merged_and_batched),
        T(nothing_acknowledged_is_thinned),
        T(the_window_is_bounded),
        T(sent_again_until_acknowledged),
        T(results),
        T(output_of_any_bytes_is_made_text),
        T(stop_by_kind_of_program),
        T(stop_and_kill_before_it_runs),
        T(kill_says_nothing),
        T(timeout),
        T(program_that_does_not_end_after_its_result),
        T(resources_short_for_a_moment),
        T(too_many_attempts_are_given_back),
        T(any_order_of_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
