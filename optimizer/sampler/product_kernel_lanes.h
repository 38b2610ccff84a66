/* The loops of product_kernel.h for vectors of WIDE floats, which an including file defines: as
 * many as the processor's vectors hold, since GCC keeps wider ones in memory and compares them lane
 * by lane. Included by product_kernel_plain.c, product_kernel_avx2.c and product_kernel_avx512.c.
 *
 * Lanes are rows. Each does the same IEEE operations in the same order whatever WIDE is, without a
 * fused multiply-add, and the lanes' sums are added up at the end, in their order; so every
 * processor gives the same bits. Factors are kept as their reciprocals, at least about 1, and
 * divided by in groups; a product that is no float any more is infinite, and counts as the greatest
 * that is allowed. */
#ifndef FARM_OPTIMIZER_PRODUCT_KERNEL_LANES_H
#define FARM_OPTIMIZER_PRODUCT_KERNEL_LANES_H

#include <stddef.h>

#include "product_kernel_paths.h"

#define INLINE static inline __attribute__((always_inline))

#define GROUP 10                            /* factors a division: that is what costs */
#define MOST  (1.0F / PRODUCT_KERNEL_LEAST) /* of a group's product */

/* Several vectors go through every step together, since one alone would wait for its own results.
 */
#define VECTORS        4
#define ROWS           (VECTORS * WIDE) /* at a time */
#define BLOCKS         (ROSTER_LANES / ROWS)
#define EACH_VECTOR(i) for (int i = 0; i < VECTORS; i++)

typedef float fvec __attribute__((vector_size(WIDE * sizeof(float))));
typedef fvec fvec_anywhere __attribute__((aligned(sizeof(float)), may_alias));
typedef int32_t svec __attribute__((vector_size(WIDE * sizeof(int32_t))));

struct lanes {
    fvec v[VECTORS];
};

INLINE void pick(fvec *out, const svec *mask, const fvec *a, const fvec *b)
{
    *out = (fvec)(((svec)*a & *mask) | ((svec)*b & ~*mask));
}

INLINE void load(struct lanes *l, const float *from)
{
    EACH_VECTOR (i)
        l->v[i] = *(const fvec_anywhere *)(from + (size_t)i * WIDE);
}

INLINE void fill(struct lanes *l, float x)
{
    EACH_VECTOR (i)
        l->v[i] = (fvec){0} + x;
}

INLINE void number(struct lanes *product, const struct lanes *place, const struct factor *f)
{
    EACH_VECTOR (i) {
        fvec z = (place->v[i] - f->at) * f->inv;
        product->v[i] *= z * z + 1.0F;
    }
}

INLINE void sometimes(struct lanes *product, const struct lanes *place, const struct factor *f)
{
    fvec lacks = (fvec){0} + f->lacks;
    EACH_VECTOR (i) {
        fvec z = (place->v[i] - f->at) * f->inv, there = z * z + 1.0F;
        svec absent = (svec)(place->v[i] < 0.0F);
        pick(&there, &absent, &lacks, &there);
        product->v[i] *= there;
    }
}

INLINE void category(struct lanes *product, const struct lanes *place, const struct factor *f)
{
    fvec same = (fvec){0} + 1.0F, other = (fvec){0} + f->other, lacks = (fvec){0} + f->lacks;
    EACH_VECTOR (i) {
        fvec x;
        svec equal = (svec)(place->v[i] == f->at), absent = (svec)(place->v[i] < 0.0F);
        pick(&x, &equal, &same, &other);
        pick(&x, &absent, &lacks, &x);
        product->v[i] *= x;
    }
}

/* 1 / the product of a group's factors, at most GROUP of them. */
INLINE void group(struct lanes *product, const struct roster *r, uint32_t row,
                  const struct factor *f, uint32_t n)
{
    struct lanes place;
    fill(product, 1);
    for (uint32_t k = 0; k < n; k++) {
        load(&place, roster_column(r, f[k].axis) + row);
        if (f[k].kind == FACTOR_NUMBER)
            number(product, &place, &f[k]);
        else if (f[k].kind == FACTOR_SOMETIMES)
            sometimes(product, &place, &f[k]);
        else
            category(product, &place, &f[k]);
    }
}

/* result /= product, but never below what product_kernel.h allows. */
INLINE void divide(struct lanes *result, const struct lanes *product)
{
    fvec least = (fvec){0} + PRODUCT_KERNEL_LEAST, most = (fvec){0} + MOST;
    EACH_VECTOR (i) {
        fvec by = product->v[i];
        svec great = (svec)(by > MOST);
        pick(&by, &great, &most, &by);
        result->v[i] /= by;
        svec small = (svec)(result->v[i] < PRODUCT_KERNEL_LEAST);
        pick(&result->v[i], &small, &least, &result->v[i]);
    }
}

INLINE void kernel(struct lanes *out, const struct roster *r, uint32_t row, const struct factor *f,
                   uint32_t n)
{
    struct lanes product;
    fill(out, 1);
    for (uint32_t i = 0; i < n; i += GROUP) {
        group(&product, r, row, f + i, n - i < GROUP ? n - i : GROUP);
        divide(out, &product);
    }
}

/* See product_kernel_sum. */
INLINE double sum_rows(const struct roster *r, uint32_t n, const float *weight,
                       const struct factor *f, uint32_t n_factors)
{
    struct lanes sum[BLOCKS], k, w;
    for (int i = 0; i < BLOCKS; i++)
        fill(&sum[i], 0);
    for (uint32_t row = 0; row < n; row += ROWS) {
        struct lanes *s = &sum[row / ROWS % BLOCKS];
        kernel(&k, r, row, f, n_factors);
        load(&w, weight + row);
        EACH_VECTOR (i)
            s->v[i] += k.v[i] * w.v[i];
    }
    double total = 0;
    for (int i = 0; i < ROSTER_LANES; i++)
        total += (double)sum[i / ROWS].v[i % ROWS / WIDE][i % WIDE];
    return total;
}

#endif
