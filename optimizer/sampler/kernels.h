/* Weighted sums of Gaussian kernels at many spots at once: the inner loop of every density. A
 * spot's sum adds the kernels one by one in their order, whatever other spots are asked for and
 * however wide the machine's vectors are, so the bits are the same everywhere. */
#ifndef FARM_OPTIMIZER_KERNELS_H
#define FARM_OPTIMIZER_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "ramp.h"

struct kernels {
    const double *mean;
    const double *inv;  /* 1 / width */
    const double *rank; /* age rank, for the weight */
    size_t n;
};

/* What sums are about: points, or cells of rounded values. */
struct spots {
    const double *lo, *hi; /* lo < hi; points use lo alone */
    size_t n;
    bool cells;
};

/* Adds to sum[i] for spot i, over the kernels k:
 *   a point:  w_k inv_k exp(-z^2 / 2), z = (lo - mean_k) inv_k: the density times sqrt(2 pi);
 *   a cell:   w_k (Phi((hi - mean_k) inv_k) - Phi((lo - mean_k) inv_k)) sqrt(2 pi).
 * The relative error is below 1e-13; terms under 1e-307 count as 0. */
void kernels_sum(const struct kernels *k, struct ramp w, const struct spots *s, double *sum);

#endif
