/* Sixteen rows at a time, in single precision: a kernel's relative error is some 1e-6, far below
 * what a hundred trials can tell of a density.
 *
 * Called by candidate.c. Lanes are rows; the lanes' sums are added up at the end, in their order.
 * The generic vectors make SSE2, AVX2 or AVX-512 of one source, without a fused multiply-add, so
 * that every processor gives the same bits (see kernels_lanes.h). Factors are kept as their
 * reciprocals, at least about 1, and divided by in groups that cannot overflow. */
#include "product_kernel.h"

#include <string.h>

#include "kernels_lanes.h"

#define GROUP 5 /* factors of at most 3e7 whose product is a float */

typedef float fvec __attribute__((vector_size(ROWS_LANES * sizeof(float))));
typedef int32_t svec __attribute__((vector_size(ROWS_LANES * sizeof(int32_t))));

INLINE void pick(fvec *out, const svec *mask, const fvec *a, const fvec *b)
{
    *out = (fvec)(((svec)*a & *mask) | ((svec)*b & ~*mask));
}

INLINE void number(fvec *product, const fvec *place, const struct factor *f)
{
    fvec z = (*place - f->at) * f->inv;
    *product *= z * z + 1.0F;
}

INLINE void sometimes(fvec *product, const fvec *place, const struct factor *f)
{
    fvec z = (*place - f->at) * f->inv, there = z * z + 1.0F, lacks = (fvec){0} + f->lacks;
    svec absent = (svec)(*place < 0.0F);
    pick(&there, &absent, &lacks, &there);
    *product *= there;
}

INLINE void category(fvec *product, const fvec *place, const struct factor *f)
{
    fvec same = (fvec){0} + 1.0F, other = (fvec){0} + f->other, lacks = (fvec){0} + f->lacks;
    svec equal = (svec)(*place == f->at), absent = (svec)(*place < 0.0F);
    pick(&other, &equal, &same, &other);
    pick(&other, &absent, &lacks, &other);
    *product *= other;
}

INLINE void kernel(fvec *out, const struct rows *r, uint32_t row, const struct factor *f,
                   uint32_t n_factors)
{
    fvec result = (fvec){0} + 1.0F, least = (fvec){0} + PRODUCT_KERNEL_LEAST;
    for (uint32_t begin = 0; begin < n_factors; begin += GROUP) {
        uint32_t end = begin + GROUP < n_factors ? begin + GROUP : n_factors;
        fvec product = (fvec){0} + 1.0F, place;
        for (uint32_t i = begin; i < end; i++) {
            memcpy(&place, rows_column(r, f[i].axis) + row, sizeof place);
            if (f[i].kind == FACTOR_NUMBER)
                number(&product, &place, &f[i]);
            else if (f[i].kind == FACTOR_SOMETIMES)
                sometimes(&product, &place, &f[i]);
            else
                category(&product, &place, &f[i]);
        }
        result /= product;
        svec small = (svec)(result < PRODUCT_KERNEL_LEAST);
        pick(&result, &small, &least, &result);
    }
    *out = result;
}

INLINE double sum_all(const struct rows *r, uint32_t n, const float *weight, const struct factor *f,
                      uint32_t n_factors)
{
    fvec sum = {0}, k, w;
    for (uint32_t row = 0; row < n; row += ROWS_LANES) {
        kernel(&k, r, row, f, n_factors);
        memcpy(&w, weight + row, sizeof w);
        sum += k * w;
    }
    double total = 0;
    for (int i = 0; i < ROWS_LANES; i++)
        total += (double)sum[i];
    return total;
}

#define VARIANT(name, attribute)                                                                   \
    attribute static double sum_##name(const struct rows *r, uint32_t n, const float *weight,      \
                                       const struct factor *f, uint32_t n_factors)                 \
    {                                                                                              \
        return sum_all(r, n, weight, f, n_factors);                                                \
    }
LANES_VARIANTS(VARIANT)

double product_kernel_sum(const struct rows *r, uint32_t n, const float *weight,
                          const struct factor *f, uint32_t n_factors)
{
    return LANES_CHOOSE(sum, r, n, weight, f, n_factors);
}
