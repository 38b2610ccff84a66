/* Sixteen rows at a time, in single precision: a kernel's relative error is some 1e-6, far below
 * what a hundred trials can tell of a density.
 *
 * Called by candidate.c. Lanes are rows; the lanes' sums are added up at the end, in their order.
 * The generic vectors make SSE2, AVX2 or AVX-512 of one source, without a fused multiply-add, so
 * that every processor gives the same bits (see kernels_lanes.h). Factors are kept as their
 * reciprocals, at least about 1, and divided by in groups; a product that is no float any more is
 * infinite, and counts as the greatest that is allowed. */
#include "product_kernel.h"

#include <string.h>

#include "kernels_lanes.h"

#define GROUP 10                            /* factors a division: that is what costs */
#define MOST  (1.0F / PRODUCT_KERNEL_LEAST) /* of a group's product */

#define WIDE    16 /* floats of a vector */
#define VECTORS (ROSTER_LANES / WIDE)

typedef float fvec __attribute__((vector_size(WIDE * sizeof(float))));
typedef int32_t svec __attribute__((vector_size(WIDE * sizeof(int32_t))));

/* Several vectors go through every step together, since one alone would wait for its own results.
 */
struct lanes {
    fvec v[VECTORS];
};
#define EACH_VECTOR(i) for (int i = 0; i < VECTORS; i++)

INLINE void pick(fvec *out, const svec *mask, const fvec *a, const fvec *b)
{
    *out = (fvec)(((svec)*a & *mask) | ((svec)*b & ~*mask));
}

/* Where x < 0 (or -0.0); comparisons are made of it, see kernels_lanes.h. */
INLINE void negative(svec *mask, const fvec *x)
{
    *mask = (svec)*x >> 31;
}

/* Halfway to the mark, as a place may be -0.0. */
INLINE void lacking(svec *mask, const fvec *place)
{
    fvec from_half = *place - ROSTER_ABSENT / 2;
    negative(mask, &from_half);
}

INLINE void load(struct lanes *l, const float *from)
{
    EACH_VECTOR (i)
        memcpy(&l->v[i], from + (size_t)i * WIDE, sizeof l->v[i]);
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
        svec absent;
        lacking(&absent, &place->v[i]);
        pick(&there, &absent, &lacks, &there);
        product->v[i] *= there;
    }
}

INLINE void category(struct lanes *product, const struct lanes *place, const struct factor *f)
{
    fvec same = (fvec){0} + 1.0F, other = (fvec){0} + f->other, lacks = (fvec){0} + f->lacks;
    fvec at = (fvec){0} + f->at;
    EACH_VECTOR (i) {
        fvec x;
        svec differ = (svec)place->v[i] ^ (svec)at, absent;
        differ = (differ | -differ) >> 31;
        lacking(&absent, &place->v[i]);
        pick(&x, &differ, &other, &same);
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
        fvec by = product->v[i], room = most - by;
        svec great, small;
        negative(&great, &room);
        pick(&by, &great, &most, &by);
        result->v[i] /= by;
        fvec above = result->v[i] - least;
        negative(&small, &above);
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

INLINE double sum_all(const struct roster *r, uint32_t n, const float *weight,
                      const struct factor *f, uint32_t n_factors)
{
    struct lanes sum, k, w;
    fill(&sum, 0);
    for (uint32_t row = 0; row < n; row += ROSTER_LANES) {
        kernel(&k, r, row, f, n_factors);
        load(&w, weight + row);
        EACH_VECTOR (i)
            sum.v[i] += k.v[i] * w.v[i];
    }
    double total = 0;
    for (int i = 0; i < ROSTER_LANES; i++)
        total += (double)sum.v[i / WIDE][i % WIDE];
    return total;
}

#define VARIANT(name, attribute)                                                                   \
    attribute static double sum_##name(const struct roster *r, uint32_t n, const float *weight,    \
                                       const struct factor *f, uint32_t n_factors)                 \
    {                                                                                              \
        return sum_all(r, n, weight, f, n_factors);                                                \
    }
LANES_VARIANTS(VARIANT)

double product_kernel_sum(const struct roster *r, uint32_t n, const float *weight,
                          const struct factor *f, uint32_t n_factors)
{
    return LANES_CHOOSE(sum, r, n, weight, f, n_factors);
}
