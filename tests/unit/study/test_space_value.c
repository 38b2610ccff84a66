/* Scales, legal values and quantiles of every prior. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "study_fixture.h"

#define DRAWS 20000

/* How often each of n values low, low + step, ... comes at equally spaced quantiles. */
static void count_values(const struct param *p, double low, double step, int n, int *counts)
{
    for (int i = 0; i < n; i++)
        counts[i] = 0;
    for (int i = 0; i < DRAWS; i++) {
        double v = param_from_unit(p, (i + 0.5) / DRAWS);
        int k = (int)rint((v - low) / step);
        assert_in_range(k, 0, n - 1);
        assert_true(fabs(v - (low + k * step)) < 1e-9);
        counts[k]++;
    }
}

static void equal_mass(void **state)
{
    (void)state;
    struct space *s = fixture_space("a: {int: [1, 4]}\nb: {float: [0, 1], step: 0.25}\n"
                                    "c: {int: [0, 9], step: 3}\nd: {randint: 4}\n"
                                    "e: {choice: [a, b, c, d]}\n");
    static const double lows[] = {1, 0, 0, 0, 0}, steps[] = {1, 0.25, 3, 1, 1};
    static const int ns[] = {4, 5, 4, 4, 4};
    int counts[5];
    for (uint32_t i = 0; i < s->n; i++) {
        count_values(&s->params[i], lows[i], steps[i], ns[i], counts);
        for (int k = 0; k < ns[i]; k++)
            assert_int_equal(counts[k], DRAWS / ns[i]);
        assert_true(param_cardinality(&s->params[i]) == ns[i]);
    }
    space_free(s);
}

/* Hyperopt's q types: end values have half the mass. */
static void rounded_ends(void **state)
{
    (void)state;
    struct space *s = fixture_space("a: {int: [0, 4], round: 1}\nb: {float: [0, 1], round: 0.4}");
    int counts[5];
    count_values(&s->params[0], 0, 1, 5, counts);
    assert_int_equal(counts[0], DRAWS / 8);
    assert_int_equal(counts[4], DRAWS / 8);
    assert_int_equal(counts[2], DRAWS / 4);
    count_values(&s->params[1], 0, 0.4, 3, counts); /* 0, 0.4, 0.8: 1 / 0.4 = 2.5 rounds to even */
    assert_int_equal(counts[0], DRAWS / 5);
    assert_int_equal(counts[1], DRAWS * 2 / 5);
    assert_true(param_cardinality(&s->params[0]) == 5);
    assert_true(param_cardinality(&s->params[1]) == 3);
    space_free(s);
    s = fixture_space("a: {float: [0, 1], round: 0.3}\nb: {float: [1, 100], log: true, round: 5}");
    assert_true(param_legal(&s->params[0], 1) == rint(1 / 0.3) * 0.3);
    assert_true(param_from_unit(&s->params[1], 0) == 0); /* below the bound by less than 5 / 2 */
    assert_true(param_from_unit(&s->params[1], 0.999999) == 100);
    assert_true(param_cardinality(&s->params[1]) == 21);
    space_free(s);
}

/* An int on a log scale: mass by the logarithm of the cell, ends widened by half a step. */
static void log_ints(void **state)
{
    (void)state;
    struct space *s = fixture_space("a: {int: [1, 4], log: true}\n"
                                    "b: {int: [1, 101], log: true, step: 100}\n");
    int counts[4];
    count_values(&s->params[0], 1, 1, 4, counts);
    double width = log(4.5 / 0.5);
    for (int k = 0; k < 4; k++) {
        double share = log((k + 1.5) / (k + 0.5)) / width;
        assert_true(fabs(counts[k] - share * DRAWS) <= 1.5);
    }
    double lo, hi;
    param_scale_bounds(&s->params[0], &lo, &hi);
    assert_true(fabs(lo - log(0.5)) < 1e-12 && fabs(hi - log(4.5)) < 1e-12);
    param_scale_bounds(&s->params[1], &lo, &hi); /* half a step below would be negative */
    assert_true(fabs(lo - log(0.5)) < 1e-12 && fabs(hi - log(151)) < 1e-12);
    space_free(s);
}

static void scales(void **state)
{
    (void)state;
    struct space *s = fixture_space("l: {float: [1e-5, 1], log: true}\n"
                                    "r: {float: [0.9, 0.9999], log: reverse}\n"
                                    "u: {float: [-1, 1]}\n");
    const struct param *l = &s->params[0], *r = &s->params[1], *u = &s->params[2];
    assert_true(param_is_log(l) && param_is_log(r) && !param_is_log(u));
    assert_true(fabs(param_from_unit(l, 0.5) / sqrt(1e-5) - 1) < 1e-12);
    assert_true(param_to_scale(r, 0.95) < param_to_scale(r, 0.99));
    assert_true(0.9999 - param_from_unit(r, 0.9) < 1e-3); /* fine near the top */
    assert_true(param_from_unit(r, 0.5) > 0.98);
    for (double x = 0.9; x <= 0.9999; x += 0.001)
        assert_true(fabs(param_from_scale(r, param_to_scale(r, x)) - x) < 1e-12);
    assert_true(param_to_scale(u, 0.25) == 0.25 && param_from_scale(u, 7) == 7);
    space_free(s);
}

static void normals(void **state)
{
    (void)state;
    struct space *s = fixture_space("n: {normal: [5, 2]}\nl: {lognormal: [1, 0.5]}\n"
                                    "q: {normal: [0, 10], round: 3, int: true}\n");
    const struct param *n = &s->params[0], *l = &s->params[1], *q = &s->params[2];
    assert_true(fabs(param_from_unit(n, 0.5) - 5) < 1e-9);
    assert_true(fabs(param_from_unit(n, 0.841344746068543) - 7) < 1e-6);
    assert_true(fabs(param_from_unit(l, 0.5) - exp(1)) < 1e-9);
    assert_true(isfinite(param_from_unit(n, 0)) && isfinite(param_from_unit(n, nextafter(1, 0))));
    assert_true(param_from_unit(l, 0) > 0);
    assert_true(param_legal(q, 4) == 3 && param_legal(q, -4.6) == -6);
    assert_false(signbit(param_legal(q, -0.4)));
    assert_true(param_cardinality(n) == 0);
    space_free(s);
}

static void legal_clips_and_is_idempotent(void **state)
{
    (void)state;
    struct space *s = fixture_space(
        "a: {float: [0.1, 1], step: 0.1}\nb: {int: [-7, 20], step: 3}\n"
        "c: {float: [-1, 1], round: 0.3}\nd: {float: [1e-5, 1], log: true}\n"
        "e: {choice: [a, b, c]}\nf: {lognormal: [0, 3]}\ng: {normal: [1, 3], round: 1, int: true}\n"
        "h: {float: [1000000, 1000001], step: 1e-5}\ni: {lognormal: [0, 3], round: 0.7}\n");
    static const double tries[] = {NAN, -INFINITY, INFINITY, -1e308, 1e308, -1,  -0.0,
                                   0,   1e-320,    0.05,     0.15,   0.5,   1.5, 1000000.123456};
    for (uint32_t i = 0; i < s->n; i++) {
        const struct param *p = &s->params[i];
        for (size_t k = 0; k < sizeof tries / sizeof tries[0]; k++) {
            double v = param_legal(p, tries[k]);
            assert_true(isfinite(v));
            assert_true(param_legal(p, v) == v);
            assert_true(v >= p->low - p->round / 2 && v <= p->high + p->round / 2);
        }
    }
    assert_true(param_legal(&s->params[0], 99) == 1); /* as written, not 0.1 + 9 * 0.1 */
    assert_true(param_legal(&s->params[1], 99) == 20);
    assert_true(param_legal(&s->params[1], -5.4) == -4);
    assert_true(param_cardinality(&s->params[0]) == 10);
    space_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_mass), cmocka_unit_test(rounded_ends),
        cmocka_unit_test(log_ints),   cmocka_unit_test(scales),
        cmocka_unit_test(normals),    cmocka_unit_test(legal_clips_and_is_idempotent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
