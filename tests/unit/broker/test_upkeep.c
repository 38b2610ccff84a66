/* Backups and compaction as a client sees them, and what becomes of attempts of another timeline.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "farmbox.h"

#define W 11
#define C 12

struct fixture {
    struct box b;
    uint64_t w, c;
    unsigned requests;
};

/* A study with trials of which each has reported so many steps. */
static void begin(struct fixture *x, uint64_t trials, int64_t steps)
{
    *x = (struct fixture){.requests = 100};
    box_open(&x->b);
    x->c = box_client(&x->b, C, 2);
    box_submit(&x->b, C, x->c, "s");
    for (uint64_t t = 0; t < trials; t++)
        box_enqueue(&x->b, C, x->c, "s", "{}");
    x->w = box_worker(&x->b, W, 1, (uint32_t)trials);
    for (uint64_t t = 0; t < trials; t++) {
        SEND(&x->b, W, x->w, START, start, .study = 1, .trial = t, .attempt = 1);
        for (int64_t i = 1; i <= steps; i++) {
            struct point p = {.step = i, .has_value = true, .value = (double)i};
            SEND(&x->b, W, x->w, REPORT, report, .study = 1, .trial = t, .attempt = 1,
                 .points = {&p, 1});
        }
    }
    box_settle(&x->b);
    box_clear(&x->b);
}

static void complete(struct fixture *x, uint64_t trial)
{
    SEND(&x->b, W, x->w, FINAL, final, .study = 1, .trial = trial, .attempt = 1, .has_value = true,
         .value = 7);
    box_settle(&x->b);
    box_clear(&x->b);
}

static const char *last_reply(struct fixture *x)
{
    static char text[512];
    const union message *m = box_take(&x->b, C, MSG_REPLY);
    assert_non_null(m);
    assert_true(id128_eq(m->reply.request, box_id(x->requests)));
    snprintf(text, sizeof text, STR_FMT " " STR_FMT, STR_ARG(m->reply.name),
             STR_ARG(m->reply.text));
    return text;
}

static const char *ask_compact(struct fixture *x, const char *study)
{
    SEND(&x->b, C, x->c, COMPACT, compact, .request = box_id(x->requests), .study = str_of(study));
    box_settle(&x->b);
    return last_reply(x);
}

/* Asked until it is done. */
static const char *compact(struct fixture *x, const char *study)
{
    x->requests++;
    const char *text = ask_compact(x, study);
    return strstr(text, "\"done\":false") ? ask_compact(x, study) : text;
}

static const char *ask_backup(struct fixture *x, const char *path)
{
    SEND(&x->b, C, x->c, BACKUP, backup, .request = box_id(x->requests), .path = str_of(path));
    box_settle(&x->b);
    return last_reply(x);
}

/* ---- compaction ---- */

static void test_reports_of_final_trials_go(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 2, 5);
    complete(&x, 0);
    assert_string_equal(compact(&x, "s"),
                        "OK {\"done\":true,\"studies\":1,\"dropped\":4,\"free\":0}");
    assert_string_equal(compact(&x, "s"),
                        "OK {\"done\":true,\"studies\":1,\"dropped\":0,\"free\":0}");
    complete(&x, 1);
    assert_string_equal(compact(&x, "s"),
                        "OK {\"done\":true,\"studies\":1,\"dropped\":4,\"free\":0}");
    box_close(&x.b);
}

static void test_only_ended_studies_unless_named(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 5);
    complete(&x, 0);
    assert_string_equal(compact(&x, ""),
                        "OK {\"done\":true,\"studies\":0,\"dropped\":0,\"free\":0}");
    SEND(&x.b, C, x.c, CANCEL, cancel, .request = box_id(999), .study = STR("s"));
    box_settle(&x.b);
    box_clear(&x.b);
    assert_string_equal(compact(&x, ""),
                        "OK {\"done\":true,\"studies\":1,\"dropped\":4,\"free\":0}");
    assert_string_equal(compact(&x, "t"), "NOT_FOUND there is no study t");
    box_close(&x.b);
}

/* A reader that was not there meets the gap, and EVENTS say what it is; so after a restart. */
static void test_a_reader_is_told(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 5);
    complete(&x, 0);
    compact(&x, "s");
    for (int turn = 0; turn < 2; turn++) {
        uint64_t compacted = 0, reports = 0, last = 0;
        box_restart(&x.b); /* the recent records are not in memory any more */
        x.c = box_client(&x.b, C, 2);
        SEND(&x.b, C, x.c, TAIL, tail, .request = box_id(500), .study = STR("s"), .from = 1,
             .credit = 1000);
        box_settle(&x.b);
        for (const union message *m; (m = box_take(&x.b, C, MSG_EVENTS));) {
            assert_true(m->events.compacted > 0);
            last = m->events.upto;
            for (uint32_t i = 0; i < m->events.records.n; i++) {
                const struct record *r = &m->events.records.v[i];
                reports += r->kind == REC_REPORTED;
                if (r->kind == REC_COMPACTED)
                    compacted = r->number;
            }
        }
        assert_int_equal(reports, 1);
        assert_true(compacted && compacted < last);
    }
    box_close(&x.b);
}

static void test_the_state_is_the_same_afterwards(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 2, 5);
    complete(&x, 0);
    struct trial_image before = box_trial(&x.b, 1, 1);
    compact(&x, "s");
    box_restart(&x.b);
    struct trial_image after = box_trial(&x.b, 1, 1);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_COMPLETE);
    assert_int_equal(after.step, before.step);
    assert_int_equal(after.seq, before.seq);
    assert_true(after.value == before.value);
    box_close(&x.b);
}

/* ---- backups ---- */

static void test_a_backup_that_cannot_be(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 0, 0);
    x.requests++;
    assert_non_null(strstr(ask_backup(&x, "here.db"), "INVALID BACKUP: a path from the root"));
    assert_string_equal(ask_backup(&x, "/x.db"), "OK {\"done\":false,\"at\":0,\"of\":0}");
    /* in memory there is nothing to copy; who asks again is told, and may try another */
    assert_non_null(strstr(ask_backup(&x, "/x.db"), "UNSUPPORTED"));
    assert_non_null(strstr(ask_backup(&x, "/x.db"), "UNSUPPORTED"));
    x.requests++;
    assert_non_null(strstr(ask_backup(&x, "/y.db"), "OK"));
    box_close(&x.b);
}

static void test_one_at_a_time(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 0, 0);
    SEND(&x.b, C, x.c, BACKUP, backup, .request = box_id(1), .path = STR("/x.db"));
    SEND(&x.b, C, x.c, COMPACT, compact, .request = box_id(2));
    box_settle(&x.b);
    assert_true(str_is(box_take(&x.b, C, MSG_REPLY)->reply.name, "OK"));
    const union message *m = box_take(&x.b, C, MSG_REPLY);
    assert_true(str_is(m->reply.name, "REFUSED"));
    assert_true(str_starts(m->reply.text, "a backup is being made"));
    box_close(&x.b);
}

/* ---- timelines ---- */

static const struct msg_welcome *come_back(struct fixture *x, uint64_t timeline,
                                           const struct held *held)
{
    SEND(&x->b, W, 0, HELLO, hello, .role = ROLE_WORKER, .version_min = 1, .version_max = 1,
         .peer = box_id(1), .host = STR("host"), .slots = 1, .held = {held, 1},
         .timeline = timeline);
    box_settle(&x->b);
    const union message *m = box_take(&x->b, W, MSG_WELCOME);
    assert_non_null(m);
    return &m->welcome;
}

static void test_attempts_of_another_timeline_end(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 1, 1);
    struct held held = {.study = 1, .trial = 0, .attempt = 1, .phase = 1};
    x.b.c.timeline = 77;
    box_restart(&x.b);
    uint64_t timelines[] = {77, 0}; /* an older worker does not say */
    for (size_t i = 0; i < 2; i++) {
        const struct msg_welcome *m = come_back(&x, timelines[i], &held);
        assert_int_equal(m->timeline, 77);
        assert_int_equal(m->verdicts.v[0].verdict, VERDICT_KEEP);
    }
    const struct msg_welcome *m = come_back(&x, 76, &held);
    assert_int_equal(m->verdicts.n, 1);
    assert_int_equal(m->verdicts.v[0].verdict, VERDICT_KILL);
    /* It was this farm's too, and is run again under the next number. */
    assert_int_equal(box_trial(&x.b, 1, 0).lost, 1);
    SEND(&x.b, W, m->session, CREDIT, credit, .total = 1);
    box_settle(&x.b);
    assert_int_equal(box_trial(&x.b, 1, 0).attempt, 2);
    box_close(&x.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports_of_final_trials_go),
        cmocka_unit_test(test_only_ended_studies_unless_named),
        cmocka_unit_test(test_a_reader_is_told),
        cmocka_unit_test(test_the_state_is_the_same_afterwards),
        cmocka_unit_test(test_a_backup_that_cannot_be),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_attempts_of_another_timeline_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
