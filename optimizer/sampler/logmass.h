/* Logarithms of normal masses of cells, for many kernels: what a rounded value's density consists
 * of. The same bits everywhere, as kernels.h says. */
#ifndef FARM_OPTIMIZER_LOGMASS_H
#define FARM_OPTIMIZER_LOGMASS_H

#include <stddef.h>
#include <stdint.h>

#define LOGMASS_CELLS 8 /* at a time */

struct logmass_kernels {
    const double *mean, *inv; /* inv = 1 / width */
    const double *add;        /* added to the logarithms */
    const uint32_t *rows;     /* which of them, n */
    size_t n;
};

/* out[k * LOGMASS_CELLS + i] = ln(Phi((hi[i] - mean) inv) - Phi((lo[i] - mean) inv)) + add for the
 * k-th of the rows; -infinity for an empty cell. Relative to the mass, the error is below 1e-13
 * plus that of rounding the logarithm itself. */
void logmass_table(const struct logmass_kernels *k, const double *lo, const double *hi,
                   double *out);

#endif
