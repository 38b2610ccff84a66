/* Logarithms of masses, eight at a time, against those that are computed one by one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "logmass.h"
#include "rmath.h"
#include "rng.h"

static void masses(const double *lo, const double *hi, double *out)
{
    const double mean = 0, inv = 1, add = 0;
    const uint32_t row = 0;
    const struct logmass_kernels k = {&mean, &inv, &add, &row, 1};
    logmass_table(&k, lo, hi, out);
}

static void assert_close(double lo, double hi, double got)
{
    double expected = r_norm_logdiff(lo, hi);
    if (!(fabs(got - expected) <= 1e-13 + 1e-15 * fabs(expected)))
        fail_msg("%.17g to %.17g: %.17g, expected %.17g", lo, hi, got, expected);
}

static void they_are_those_of_the_normal_distribution(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 12);
    for (int turn = 0; turn < 20000; turn++) {
        double lo[LOGMASS_CELLS], hi[LOGMASS_CELLS], got[LOGMASS_CELLS];
        for (int i = 0; i < LOGMASS_CELLS; i++) { /* centres to 1e4, widths from 1e-9 to 1e3 */
            double centre = rng_between(&r, -1, 1) * r_exp(rng_between(&r, -5, 9));
            double half = r_exp(rng_between(&r, -21, 7));
            lo[i] = centre - half;
            hi[i] = centre + half;
        }
        masses(lo, hi, got);
        for (int i = 0; i < LOGMASS_CELLS; i++)
            assert_close(lo[i], hi[i], got[i]);
    }
}

static void edges_are_no_exception(void **state)
{
    (void)state;
    const double lo[] = {0, -0.5, -8, -1e-300, 1e12, -1e12, 3, 5},
                 hi[] = {0.5, 0, 0, 0.7, 1e12 + 1, 1e12, 3, 4};
    double got[LOGMASS_CELLS];
    masses(lo, hi, got);
    for (int i = 0; i < 6; i++)
        assert_close(lo[i], hi[i], got[i]);
    assert_true(isinf(got[6]) && got[6] < 0 && isinf(got[7]) && got[7] < 0); /* empty */
}

/* A cell's result does not depend on its lane nor on the other cells. */
static void lanes_are_alone(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 13);
    double lo[LOGMASS_CELLS], hi[LOGMASS_CELLS], all[LOGMASS_CELLS], one[LOGMASS_CELLS];
    for (int i = 0; i < LOGMASS_CELLS; i++) {
        lo[i] = rng_between(&r, -20, 20);
        hi[i] = lo[i] + r_exp(rng_between(&r, -9, 3));
    }
    masses(lo, hi, all);
    for (int i = 0; i < LOGMASS_CELLS; i++) {
        double a[LOGMASS_CELLS], b[LOGMASS_CELLS];
        for (int k = 0; k < LOGMASS_CELLS; k++) {
            a[k] = lo[i];
            b[k] = hi[i];
        }
        masses(a, b, one);
        for (int k = 0; k < LOGMASS_CELLS; k++)
            assert_true(one[k] == all[i]);
    }
}

static void kernels_scale_and_add(void **state)
{
    (void)state;
    const double mean[] = {3, -1, 0}, inv[] = {0.5, 4, 1}, add[] = {0.25, -7, 0};
    const uint32_t rows[] = {1, 0};
    const struct logmass_kernels k = {mean, inv, add, rows, 2};
    double lo[LOGMASS_CELLS], hi[LOGMASS_CELLS], got[2 * LOGMASS_CELLS];
    for (int i = 0; i < LOGMASS_CELLS; i++) {
        lo[i] = i - 4;
        hi[i] = i - 3;
    }
    logmass_table(&k, lo, hi, got);
    for (int i = 0; i < 2 * LOGMASS_CELLS; i++) {
        uint32_t row = rows[i / LOGMASS_CELLS];
        int cell = i % LOGMASS_CELLS;
        assert_close((lo[cell] - mean[row]) * inv[row], (hi[cell] - mean[row]) * inv[row],
                     got[i] - add[row]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_those_of_the_normal_distribution),
        cmocka_unit_test(edges_are_no_exception),
        cmocka_unit_test(lanes_are_alone),
        cmocka_unit_test(kernels_scale_and_add),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
