/* A worker's counters: what is counted, and that beats bring what the broker does not know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "core_fixture.h"
#include "told.h"

static void only_news_are_told(void **state)
{
    (void)state;
    struct told t = {.beat = 0};
    struct arena a;
    uint32_t n;
    arena_init(&a, 0);
    assert_null(told_news(&t, 1, &a, &n));
    t.now.v[COUNT_FENCED] = 2;
    const struct count *v = told_news(&t, 2, &a, &n);
    assert_int_equal(n, 1);
    assert_true(str_is(v[0].name, "fenced"));
    assert_int_equal(v[0].n, 2);
    t.now.v[COUNT_RECONNECT] = 1;
    (void)told_news(&t, 3, &a, &n); /* the beat before is not acknowledged */
    assert_int_equal(n, 2);
    told_acked(&t, 2);
    (void)told_news(&t, 4, &a, &n);
    assert_int_equal(n, 2); /* an older beat's acknowledgement does not tell what it brought */
    told_acked(&t, 4);
    assert_null(told_news(&t, 5, &a, &n));
    assert_int_equal(n, 0);
    told_forget(&t);
    (void)told_news(&t, 1, &a, &n);
    assert_int_equal(n, 2);
    arena_fini(&a);
}

static uint64_t counted(const struct fix *f, enum counter c)
{
    return worker_counters(f->w).v[c];
}

static void repetitions_are_counted(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, 1);
    uint64_t run = fix_run(&f, 0, "");
    fix_line(&f, run, "{\"step\":1,\"loss\":0.5}");
    fix_line(&f, run, "this is no report");
    assert_int_equal(counted(&f, COUNT_SKIPPED_LINE), 1);
    fix_live(&f, 11); /* START and the report are not acknowledged */
    assert_int_equal(counted(&f, COUNT_RESENT_START), 1);
    assert_int_equal(counted(&f, COUNT_RESENT_REPORT), 1);
    fix_ack(&f, MSG_START, 0, 0);
    fix_ack(&f, MSG_REPORT, 0, 1);
    fix_assign(&f, 0); /* again */
    assert_int_equal(counted(&f, COUNT_REPEATED_ASSIGN), 1);
    fix_line(&f, run, "{\"loss\":0.25}");
    fix_exit(&f, run, 0, 0, "");
    worker_on_gap(f.w, f.now, &f.out);
    fix_take(&f);
    fix_welcome(&f, NULL, 0);
    assert_int_equal(counted(&f, COUNT_LOST_BROKER_FRAMES), 1);
    assert_int_equal(counted(&f, COUNT_RESENT_FINAL), 1);
    worker_on_disconnected(f.w, f.now, &f.out);
    worker_on_disconnected(f.w, f.now, &f.out);
    assert_int_equal(counted(&f, COUNT_RECONNECT), 1);
    fix_close(&f);
}

static void beats_bring_them_and_the_time(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, 1);
    worker_set_wall(f.w, 1000);
    worker_count(f.w, COUNT_BAD_BROKER_FRAME, 4);
    fix_at(&f, 6 * NS_PER_S);
    const union message *m = fix_last(&f, MSG_BEAT);
    assert_non_null(m);
    assert_int_equal(m->beat.counts.n, 1);
    assert_true(str_is(m->beat.counts.v[0].name, "bad_broker_frame"));
    assert_int_equal(m->beat.counts.v[0].n, 4);
    assert_true(m->beat.wall_ms > 1000);
    struct msg_beat_ack ack = {.number = m->beat.number};
    fix_send(&f, MSG_BEAT_ACK, &ack);
    fix_clear(&f);
    fix_at(&f, 6 * NS_PER_S);
    m = fix_last(&f, MSG_BEAT);
    assert_non_null(m);
    assert_int_equal(m->beat.counts.n, 0);
    fix_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_news_are_told),
        cmocka_unit_test(repetitions_are_counted),
        cmocka_unit_test(beats_bring_them_and_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
