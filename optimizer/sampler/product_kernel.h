/* Weighted sums of product kernels over rows of trials: the inner loop of preset `tunefarm`.
 *
 * The kernel of a trial at a point is a product over the point's axes. For a number at distance d,
 * with width h, the factor is that of a Cauchy distribution, 1 / (1 + (d / h)^2); for a category it
 * is 1 where both agree. Both are relative to their greatest value, so the constants are the
 * caller's affair. The tails are heavy on purpose: a trial that is far off on one axis alone still
 * counts, which is how a search leaves a basin along one parameter; and a sum takes no exponential,
 * only operations whose every bit IEEE 754 fixes. */
#ifndef FARM_OPTIMIZER_PRODUCT_KERNEL_H
#define FARM_OPTIMIZER_PRODUCT_KERNEL_H

#include "roster.h"

#define PRODUCT_KERNEL_LEAST 1e-30F /* no kernel is smaller: no product is denormal */
#define PRODUCT_KERNEL_MOST  3e7F   /* no factor is smaller than 1 / this */

enum factor_kind {
    FACTOR_NUMBER,    /* every row has the axis */
    FACTOR_SOMETIMES, /* a number's axis that rows may lack */
    FACTOR_CATEGORY,  /* may be lacking too */
};
struct factor {
    uint32_t axis;
    enum factor_kind kind;
    float at;    /* the point's place */
    float inv;   /* numbers: 1 / width */
    float other; /* categories: 1 / the factor of a row of another category */
    float lacks; /* 1 / the factor of a row that lacks the axis */
};

/* The sum over the first n rows of weight * kernel. weight: n of them, padded with zeros to a
 * multiple of ROSTER_LANES. The order of additions depends on n alone. */
double product_kernel_sum(const struct roster *r, uint32_t n, const float *weight,
                          const struct factor *f, uint32_t n_factors);

#endif
