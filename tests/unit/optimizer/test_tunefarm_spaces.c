/* The preset `tunefarm` in spaces of every kind: legal points, and no point twice while there is
 * one that no trial has. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tunefarm_bed.h"

#define SMALL                                                                                      \
    "\"a\":{\"choice\":[\"p\",{\"q\":{\"n\":{\"int\":[0,4],\"step\":2}}},"                         \
    "{\"r\":{\"t\":{\"choice\":[1,{\"2\":{\"u\":{\"randint\":3}}}]}}}]},"                          \
    "\"k\":{\"int\":[1,4]},\"l\":{\"float\":[0,5],\"round\":2.5}"
#define SMALL_POINTS ((1 + 3 + 1 + 3) * 4 * 3)

/* Ends of all kinds, of trials in some order. */
static void end_somehow(struct bed *b, uint64_t trial, struct rng *r)
{
    static const enum outcome ends[] = {OUTCOME_COMPLETE, OUTCOME_COMPLETE, OUTCOME_COMPLETE,
                                        OUTCOME_PRUNED,   OUTCOME_FAILED,   OUTCOME_CANCELLED};
    static const double losses[] = {INFINITY, -INFINITY, 0, 1e300, -1e-300};
    uint64_t what = rng_below(r, 15);
    double loss = what < BED_COUNT(losses) ? losses[what] : rng_unit(r);
    if (rng_below(r, 2)) {
        history_report(b->history, trial, (int64_t)rng_below(r, 5), rng_below(r, 9) ? loss : NAN);
        b->sampler->ops->observe(b->sampler, b->history, trial);
    }
    enum outcome end = ends[rng_below(r, BED_COUNT(ends))];
    bed_finish(b, trial, end, end == OUTCOME_COMPLETE ? loss : (double)NAN);
}

/* n asks with up to `slots` trials running, which end in no order; one in 20 never does. */
static void live(struct bed *b, struct rng *r, uint32_t n, uint32_t slots)
{
    uint32_t running[64], k = 0;
    assert_true(slots <= BED_COUNT(running));
    for (uint32_t t = 0; t < n; t++) {
        bed_ask(b, t);
        bed_tell(b, t, OUTCOME_PENDING, 0);
        running[k++] = t;
        while (k == slots || (k > 0 && rng_below(r, 2))) {
            uint32_t i = (uint32_t)rng_below(r, k);
            if (rng_below(r, 20))
                end_somehow(b, running[i], r);
            running[i] = running[--k];
        }
    }
}

static void points_of_any_space_are_legal(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "",
        ",\"n_startup\":1,\"candidates\":3",
        ",\"width\":10,\"bad_width\":10",
        ",\"width\":0.01,\"bad_width\":0.01,\"spread\":1e-3,\"prior_good\":1e-3",
        ",\"good_share\":1,\"good_most\":64,\"category\":1e-3",
        ",\"category\":100,\"prior_good\":1000,\"prior_bad\":1000"};
    struct rng r;
    rng_seed(&r, 77);
    for (size_t i = 0; i < 20 * BED_COUNT(settings); i++) {
        struct bed b;
        struct buf space;
        buf_init(&space, 0);
        bed_random_space(&space, &r, 12);
        bed_open(&b, buf_z(&space), settings[i % BED_COUNT(settings)]);
        live(&b, &r, 80, 1 + (uint32_t)rng_below(&r, 20));
        bed_close(&b);
        buf_fini(&space);
    }
}

static void five_hundred_parameters_are_no_matter(void **state)
{
    (void)state;
    struct bed b;
    struct buf space;
    struct rng r;
    rng_seed(&r, 5);
    buf_init(&space, 0);
    buf_addz(&space, "\"b\":{\"choice\":[0,1,2]}");
    for (uint32_t k = 0; k < 500; k++) {
        buf_printf(&space, ",\"p%u\":{%s", k, k % 2 ? "\"float\":[0,1]" : "\"int\":[0,1000000]");
        buf_printf(&space, k % 3 ? "}" : ",\"when\":{\"b\":[%u]}}", k % 9 / 3);
    }
    bed_open(&b, buf_z(&space), "");
    live(&b, &r, 60, 5);
    bed_ask(&b, 60);
    assert_true(bed_says(&b, "model"));
    bed_close(&b);
    buf_fini(&space);
}

/* Nothing to choose: the same point again and again. */
static void one_value_is_a_space(void **state)
{
    (void)state;
    struct bed b;
    struct rng r;
    rng_seed(&r, 6);
    bed_open(&b, "\"x\":{\"float\":[2,2]},\"k\":{\"int\":[7,7]},\"v\":{\"value\":\"on\"}", "");
    live(&b, &r, 60, 3);
    bed_ask(&b, 60);
    assert_true(bed_says(&b, "repeated"));
    bed_close(&b);
}

/* ---- no point twice ---- */

static bool same_point(const double *a, const double *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

/* Asks until `points` were proposed, and checks that no two are the same; the next is a repetition.
 * Before each ask, before(b, trial, r) may end trials. */
static void exhaust(struct bed *b, uint32_t points, struct rng *r,
                    void (*before)(struct bed *, uint32_t, struct rng *))
{
    for (uint32_t t = 0; t < points; t++) {
        before(b, t, r);
        bed_ask(b, t);
        assert_false(bed_says(b, "repeated"));
        for (uint32_t k = 0; k < t; k++)
            if (same_point(history_point(b->history, k), b->point, b->space->n))
                fail_msg("trial %u of %u is trial %u again: %s", t, points, k, buf_z(&b->why));
        bed_tell(b, t, OUTCOME_PENDING, 0);
    }
    for (uint32_t t = points; t < points + 20; t++) {
        before(b, t, r);
        bed_ask(b, t);
        assert_true(bed_says(b, "repeated"));
        bed_tell(b, t, OUTCOME_PENDING, 0);
    }
}

static void in_sequence(struct bed *b, uint32_t trial, struct rng *r)
{
    if (trial > 0)
        end_somehow(b, trial - 1, r);
}

static void with_twenty_running(struct bed *b, uint32_t trial, struct rng *r)
{
    if (trial >= 20)
        end_somehow(b, trial - 20, r);
}

static void all_running(struct bed *b, uint32_t trial, struct rng *r)
{
    (void)b;
    (void)trial;
    (void)r;
}

static const struct {
    const char *space;
    uint32_t points;
} small_spaces[] = {
    {SMALL, SMALL_POINTS},
    {"\"k\":{\"int\":[0,99]}", 100},
    {"\"k\":{\"int\":[1,64],\"log\":true}", 64},
    {"\"b\":{\"choice\":[0,1]},\"c\":{\"choice\":[0,1],\"when\":{\"b\":[1]}}", 3},
    /* Points behind an option that the prior all but forbids. */
    {"\"c\":{\"choice\":[1,2,3],\"weights\":[1e9,1e6,1]},\"k\":{\"int\":[1,3]}", 9},
    /* What has no weight is never asked for. */
    {"\"c\":{\"choice\":[1,2,3],\"weights\":[2,0,1]},\"k\":{\"int\":[1,3]}", 6},
};

static void a_space_is_exhausted_before_a_point_comes_again(void **state)
{
    (void)state;
    static void (*const ways[])(struct bed *, uint32_t,
                                struct rng *) = {in_sequence, with_twenty_running, all_running};
    static const char *const settings[] = {"", ",\"n_startup\":64", ",\"candidates\":1"};
    struct rng r;
    rng_seed(&r, 8);
    for (size_t s = 0; s < BED_COUNT(settings); s++)
        for (size_t i = 0; i < BED_COUNT(small_spaces); i++)
            for (size_t w = 0; w < BED_COUNT(ways); w++) {
                struct bed b;
                bed_open(&b, small_spaces[i].space, settings[s]);
                exhaust(&b, small_spaces[i].points, &r, ways[w]);
                bed_close(&b);
            }
}

/* A branch an option: few points, though the product of all numbers of values is 12^13. */
static void branches_do_not_multiply(void **state)
{
    (void)state;
    struct bed b;
    struct buf space;
    struct rng r;
    rng_seed(&r, 9);
    buf_init(&space, 0);
    buf_addz(&space, "\"c\":{\"choice\":[\"none\"");
    for (unsigned i = 1; i < 12; i++)
        buf_printf(&space, ",{\"o%u\":{\"k%u\":{\"int\":[1,12]}}}", i, i);
    buf_addz(&space, "]}");
    bed_open(&b, buf_z(&space), "");
    exhaust(&b, 1 + 11 * 12, &r, with_twenty_running);
    bed_close(&b);
    buf_fini(&space);
}

/* A point is free again once its trial was taken back, and only then. */
static void a_point_taken_back_is_free(void **state)
{
    (void)state;
    struct bed b;
    bed_open(&b, "\"c\":{\"choice\":[1,2,3]}", "");
    for (uint32_t t = 0; t < 3; t++) {
        bed_ask(&b, t);
        bed_tell(&b, t, OUTCOME_PENDING, 0);
    }
    double last = b.point[0];
    bed_finish(&b, 0, OUTCOME_CANCELLED, (double)NAN);
    bed_finish(&b, 1, OUTCOME_FAILED, (double)NAN);
    bed_ask(&b, 3);
    assert_true(bed_says(&b, "repeated"));
    history_retract(b.history, 2);
    b.sampler->ops->observe(b.sampler, b.history, 2);
    for (uint32_t draw = 0; draw < 50; draw++) {
        bed_ask(&b, draw);
        assert_true(b.point[0] == last);
    }
    bed_close(&b);
}

/* One continuous parameter, and there is always another point. */
static void continuous_spaces_have_no_end(void **state)
{
    (void)state;
    struct bed b;
    struct rng r;
    rng_seed(&r, 10);
    bed_open(&b,
             "\"c\":{\"choice\":[\"a\",\"b\",{\"d\":{\"x\":{\"float\":[0,1]}}}],"
             "\"weights\":[50,49,1]}",
             "");
    for (uint32_t t = 0; t < 100; t++) {
        bed_ask(&b, t);
        for (uint32_t k = 0; k < t; k++)
            if (same_point(history_point(b.history, k), b.point, b.space->n))
                assert_true(bed_says(&b, "repeated"));
        bed_tell(&b, t, OUTCOME_PENDING, 0);
        in_sequence(&b, t + 1, &r);
    }
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_of_any_space_are_legal),
        cmocka_unit_test(five_hundred_parameters_are_no_matter),
        cmocka_unit_test(one_value_is_a_space),
        cmocka_unit_test(a_space_is_exhausted_before_a_point_comes_again),
        cmocka_unit_test(branches_do_not_multiply),
        cmocka_unit_test(a_point_taken_back_is_free),
        cmocka_unit_test(continuous_spaces_have_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
