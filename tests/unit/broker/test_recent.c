/* The ring of recent records, and EVENTS made of encoded records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec.h"
#include "events_head.h"
#include "recent.h"
#include "rng.h"

/* A record's bytes follow from its seq, so that a wrong place shows. */
static size_t body_of(uint64_t seq, char out[256])
{
    size_t n = 1 + (size_t)(seq * 37 % 200);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(seq + i);
    return n;
}

static void check_body(const struct recent *r, const struct recent_entry *e)
{
    char want[256];
    size_t n = body_of(e->seq, want);
    struct str body = recent_body(r, e);
    assert_int_equal(body.n, n);
    assert_memory_equal(body.p, want, n);
}

static void test_what_is_held_is_right(void **unused)
{
    (void)unused;
    struct recent r;
    struct rng g;
    uint64_t study_seq[4] = {0};
    recent_init(&r, 64, 4096);
    rng_seed(&g, 1);
    for (uint64_t seq = 1; seq <= 5000; seq++) {
        char bytes[256];
        uint64_t s = rng_below(&g, 4);
        struct recent_entry e = {.seq = seq, .study = s, .study_seq = ++study_seq[s]};
        recent_push(&r, &e, str_make(bytes, body_of(seq, bytes)));
        assert_int_equal(r.last, seq);
        for (uint64_t at = r.first; at <= seq; at++)
            check_body(&r, recent_at(&r, at));
        const struct recent_entry *x = recent_study_at(&r, s, study_seq[s]);
        assert_non_null(x);
        assert_int_equal(x->seq, seq);
        uint64_t n = 0;
        for (uint64_t k = study_seq[s]; k && recent_study_at(&r, s, k); k--)
            n++;
        assert_true(n >= 1 && n <= 64);
        assert_null(recent_study_at(&r, s, study_seq[s] + 1));
    }
    assert_true(r.last - r.first > 10);
    assert_null(recent_at(&r, r.first - 1));
    recent_fini(&r);
}

static void test_a_record_too_long_empties_it(void **unused)
{
    (void)unused;
    struct recent r;
    static char big[3000];
    recent_init(&r, 16, 4096);
    struct recent_entry e = {.seq = 7, .study = 1, .study_seq = 1};
    recent_push(&r, &e, STR("x"));
    e.seq = 8;
    e.study_seq = 2;
    recent_push(&r, &e, str_make(big, sizeof big));
    assert_null(recent_at(&r, 7));
    assert_null(recent_at(&r, 8));
    assert_null(recent_study_at(&r, 1, 1));
    e.seq = 9;
    e.study_seq = 3;
    recent_push(&r, &e, STR("y"));
    assert_int_equal(recent_study_at(&r, 1, 3)->seq, 9);
    recent_fini(&r);
}

static void test_events_decode_as_if_encoded_whole(void **unused)
{
    (void)unused;
    struct arena a;
    struct rng g;
    struct errmsg em = {{0}};
    arena_init(&a, 0);
    rng_seed(&g, 5);
    for (int turn = 0; turn < 200; turn++) {
        union message m, back;
        struct buf raw = {0};
        arena_clear(&a);
        do
            message_sample(&m, MSG_EVENTS, &g, &a);
        while (m.events.records.n > 500);
        events_head(&raw, &m.events, m.events.records.n);
        for (uint32_t i = 0; i < m.events.records.n; i++)
            record_encode(&raw, &m.events.records.v[i]);
        if (message_decode(&back, MSG_EVENTS, buf_str(&raw), &a, &em) != ERR_OK)
            fail_msg("%s", em.text);
        assert_true(message_equal(MSG_EVENTS, &m, &back));
        buf_fini(&raw);
    }
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_held_is_right),
        cmocka_unit_test(test_a_record_too_long_empties_it),
        cmocka_unit_test(test_events_decode_as_if_encoded_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
