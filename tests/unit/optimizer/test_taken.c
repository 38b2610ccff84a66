/* The multiset of points against a plain list of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "taken.h"
#include "tunefarm_bed.h"

#define SPACE                                                                                      \
    "\"a\":{\"int\":[-2,2]},\"c\":{\"choice\":[\"n\",{\"y\":{\"x\":{\"float\":[-1,1],\"step\":0."  \
    "5}}}]}"
#define WIDTH 3

static bool same_point(const double *a, const double *b)
{
    for (int i = 0; i < WIDTH; i++)
        if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

static uint64_t count(const struct bed *b, const double *point)
{
    uint64_t n = 0;
    for (uint64_t t = 0; t < history_count(b->history); t++)
        n += history_outcome(b->history, t) != OUTCOME_NONE &&
             same_point(history_point(b->history, t), point);
    return n;
}

static void a_point_is_taken_as_long_as_a_trial_has_it(void **state)
{
    (void)state;
    struct bed b;
    struct taken t;
    struct rng r;
    uint64_t trials = 0;
    rng_seed(&r, 2);
    bed_open(&b, SPACE, NULL);
    taken_init(&t, WIDTH);
    for (int turn = 0; turn < 4000; turn++) {
        bool back = trials > 0 && rng_below(&r, 100) < (turn / 300 % 2 ? 70 : 40) &&
                    history_outcome(b.history, trials - 1) == OUTCOME_PENDING;
        if (back) {
            double point[WIDTH];
            memcpy(point, history_point(b.history, --trials), sizeof point);
            history_retract(b.history, trials);
            assert_int_equal(taken_observe(&t, b.history, trials), count(&b, point) == 0);
        } else {
            space_draw(b.space, &r, b.point);
            history_propose(b.history, trials, b.point);
            assert_false(taken_observe(&t, b.history, trials));
            if (rng_below(&r, 60) == 0) {
                history_finish(b.history, trials, OUTCOME_CANCELLED, (double)NAN);
                assert_false(taken_observe(&t, b.history, trials)); /* it stays taken */
            }
            trials++;
        }
        for (int k = 0; k < 5; k++) {
            space_draw(b.space, &r, b.point);
            assert_int_equal(taken_has(&t, b.point), count(&b, b.point) > 0);
        }
    }
    taken_fini(&t);
    bed_close(&b);
}

static void many_points_are_told_apart(void **state)
{
    (void)state;
    struct bed b;
    struct taken t;
    bed_open(&b, "\"x\":{\"int\":[0,1000000]},\"y\":{\"float\":[0,1]}", NULL);
    taken_init(&t, 2);
    for (uint32_t i = 0; i < 20000; i++) {
        history_propose(b.history, i, (const double[]){i, 1.0 / (1 + i % 7)});
        (void)taken_observe(&t, b.history, i);
    }
    for (uint32_t i = 0; i < 40000; i++) {
        assert_int_equal(taken_has(&t, (const double[]){i, 1.0 / (1 + i % 7)}), i < 20000);
        assert_false(taken_has(&t, (const double[]){i, 1.0 / (2 + i % 7)}));
    }
    taken_fini(&t);
    bed_close(&b);
}

/* What is equal has one digest. */
static void zero_has_no_sign(void **state)
{
    (void)state;
    struct bed b;
    struct taken t;
    bed_open(&b, "\"x\":{\"float\":[-1,1]}", NULL);
    taken_init(&t, 1);
    history_propose(b.history, 0, (const double[]){-0.0});
    (void)taken_observe(&t, b.history, 0);
    assert_true(taken_has(&t, (const double[]){0.0}));
    assert_false(taken_has(&t, (const double[]){5e-324}));
    taken_fini(&t);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_point_is_taken_as_long_as_a_trial_has_it),
        cmocka_unit_test(many_points_are_told_apart),
        cmocka_unit_test(zero_has_no_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
