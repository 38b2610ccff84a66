/* Widths of kernels: by hand where that is possible, by the formulas of the header elsewhere. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "bandwidth.h"
#include "tunefarm_bed.h"

#define MOST 8

static const struct bandwidth_rule rule = {.width = 0.6, .bad = 0.7, .spread = 0.25, .category = 2};

struct widths {
    struct bed bed;
    struct evidence evidence;
    struct bandwidth widths;
};

static void open_widths(struct widths *w, const char *space)
{
    bed_open(&w->bed, space, NULL);
    evidence_init(&w->evidence, w->bed.space, 0, 0);
    bandwidth_init(&w->widths, w->bed.space->n);
}

static void close_widths(struct widths *w)
{
    bandwidth_fini(&w->widths);
    evidence_fini(&w->evidence);
    bed_close(&w->bed);
}

/* Trial after trial, the best first. */
static void add(struct widths *w, uint32_t n, const double (*points)[MOST])
{
    for (uint32_t t = 0; t < n; t++) {
        memcpy(w->bed.point, points[t], w->bed.space->n * sizeof(double));
        bed_tell(&w->bed, t, OUTCOME_COMPLETE, t);
        evidence_observe(&w->evidence, w->bed.history, t);
    }
}

static void assert_near(double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-7 * fabs(expected)))
        fail_msg("%.15g, expected %.15g", got, expected);
}

static void assert_good(struct widths *w, uint32_t n_good, uint32_t axis, double expected)
{
    bandwidth_fit(&w->widths, &rule, &w->evidence, n_good);
    assert_near(w->widths.good[axis], expected);
    assert_near(w->widths.bad[axis], 0.7 * expected);
}

/* ln(n + 1) - ln(i), in sum n. */
static void the_best_weighs_most(void **state)
{
    (void)state;
    static const double points[64][MOST];
    struct widths w;
    open_widths(&w, "\"x\":{\"float\":[0,1]}");
    add(&w, 64, points);
    bandwidth_fit(&w.widths, &rule, &w.evidence, 2);
    double sum = 2 * log(3) - log(2);
    assert_near(w.widths.weight[0], 2 * log(3) / sum);
    assert_near(w.widths.weight[1], 2 * (log(3) - log(2)) / sum);
    for (uint32_t n = 1; n <= 64; n++) {
        bandwidth_fit(&w.widths, &rule, &w.evidence, n);
        double total = 0;
        for (uint32_t i = 0; i < n; i++) {
            assert_true(w.widths.weight[i] > 0);
            assert_true(i == 0 || w.widths.weight[i] < w.widths.weight[i - 1]);
            total += w.widths.weight[i];
        }
        assert_int_equal(w.widths.n_good, n);
        assert_near(total, n);
    }
    close_widths(&w);
}

/* One good trial: no variance, n_e = 1, D = 1; s^2 = (0.25 / 12) / 1.25 and the least spread. */
static void of_one_good_trial(void **state)
{
    (void)state;
    static const double points[][MOST] = {{0.3}, {0.9}};
    struct widths w;
    open_widths(&w, "\"x\":{\"float\":[0,1]}");
    add(&w, 2, points);
    assert_good(&w, 1, 0, 0.6 * sqrt(0.25 / 12 / 1.25 + 1e-6) * pow(2, -1.0 / 5));
    close_widths(&w);
}

/* Weights p, q of 0.25 and 0.75: variance p q / 4 over their squared sum, n_e = 4 / (p^2 + q^2). */
static void of_two_good_trials(void **state)
{
    (void)state;
    static const double points[][MOST] = {{0.25, 0.5}, {0.75, 0.5}, {0, 0}};
    struct widths w;
    open_widths(&w, "\"x\":{\"float\":[0,1]},\"y\":{\"float\":[0,1]}");
    add(&w, 3, points);
    double p = 2 * log(3) / (2 * log(3) - log(2)), q = 2 - p, n = 4 / (p * p + q * q);
    double scott = pow(n + 1, -1.0 / 6);
    assert_good(&w, 2, 0, 0.6 * sqrt((n * p * q / 16 + 0.25 / 12) / (n + 0.25) + 1e-6) * scott);
    assert_good(&w, 2, 1, 0.6 * sqrt(0.25 / 12 / (n + 0.25) + 1e-6) * scott);
    close_widths(&w);
}

/* Only trials that have the axis count for it, D counts how many a good one has on average; an axis
 * that no good trial has is as wide as the prior. */
static void absent_axes(void **state)
{
    (void)state;
    static const double points[][MOST] = {
        {0, 0.5, NAN, 0.5}, {0, 0.7, NAN, 0.5}, {2, NAN, NAN, 0.5}, {1, NAN, 0.5, 0.5}};
    struct widths w;
    open_widths(&w, "\"c\":{\"choice\":[{\"a\":{\"x\":{\"float\":[0,1]}}},"
                    "{\"b\":{\"y\":{\"float\":[0,1]}}},\"c\"]},\"z\":{\"float\":[0,1]}");
    add(&w, 4, points);
    double sum = 3 * log(4) - log(6); /* of unscaled weights */
    double p = 3 * log(4) / sum, q = 3 * log(2) / sum, d = 5.0 / 3;
    double n = (p + q) * (p + q) / (p * p + q * q), var = p * q / (p + q) / (p + q) * 0.04;
    double wide = sqrt((n * var + 0.25 / 12) / (n + 0.25) + 1e-6);
    assert_good(&w, 3, 1, 0.6 * wide * pow(n + 1, -1 / (d + 4)));
    assert_good(&w, 3, 2, 0.6 * sqrt(1 / 12.0 + 1e-6));
    close_widths(&w);
}

static void at_least_half_a_cell(void **state)
{
    (void)state;
    static const double points[][MOST] = {{0, 0, 0.1}, {0, 0, 0.1}, {1, 3, 0.2}};
    struct widths w;
    open_widths(&w, "\"b\":{\"int\":[0,1]},\"k\":{\"int\":[0,99]},\"x\":{\"float\":[0,1]}");
    add(&w, 3, points);
    bandwidth_fit(&w.widths, &rule, &w.evidence, 2);
    assert_near(w.widths.good[0], 0.25);
    assert_near(w.widths.bad[0], 0.7 * 0.25);
    assert_true(w.widths.good[1] > 0.005);
    assert_near(w.widths.good[1], w.widths.good[2]); /* a fine grid is as good as none */
    close_widths(&w);
}

/* Widths have ends on both sides, whatever the settings: a kernel's factor stays within what the
 * sums allow, and no kernel is flatter than the prior. */
static void widths_have_limits(void **state)
{
    (void)state;
    static double points[64][MOST];
    const struct bandwidth_rule narrow = {0.01, 0.01, 1e-3, 1}, wide = {10, 10, 100, 1};
    struct widths w;
    for (uint32_t t = 0; t < 64; t++)
        for (uint32_t i = 0; i < 3; i++)
            points[t][i] = t % 2;
    open_widths(&w, "\"x\":{\"float\":[0,1]},\"y\":{\"normal\":[0,1]},\"k\":{\"int\":[0,1]}");
    add(&w, 64, points);
    bandwidth_fit(&w.widths, &narrow, &w.evidence, 64);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(w.widths.good[i] >= 2e-4 && w.widths.bad[i] >= 2e-4);
        assert_true(w.widths.bad[i] < 0.01);
    }
    bandwidth_fit(&w.widths, &wide, &w.evidence, 64);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(w.widths.good[i] * 3.1415926 <= 1 && w.widths.bad[i] * 3.1415926 <= 1);
    close_widths(&w);
}

/* The prior's part in a category's kernel is shared among the trials of a side. */
static void categories_swap_less_with_more_trials(void **state)
{
    (void)state;
    static const double points[10][MOST];
    struct widths w;
    open_widths(&w, "\"c\":{\"choice\":[1,2]}");
    add(&w, 10, points);
    bandwidth_fit(&w.widths, &rule, &w.evidence, 4);
    assert_near(w.widths.swap_good, 2.0 / 4);
    assert_near(w.widths.swap_bad, 2.0 / 6);
    bed_tell(&w.bed, 10, OUTCOME_PENDING, 0);
    evidence_observe(&w.evidence, w.bed.history, 10);
    bandwidth_fit(&w.widths, &rule, &w.evidence, 4);
    assert_near(w.widths.swap_bad, 2.0 / 7);
    bandwidth_fit(&w.widths, &rule, &w.evidence, 10);
    assert_near(w.widths.swap_bad, 2);
    close_widths(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_weighs_most),
        cmocka_unit_test(of_one_good_trial),
        cmocka_unit_test(of_two_good_trials),
        cmocka_unit_test(absent_axes),
        cmocka_unit_test(at_least_half_a_cell),
        cmocka_unit_test(widths_have_limits),
        cmocka_unit_test(categories_swap_less_with_more_trials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
