/* Streams of one session share what its peer can take, whatever their credit says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "farmbox.h"

#define C       12
#define STREAMS 10

struct fixture {
    struct box b;
    uint64_t c;
};

/* Studies with so many points each, of some KiB; nothing of it is in memory any more. */
static void begin(struct fixture *x, unsigned points, bool in_memory)
{
    char name[8], params[4096];
    memset(params, 'x', sizeof params);
    memcpy(params, "{\"x\":\"", 6);
    memcpy(params + sizeof params - 3, "\"}", 3);
    box_open(&x->b);
    x->c = box_client(&x->b, C, 2);
    for (unsigned i = 0; i < STREAMS; i++) {
        snprintf(name, sizeof name, "s%u", i);
        box_submit(&x->b, C, x->c, name);
        for (unsigned k = 0; k < points; k++)
            box_enqueue(&x->b, C, x->c, name, params);
    }
    if (!in_memory) {
        box_restart(&x->b);
        x->c = box_client(&x->b, C, 2);
    }
    box_clear(&x->b);
}

static void tail_all(struct fixture *x)
{
    char name[8];
    for (unsigned i = 0; i < STREAMS; i++) {
        snprintf(name, sizeof name, "s%u", i);
        SEND(&x->b, C, x->c, TAIL, tail, .request = box_id(500 + i), .study = str_of(name),
             .from = 1, .credit = 100000);
    }
}

static uint64_t records(struct fixture *x)
{
    uint64_t n = 0;
    for (const union message *m; (m = box_take(&x->b, C, MSG_EVENTS));)
        n += m->events.records.n;
    return n;
}

static void test_few_questions_at_once(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 20, false);
    tail_all(&x);
    farm_tick(x.b.f, x.b.now, &x.b.g->fx);
    assert_int_equal(x.b.g->fx.n_asks, 4);
    box_settle(&x.b);
    assert_int_equal(records(&x), STREAMS * 21); /* and yet everything comes */
    box_close(&x.b);
}

static void test_so_much_in_a_turn(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 100, true);
    tail_all(&x);
    farm_tick(x.b.f, x.b.now, &x.b.g->fx);
    assert_true(x.b.g->fx.bytes.n < 2u << 20); /* of 4 MiB */
    box_settle(&x.b);
    assert_int_equal(records(&x), STREAMS * 101);
    box_close(&x.b);
}

static void test_a_peer_that_is_behind_is_waited_for(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 20, true);
    farm_on_peer_busy(x.b.f, C, true);
    farm_on_peer_busy(x.b.f, 99, true); /* nobody */
    tail_all(&x);
    box_settle(&x.b);
    assert_int_equal(records(&x), 0);
    box_enqueue(&x.b, C, x.c, "s0", "{}"); /* answers still come */
    assert_int_equal(records(&x), 0);
    farm_on_peer_busy(x.b.f, C, false);
    box_settle(&x.b);
    assert_int_equal(records(&x), STREAMS * 21 + 1);
    box_close(&x.b);
}

/* Questions under way when the session ends are not counted for the next one. */
static void test_an_end_in_the_midst(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x, 20, false);
    tail_all(&x);
    farm_tick(x.b.f, x.b.now, &x.b.g->fx);
    SEND(&x.b, C, x.c, TAIL, tail, .request = box_id(500), .study = STR("s0"), .cancel = true);
    box_settle(&x.b);
    assert_int_equal(records(&x), (STREAMS - 1) * 21);
    x.c = box_client(&x.b, C, 2);
    tail_all(&x);
    box_settle(&x.b);
    assert_int_equal(records(&x), STREAMS * 21);
    box_close(&x.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_questions_at_once),
        cmocka_unit_test(test_so_much_in_a_turn),
        cmocka_unit_test(test_a_peer_that_is_behind_is_waited_for),
        cmocka_unit_test(test_an_end_in_the_midst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
