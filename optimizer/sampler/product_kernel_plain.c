/* The sum of product kernels with vectors of 16 bytes, which SSE2 and NEON have. */
#define WIDE 4
#include "product_kernel_lanes.h"

double product_kernel_plain(const struct roster *r, uint32_t n, const float *weight,
                            const struct factor *f, uint32_t n_factors)
{
    return sum_rows(r, n, weight, f, n_factors);
}
