/* The sum of product kernels with vectors of AVX2. */
#define WIDE 8
#include "product_kernel_lanes.h"

double product_kernel_avx2(const struct roster *r, uint32_t n, const float *weight,
                           const struct factor *f, uint32_t n_factors)
{
    return sum_rows(r, n, weight, f, n_factors);
}
