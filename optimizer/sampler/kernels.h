/* Weighted sums of Gaussian kernels over contiguous arrays: the inner loops of every density. The
 * order of additions is fixed and does not depend on the width of the machine's vectors, so the
 * bits are the same everywhere. */
#ifndef FARM_OPTIMIZER_KERNELS_H
#define FARM_OPTIMIZER_KERNELS_H

#include <stddef.h>

#include "ramp.h"

struct kernels {
    const double *mean;
    const double *inv;  /* 1 / width */
    const double *rank; /* age rank, for the weight */
    size_t n;
};

/* Sum of w_k inv_k exp(-z_k^2 / 2), z_k = (y - mean_k) inv_k: the density without 1/sqrt(2 pi).
 * Relative error below 1e-14; terms under 1e-307 count as 0. */
double kernels_density(struct kernels k, struct ramp w, double y);

/* Sum of w_k (Phi((hi - mean_k) inv_k) - Phi((lo - mean_k) inv_k)) sqrt(2 pi), for cells of at most
 * KERNELS_CELL_MAX widths, by Gauss-Legendre quadrature; the error is below 1e-13 of the sum's
 * greatest possible value. */
#define KERNELS_CELL_MAX 1.5
/* greatest_inv: none of the kernels is narrower than 1 over it. */
double kernels_cell(struct kernels k, struct ramp w, double lo, double hi, double greatest_inv);

/* Moments of the weighted kernels in consecutive buckets, in columns: sums over a bucket of w inv,
 * w inv^3, w inv^3 u and w inv^3 u^2, with u = mean - centre of the bucket. */
#define KERNELS_MOMENTS 4
struct moments {
    const double *column[KERNELS_MOMENTS];
    double centre, pitch; /* of the first bucket; from bucket to bucket */
};
/* A lower bound of kernels_density() around y, averaged over a cell of the given width (0 = at y
 * alone), for n buckets, n a multiple of 8: each bucket as one kernel, by Jensen's inequality. */
double kernels_bound(const struct moments *m, size_t n, double y, double cell);

#endif
