/* product_kernel_sum for processors with ever wider vectors; product_kernel.c chooses. The results
 * are the same, bit for bit. */
#ifndef FARM_OPTIMIZER_PRODUCT_KERNEL_PATHS_H
#define FARM_OPTIMIZER_PRODUCT_KERNEL_PATHS_H

#include "product_kernel.h"

double product_kernel_plain(const struct roster *r, uint32_t n, const float *weight,
                            const struct factor *f, uint32_t n_factors);
#if defined(__x86_64__)
double product_kernel_avx2(const struct roster *r, uint32_t n, const float *weight,
                           const struct factor *f, uint32_t n_factors);
double product_kernel_avx512(const struct roster *r, uint32_t n, const float *weight,
                             const struct factor *f, uint32_t n_factors);
#endif

#endif
