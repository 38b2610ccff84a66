/* The Parzen estimator against Hyperopt's own figures, and against sums written out the long way.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "parzen.h"
#include "rmath.h"

#define SQRT_2PI 2.506628274631000502
#define SPOTS    99

static void assert_near(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("got %.15g, expected %.15g within %g", got, expected, tolerance);
}

static struct parzen_prior uniform(double low, double high)
{
    return (struct parzen_prior){(low + high) / 2, high - low, 1, low, high};
}

static void fill(struct parzen *p, const struct parzen_prior *prior, const double *v, uint32_t n)
{
    *p = (struct parzen){0};
    for (uint32_t i = 0; i < n; i++)
        parzen_insert(p, prior, v[i], i);
}

static void assert_components(const double *obs, uint32_t n, const double *means,
                              const double *widths)
{
    struct parzen_prior prior = uniform(0, 10);
    struct parzen p;
    fill(&p, &prior, obs, n);
    assert_int_equal(p.n, n);
    for (uint32_t i = 0; i < n; i++) {
        assert_near(p.mean[i], means[i], 0);
        assert_near(1 / p.inv[i], widths[i], 1e-11);
    }
    parzen_fini(&p);
}

/* The prior's own component, 5 with width 10, is not among the arrays. */
static void widths_follow_the_gaps(void **state)
{
    (void)state;
    assert_components((double[]){2, 9, 4}, 3, (double[]){2, 4, 9}, (double[]){2, 2, 4});
    assert_components((double[]){2}, 1, (double[]){2}, (double[]){5});
    assert_components((double[]){7}, 1, (double[]){7}, (double[]){5});
    assert_components((double[]){1, 1, 9.5, 5}, 4, (double[]){1, 1, 5, 9.5},
                      (double[]){10.0 / 6, 4, 4.5, 4.5});
}

static void old_observations_are_forgotten_linearly(void **state)
{
    (void)state;
    struct ramp w = ramp_of(25);
    for (int i = 0; i < 25; i++)
        assert_near(ramp_at(w, i), 1, 0);
    w = ramp_of(26);
    assert_near(ramp_at(w, 0), 1.0 / 26, 1e-15);
    for (int i = 1; i < 26; i++)
        assert_near(ramp_at(w, i), 1, 0);
    w = ramp_of(28);
    assert_near(ramp_at(w, 0), 0.0357142857142857, 1e-15);
    assert_near(ramp_at(w, 1), 0.5178571428571429, 1e-15);
    assert_near(ramp_at(w, 2), 1, 1e-15);
    assert_near(ramp_at(w, 27), 1, 0);
}

static double density_at(const struct parzen *p, const struct parzen_prior *prior, double y)
{
    double sum;
    parzen_sum(p, prior, &(struct spots){&y, &y, 1, false}, &sum);
    return sum;
}

static double mass_of(const struct parzen *p, const struct parzen_prior *prior, double lo,
                      double hi)
{
    double sum;
    parzen_sum(p, prior, &(struct spots){&lo, &hi, 1, true}, &sum);
    return sum;
}

static double log_density(const struct parzen *p, const struct parzen_prior *prior, double y)
{
    return log(density_at(p, prior, y) / mass_of(p, prior, prior->low, prior->high));
}

static double log_cell(const struct parzen *p, const struct parzen_prior *prior, double lo,
                       double hi)
{
    return log(mass_of(p, prior, lo, hi) / mass_of(p, prior, prior->low, prior->high));
}

static void densities_are_hyperopts(void **state)
{
    (void)state;
    struct parzen_prior prior = uniform(0, 10), free_prior = prior;
    free_prior.low = -INFINITY;
    free_prior.high = INFINITY;
    struct parzen p, free_p;
    fill(&p, &prior, (double[]){2, 9, 4}, 3);
    fill(&free_p, &free_prior, (double[]){2, 9, 4}, 3);
    const double at[] = {0, 1, 4.2, 5, 9.99};
    const double bounded[] = {-2.679671115445, -2.258862048272, -1.951888717357, -2.100179185584,
                              -3.032739825498};
    const double unbounded[] = {-3.041136149130, -2.620327081958, -2.313353751042, -2.461644219269,
                                -3.394204859184};
    for (int i = 0; i < 5; i++) {
        assert_near(log_density(&p, &prior, at[i]), bounded[i], 1e-11);
        assert_near(log_density(&free_p, &free_prior, at[i]), unbounded[i], 1e-11);
    }
    const double q[] = {0, 2, 4, 10};
    const double mass[] = {-2.449840679017, -1.319369044544, -1.253283175818, -2.992316195343};
    for (int i = 0; i < 4; i++)
        assert_near(log_cell(&p, &prior, fmax(q[i] - 1, 0), fmin(q[i] + 1, 10)), mass[i], 1e-11);
    parzen_fini(&p);
    parzen_fini(&free_p);
}

static void log_densities_are_hyperopts(void **state)
{
    (void)state;
    const double obs[] = {log(.01), log(.1), log(.05)};
    struct parzen_prior prior = uniform(log(1e-3), 0);
    struct parzen p, free_p;
    fill(&p, &prior, obs, 3);
    const double widths[] = {1.381551, 1.381551, 1.381551};
    for (int i = 0; i < 3; i++)
        assert_near(1 / p.inv[i], widths[i], 1e-6);
    /* Hyperopt does not divide the log type by the mass within the bounds. */
    struct parzen_prior free_prior = prior;
    free_prior.low = -INFINITY;
    free_prior.high = INFINITY;
    fill(&free_p, &free_prior, obs, 3);
    const double at[] = {.002, .05, .9};
    const double plain[] = {3.333089249174, 1.318428682949, -3.072623560190};
    for (int i = 0; i < 3; i++)
        assert_near(log_density(&free_p, &free_prior, log(at[i])) - log(at[i]), plain[i], 1e-11);
    const double q[] = {0, .1, .5, 1};
    const double mass[] = {-0.567558875820, -1.466898340374, -4.069352496695, -6.018046195175};
    for (int i = 0; i < 4; i++) {
        double u = fmin(q[i] + .05, 1), v = fmax(q[i] - .05, 1e-3);
        assert_near(log_cell(&p, &prior, log(v), log(u)), mass[i], 1e-11);
    }
    parzen_fini(&p);
    parzen_fini(&free_p);
}

/* ---- against the long way ---- */

struct component {
    double mean, width, weight;
};

static int by_mean(const void *x, const void *y)
{
    const struct component *a = x, *b = y;
    return (a->mean > b->mean) - (a->mean < b->mean);
}

/* Step 3 of Hyperopt's suggest, from a plain list of distinct observations, oldest first. */
static struct component *components(const double *obs, uint32_t n, const struct parzen_prior *prior)
{
    struct component *c = calloc(n + 1, sizeof *c);
    uint32_t sloped = n > RAMP_FULL ? n - RAMP_FULL : 0;
    for (uint32_t i = 0; i < n; i++) {
        double w = 1;
        if (i < sloped)
            w = sloped == 1 ? 1.0 / n : 1.0 / n + i * (1 - 1.0 / n) / (sloped - 1);
        c[i] = (struct component){obs[i], 0, w};
    }
    c[n] = (struct component){prior->mean, -1, prior->weight};
    qsort(c, n + 1, sizeof *c, by_mean);
    double least = prior->width / fmin(100, n + 2.0);
    for (uint32_t i = 0; i <= n; i++) {
        double left = i > 0 ? c[i].mean - c[i - 1].mean : 0;
        double right = i < n ? c[i + 1].mean - c[i].mean : 0;
        bool is_prior = c[i].width < 0;
        c[i].width = fmin(fmax(n == 1 ? prior->width / 2 : fmax(left, right), least), prior->width);
        if (is_prior)
            c[i].width = prior->width;
    }
    return c;
}

/* Phi(b) - Phi(a), b = a + h; a narrow one by the density in its middle, where the difference would
 * cancel. */
static double mass_between(double a, double b, double h)
{
    double z = (a + b) / 2;
    if (h < 1e-3)
        return h * exp(-z * z / 2) / SQRT_2PI * (1 + (z * z - 1) * h * h / 24);
    return a > 0 ? 0.5 * (erfc(a / sqrt(2)) - erfc(b / sqrt(2)))
                 : 0.5 * (erfc(-b / sqrt(2)) - erfc(-a / sqrt(2)));
}

static double long_way(const struct component *c, uint32_t n, double lo, double hi, bool cell)
{
    double sum = 0;
    for (uint32_t i = 0; i <= n; i++) {
        double w = c[i].width, a = (lo - c[i].mean) / w, b = (hi - c[i].mean) / w;
        double one = cell ? SQRT_2PI * mass_between(a, b, (hi - lo) / w) : exp(-a * a / 2) / w;
        sum += c[i].weight * one;
    }
    return sum;
}

/* Every spot of many, in full, bounded, and alone: the sum of one must not depend on the others. */
static void compare_spots(const struct parzen *p, const struct parzen_prior *prior,
                          const struct component *c, const struct spots *s)
{
    double sum[SPOTS], least[SPOTS], most[SPOTS];
    parzen_sum(p, prior, s, sum);
    if (p->n > PARZEN_FEW)
        parzen_bounds(p, prior, s, least, most);
    for (size_t i = 0; i < s->n; i++) {
        double alone, expected = long_way(c, p->n, s->lo[i], s->hi[i], s->cells);
        assert_near(sum[i] / expected, 1, s->cells ? 2e-11 : 1e-12);
        parzen_sum(p, prior, &(struct spots){s->lo + i, s->hi + i, 1, s->cells}, &alone);
        assert_memory_equal(&alone, &sum[i], sizeof alone);
        if (p->n <= PARZEN_FEW)
            continue;
        assert_true(least[i] <= sum[i] && sum[i] <= most[i]);
        assert_true(least[i] > 0 && most[i] < 1.1 * least[i]);
    }
}

static void compare(const double *obs, uint32_t n, const struct parzen_prior *prior, struct rng *r)
{
    struct parzen p;
    fill(&p, prior, obs, n);
    parzen_measure(&p, prior);
    struct component *c = components(obs, n, prior);
    double from = isfinite(prior->low) ? prior->low : prior->mean - 6 * prior->width;
    double to = isfinite(prior->high) ? prior->high : prior->mean + 6 * prior->width;
    const double parts[] = {40, 150, 700, 3000, 1e6};
    double lo[SPOTS], hi[SPOTS];
    for (int k = 0; k < SPOTS; k++) {
        double y = rng_between(r, from, to), h = (to - from) / parts[k % 5];
        lo[k] = y - h;
        hi[k] = y + h;
    }
    compare_spots(&p, prior, c, &(struct spots){lo, hi, SPOTS, true});
    compare_spots(&p, prior, c, &(struct spots){lo, lo, SPOTS, false});
    free(c);
    parzen_fini(&p);
}

static void sums_leave_nothing_out(void **state)
{
    (void)state;
    const uint32_t sizes[] = {0, 1, 2, 3, 24, 25, 26, 27, 97, 98, 99, 100, 101, 300, 2000};
    struct rng r;
    rng_seed(&r, 7);
    double *obs = calloc(2000, sizeof *obs);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct parzen_prior prior = uniform(-3, 5);
        for (uint32_t i = 0; i < sizes[s]; i++) /* a cluster, and a sparse rest */
            obs[i] = rng_unit(&r) < 0.7 ? rng_between(&r, 0.1, 0.3) : rng_between(&r, -3, 5);
        compare(obs, sizes[s], &prior, &r);
        struct parzen_prior normal = {1, 0.7, 2.5, -INFINITY, INFINITY};
        for (uint32_t i = 0; i < sizes[s]; i++)
            obs[i] = 1 + 0.7 * (i % 7 == 0 ? 9 : 1) * rng_between(&r, -2, 2);
        compare(obs, sizes[s], &normal, &r);
    }
    free(obs);
}

static void assert_same(const struct parzen *a, const struct parzen *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->mean, b->mean, a->n * sizeof *a->mean);
    assert_memory_equal(a->inv, b->inv, a->n * sizeof *a->inv);
    assert_memory_equal(a->rank, b->rank, a->n * sizeof *a->rank);
    assert_memory_equal(a->trial, b->trial, a->n * sizeof *a->trial);
}

/* Whatever came and went, and in which order: only what is there counts. Values repeat often. */
static void no_trace_of_the_past(void **state)
{
    (void)state;
    enum { MOST = 240 };
    struct parzen_prior prior = uniform(0, 1);
    struct rng r;
    rng_seed(&r, 11);
    double value[MOST], values[MOST];
    bool in[MOST] = {false};
    uint32_t trials[MOST];
    for (int i = 0; i < MOST; i++)
        value[i] = i % 3 ? rng_unit(&r) : (double)rng_below(&r, 9) / 8;
    struct parzen p = {0};
    for (int step = 0; step < 6000; step++) {
        uint32_t k = (uint32_t)rng_below(&r, MOST);
        if (step < 3000 ? !in[k] : step < 4500 ? !in[k] && rng_unit(&r) < 0.3 : false)
            parzen_insert(&p, &prior, value[k], k), in[k] = true;
        else if (in[k] && rng_unit(&r) < 0.5)
            parzen_remove(&p, &prior, k), in[k] = false;
        if (step % 37)
            continue;
        uint32_t n = 0;
        for (uint32_t i = 0; i < MOST; i++)
            if (in[i]) {
                values[n] = value[i];
                trials[n++] = i;
            }
        struct parzen fresh = {0};
        parzen_set(&fresh, &prior, values, trials, n);
        assert_same(&p, &fresh);
        parzen_fini(&fresh);
    }
    parzen_remove(&p, &prior, 1000); /* absent */
    parzen_fini(&p);
}

static void counts_are_hyperopts(void **state)
{
    (void)state;
    struct parzen_prior prior = {0, 3, 1, 0, 3};
    struct parzen p;
    fill(&p, &prior, (double[]){0, 2, 2}, 3);
    assert_near(parzen_weight_of(&p, 0), 1, 0);
    assert_near(parzen_weight_of(&p, 1), 0, 0);
    assert_near(parzen_weight_of(&p, 2), 2, 0);
    parzen_fini(&p);
}

static void draws_follow_the_mixture(void **state)
{
    (void)state;
    struct parzen_prior prior = uniform(0, 10);
    struct parzen p;
    fill(&p, &prior, (double[]){2, 9, 4}, 3);
    struct rng r;
    rng_seed(&r, 3);
    enum { DRAWS = 20000, PARTS = 10 };
    double seen[PARTS] = {0}, whole = mass_of(&p, &prior, 0, 10);
    for (int i = 0; i < DRAWS; i++) {
        double y = parzen_draw(&p, &prior, &r);
        assert_true(y >= 0 && y < 10);
        seen[(int)y]++;
    }
    for (int i = 0; i < PARTS; i++) {
        double expected = mass_of(&p, &prior, i, i + 1) / whole;
        assert_near(seen[i] / DRAWS, expected, 5 * sqrt(expected / DRAWS));
    }
    parzen_fini(&p);
}

static void picks_by_weight(void **state)
{
    (void)state;
    struct parzen_prior prior = uniform(0, 10);
    struct parzen p;
    fill(&p, &prior, (double[]){2, 9, 4}, 3);
    assert_int_equal(parzen_pick(&p, 1, 0.0), 3); /* the prior */
    assert_int_equal(parzen_pick(&p, 1, 0.24), 3);
    assert_int_equal(parzen_pick(&p, 1, 0.26), 0);
    assert_int_equal(parzen_pick(&p, 1, 0.51), 1);
    assert_int_equal(parzen_pick(&p, 1, 0.99), 2);
    parzen_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths_follow_the_gaps),
        cmocka_unit_test(old_observations_are_forgotten_linearly),
        cmocka_unit_test(densities_are_hyperopts),
        cmocka_unit_test(log_densities_are_hyperopts),
        cmocka_unit_test(sums_leave_nothing_out),
        cmocka_unit_test(no_trace_of_the_past),
        cmocka_unit_test(counts_are_hyperopts),
        cmocka_unit_test(draws_follow_the_mixture),
        cmocka_unit_test(picks_by_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
