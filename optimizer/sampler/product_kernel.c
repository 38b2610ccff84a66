/* Chooses the widest vectors that the processor has. Single precision: a kernel's relative error is
 * some 1e-6, far below what a hundred trials can tell of a density. Called by acquisition.c. */
#include "product_kernel.h"

#include "kernels_lanes.h"
#include "product_kernel_paths.h"

double product_kernel_sum(const struct roster *r, uint32_t n, const float *weight,
                          const struct factor *f, uint32_t n_factors)
{
    return LANES_CHOOSE(product_kernel, r, n, weight, f, n_factors);
}
