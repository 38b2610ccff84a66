/* Bounded queues a peer: order, limits, peers that are gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "zqueue.h"

struct sink {
    char log[1000];
    int take; /* messages to take before saying LATER */
    const char *gone;
};

static enum zqueue_sent take(void *self, struct str peer, struct str body)
{
    struct sink *s = self;
    if (s->gone && str_is(peer, s->gone))
        return ZQUEUE_GONE;
    if (s->take == 0)
        return ZQUEUE_LATER;
    s->take--;
    size_t n = strlen(s->log);
    snprintf(s->log + n, sizeof s->log - n, STR_FMT STR_FMT " ", STR_ARG(peer), STR_ARG(body));
    return ZQUEUE_SENT;
}

static void test_order_and_later(void **state)
{
    (void)state;
    struct zqueue q;
    struct sink s = {.take = 3};
    zqueue_init(&q, 100);
    assert_true(zqueue_empty(&q));
    assert_true(zqueue_add(&q, STR("a"), STR("1")));
    assert_true(zqueue_add(&q, STR("b"), STR("1")));
    assert_true(zqueue_add(&q, STR("a"), STR("2")));
    assert_true(zqueue_add(&q, STR("b"), STR("2")));
    assert_true(zqueue_waiting(&q, STR("a")));
    assert_int_equal(zqueue_flush(&q, take, &s), 0);
    assert_string_equal(s.log, "a1 a2 b1 ");
    assert_false(zqueue_waiting(&q, STR("a")));
    assert_true(zqueue_waiting(&q, STR("b")));
    s.take = 9;
    assert_int_equal(zqueue_flush(&q, take, &s), 0);
    assert_string_equal(s.log, "a1 a2 b1 b2 ");
    assert_true(zqueue_empty(&q));
    zqueue_fini(&q);
}

static void test_limit_is_a_peer(void **state)
{
    (void)state;
    struct zqueue q;
    zqueue_init(&q, 10);
    assert_true(zqueue_add(&q, STR("a"), STR("12345678")));
    assert_false(zqueue_add(&q, STR("a"), STR("345")));
    assert_true(zqueue_add(&q, STR("a"), STR("34")));
    assert_true(zqueue_add(&q, STR("b"), STR("a single one may be larger than the limit")));
    assert_false(zqueue_add(&q, STR("b"), STR("x")));
    assert_true(zqueue_add(&q, (struct str){NULL, 0},
                           (struct str){NULL, 0})); /* a DEALER's peer has no id */
    char id[256] = {0};
    assert_false(zqueue_add(&q, str_make(id, 256), STR("x")));
    zqueue_fini(&q);
}

static void test_gone_and_clear(void **state)
{
    (void)state;
    struct zqueue q;
    struct sink s = {.take = 9, .gone = "a"};
    zqueue_init(&q, 100);
    assert_true(zqueue_add(&q, STR("a"), STR("1")));
    assert_true(zqueue_add(&q, STR("a"), STR("2")));
    assert_true(zqueue_add(&q, STR("b"), STR("1")));
    assert_int_equal(zqueue_flush(&q, take, &s), 2);
    assert_string_equal(s.log, "b1 ");
    assert_true(zqueue_add(&q, STR("c"), STR("1")));
    assert_int_equal(zqueue_clear(&q), 1);
    assert_true(zqueue_empty(&q));
    zqueue_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_later),
        cmocka_unit_test(test_limit_is_a_peer),
        cmocka_unit_test(test_gone_and_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
