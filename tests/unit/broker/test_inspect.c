/* What the broker tells of itself: counters by peer, who is here, what studies wait for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "farmbox.h"

#define W 11u
#define C 12u
#define O 13u

struct fixture {
    struct box b;
    uint64_t c;
    struct buf rows; /* of the last answer, one a line */
};

static void begin(struct fixture *x)
{
    *x = (struct fixture){0};
    box_open(&x->b);
    x->c = box_client(&x->b, C, 2);
}

static void end(struct fixture *x)
{
    buf_fini(&x->rows);
    box_close(&x->b);
}

/* Asks; the rows of all pieces stand in x->rows then. The error, or "". */
static const char *inspect(struct fixture *x, const char *what)
{
    static char error[1100];
    error[0] = 0;
    buf_clear(&x->rows);
    SEND(&x->b, C, x->c, INSPECT, inspect, .request = box_id(77), .what = str_of(what));
    box_settle(&x->b);
    for (const union message *m; (m = box_take(&x->b, C, MSG_ROWS));) {
        assert_true(id128_eq(m->rows.request, box_id(77)));
        for (uint32_t i = 0; i < m->rows.rows.n; i++) {
            buf_add_str(&x->rows, m->rows.rows.v[i]);
            buf_addc(&x->rows, '\n');
        }
        str_copyz(error, sizeof error, m->rows.error);
    }
    return error;
}

static bool has(struct fixture *x, const char *text)
{
    return strstr(buf_z(&x->rows), text) != NULL;
}

static uint64_t counted(const struct fixture *x, enum counter c)
{
    return farm_counters(x->b.f).v[c];
}

static void test_counters_by_peer_and_role(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    assert_string_equal(inspect(&x, "counters"), "");
    assert_int_equal(x.rows.n, 0);
    uint64_t w = box_worker(&x.b, W, 1, 2);
    SEND(&x.b, W, w, CANCEL, cancel, .study = STR("s")); /* not its business */
    SEND(&x.b, W, w + 1, BEAT, beat, .number = 1);       /* another session */
    SEND(&x.b, 99, w, BEAT, beat, .number = 1);          /* a stranger */
    SEND(&x.b, C, x.c, CANCEL, cancel, .request = box_id(5), .study = STR("s"));
    box_settle(&x.b);
    assert_string_equal(inspect(&x, "counters"), "");
    assert_true(has(&x, "[\"worker\",null,null,\"refused_role\",1]"));
    assert_true(has(&x, "[\"worker\",null,null,\"stale_session\",1]"));
    assert_true(has(&x, "[\"none\",null,null,\"stale_session\",1]"));
    assert_true(has(&x, "[\"client\",null,null,\"unknown_study\",1]"));
    assert_int_equal(counted(&x, COUNT_STALE_SESSION), 2);
    SEND(&x.b, W, w, BYE, bye, .why = STR("done"));
    box_settle(&x.b);
    (void)inspect(&x, "counters"); /* the peer is gone, the sums stay */
    assert_true(has(&x, "[\"worker\",null,null,\"refused_role\",1]"));
    assert_int_equal(counted(&x, COUNT_REFUSED_ROLE), 1);
    end(&x);
}

static void beat(struct fixture *x, uint64_t session, const char *name, uint64_t n, int64_t wall)
{
    struct count count = {str_of(name), n};
    struct msg_beat m = {.number = 1, .wall_ms = wall};
    m.counts.v = &count;
    m.counts.n = 1;
    box_send(&x->b, W, session, MSG_BEAT, &m, sizeof m);
    box_settle(&x->b);
}

static void test_what_workers_tell(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    uint64_t w = box_worker(&x.b, W, 1, 2);
    beat(&x, w, "resent_final", 3, 0);
    beat(&x, w, "resent_final", 5, 0);
    assert_int_equal(counted(&x, COUNT_RESENT_FINAL), 5);
    beat(&x, w, "resent_final", 1, 0); /* less than before: what was counted stays in the sum */
    assert_int_equal(counted(&x, COUNT_RESENT_FINAL), 5);
    beat(&x, w, "not_owner", 100, 0); /* the broker's own; not for workers to say */
    beat(&x, w, "of_a_newer_worker", 100, 0);
    assert_int_equal(counted(&x, COUNT_NOT_OWNER), 0);
    beat(&x, w, "resent_start", UINT64_MAX, 0);
    beat(&x, w, "resent_start", 1, 0);
    beat(&x, w, "resent_start", UINT64_MAX, 0);
    assert_true(counted(&x, COUNT_RESENT_START) == UINT64_MAX);
    /* The same process in a new session goes on with its counters. */
    w = box_worker(&x.b, W, 1, 2);
    assert_int_equal(counted(&x, COUNT_REPEATED_HELLO), 1);
    beat(&x, w, "resent_final", 1, 0);
    assert_int_equal(counted(&x, COUNT_RESENT_FINAL), 5);
    (void)inspect(&x, "counters");
    assert_true(has(&x, "\"repeated_hello\",1]"));
    end(&x);
}

static void test_peers(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    uint64_t w = box_worker(&x.b, W, 1, 2);
    box_optimizer(&x.b, O, 3);
    assert_string_equal(inspect(&x, "peers"), "");
    assert_true(has(&x, "[\"worker\","));
    assert_true(has(&x, "[\"optimizer\","));
    assert_true(has(&x, "[\"client\","));
    assert_true(has(&x, ",null,2,0,0]")); /* clock not told, slots, running, draining */
    farm_set_wall(x.b.f, 0);
    beat(&x, w, "fenced", 1, INT64_MIN);
    beat(&x, w, "fenced", 1, INT64_MAX);
    (void)inspect(&x, "peers");
    assert_true(has(&x, ",null,2,0,0]")); /* no clock says that */
    beat(&x, w, "fenced", 1, 7000 + x.b.now / NS_PER_MS);
    (void)inspect(&x, "peers");
    assert_true(has(&x, ",7000,2,0,0]"));
    end(&x);
}

static bool waits(struct fixture *x, const char *words)
{
    char tail[80];
    snprintf(tail, sizeof tail, "\"%s\"]\n", words);
    assert_string_equal(inspect(x, "studies"), "");
    return has(x, tail);
}

static void test_what_studies_wait_for(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    (void)inspect(&x, "studies");
    assert_int_equal(x.rows.n, 0);
    x.b.env.gpu = 2;
    box_submit(&x.b, C, x.c, "s");
    assert_true(waits(&x, "no_worker no_optimizer"));
    uint64_t w = box_worker(&x.b, W, 1, 1);
    SEND(&x.b, W, w, BYE, bye, .why = STR("done"));
    struct resources one_gpu = {.cpu = 4, .gpu = 1, .memory = 1 << 30};
    struct msg_hello h = {.role = ROLE_WORKER,
                          .version_min = 1,
                          .version_max = 1,
                          .peer = box_id(4),
                          .slots = 1,
                          .host = STR("h")};
    h.have.v = &one_gpu;
    h.have.n = 1;
    box_send(&x.b, W, 0, MSG_HELLO, &h, sizeof h);
    box_settle(&x.b);
    assert_true(waits(&x, "no_fit no_optimizer"));
    box_optimizer(&x.b, O, 3);
    box_settle(&x.b);
    assert_true(waits(&x, "no_fit"));
    SEND(&x.b, C, x.c, PAUSE, pause, .request = box_id(9), .study = STR("s"));
    box_settle(&x.b);
    assert_true(waits(&x, "paused no_fit"));
    farm_on_full(x.b.f, x.b.now, true, &x.b.g->fx);
    assert_true(waits(&x, "paused disk_full no_fit"));
    end(&x);
}

static void test_the_broker_and_its_clock(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    farm_set_wall(x.b.f, 1000000);
    farm_set_wall(x.b.f, 1000500); /* corrected */
    farm_set_wall(x.b.f, 1000000 - 60000);
    assert_string_equal(inspect(&x, "broker"), "");
    assert_true(has(&x, ",2,-60500,")); /* jumps (the first from nothing), the last one */
    end(&x);
}

static void test_questions_that_are_none(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    assert_non_null(strstr(inspect(&x, "everything"), "was expected"));
    assert_int_equal(counted(&x, COUNT_INVALID_VALUE), 1);
    assert_non_null(strstr(inspect(&x, "check"), "in memory")); /* the store cannot */
    assert_non_null(strstr(inspect(&x, "check"), "in memory")); /* and the next may ask again */
    SEND(&x.b, C, x.c, INSPECT, inspect, .request = box_id(1), .what = STR("check"));
    SEND(&x.b, C, x.c, INSPECT, inspect, .request = box_id(2), .what = STR("check"));
    box_settle(&x.b);
    assert_int_equal(counted(&x, COUNT_TOO_MUCH_AT_ONCE), 1);
    end(&x);
}

static void test_many_rows_come_in_pieces(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    for (unsigned i = 0; i < 700; i++)
        box_client(&x.b, 1000 + i, 1000 + i);
    SEND(&x.b, C, x.c, INSPECT, inspect, .request = box_id(77), .what = STR("peers"));
    box_settle(&x.b);
    assert_int_equal(box_count(&x.b, C, MSG_ROWS), 2);
    const union message *m = box_take(&x.b, C, MSG_ROWS);
    assert_true(m->rows.more);
    assert_int_equal(m->rows.columns.n, 10);
    m = box_take(&x.b, C, MSG_ROWS);
    assert_false(m->rows.more);
    end(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters_by_peer_and_role),
        cmocka_unit_test(test_what_workers_tell),
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_what_studies_wait_for),
        cmocka_unit_test(test_the_broker_and_its_clock),
        cmocka_unit_test(test_questions_that_are_none),
        cmocka_unit_test(test_many_rows_come_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
