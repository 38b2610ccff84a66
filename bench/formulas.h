/* What several of the functions in functions_*.c are made of. Pure. */
#ifndef FARM_BENCH_FORMULAS_H
#define FARM_BENCH_FORMULAS_H

#include <stdint.h>

#define FORMULAS_PI 3.14159265358979323846

static inline double square(double v)
{
    return v * v;
}

double formulas_ackley(const double *z, int n); /* 0 at 0 */
double formulas_levy(const double *w, int n);   /* 0 at 1 */
/* Hartmann's sum over the first n of the `width` columns of both tables of four rows; p in 1e-4. */
double formulas_hartmann(const double *x, int n, const double *a, const double *p, int width);
extern const double formulas_hartmann6_a[24], formulas_hartmann6_p[24];
/* Like a loss that cannot be worse than chance: 0.9 at infinity, v near 0. */
double formulas_saturated(double v);
/* Turns n coordinates in planes, at angles that depend on the planes alone: orthogonal. */
void formulas_rotate(double *z, int n);
/* The next entry of a table that comes from a congruential generator, in [0, 1). */
double formulas_entry(uint32_t *state);

#endif
