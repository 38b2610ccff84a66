/* The inner loops of the densities, eight numbers at a time.
 *
 * parzen.c calls this for every candidate; nothing here knows what an observation is. The vectors
 * are GCC's and Clang's generic ones: on x86-64 they become SSE2 or, where the processor has it,
 * AVX2, elsewhere what there is. Each lane does the same IEEE operations in the same order in all
 * of them (no fused multiply-add: -ffp-contract=off), and lanes are added in one fixed order, so
 * the choice is invisible in the result. exp is our own, by the usual reduction to |r| <= ln(2)/2
 * and a Taylor polynomial, because a call per element would cost more than the sum. */
#include "kernels.h"

#include <stdint.h>
#include <string.h>

#define LANES  8
#define INLINE static inline __attribute__((always_inline))

typedef double vec __attribute__((vector_size(LANES * sizeof(double))));
typedef uint64_t ivec __attribute__((vector_size(LANES * sizeof(uint64_t))));

#define LOG2E  0x1.71547652b82fep+0
#define LN2_HI 0x1.62e42fefa3800p-1 /* the trailing bits are 0: k * LN2_HI is exact */
#define LN2_LO 0x1.ef35793c76730p-45
#define ROUND  0x1.8p+52 /* adding it leaves the nearest whole number in the low bits */
#define LEAST  (-707.0)

/* exp of each lane, for x <= 0; 0 below LEAST and for NaN. */
INLINE void exp_lanes(vec *x)
{
    vec t = *x * LOG2E + ROUND;
    vec k = t - ROUND;
    vec r = (*x - k * LN2_HI) - k * LN2_LO;
    vec q = r * r;
    vec even = q * (1.0 / 479001600) + 1.0 / 3628800;
    vec odd = q * (1.0 / 6227020800) + 1.0 / 39916800;
    even = even * q + 1.0 / 40320;
    odd = odd * q + 1.0 / 362880;
    even = even * q + 1.0 / 720;
    odd = odd * q + 1.0 / 5040;
    even = even * q + 1.0 / 24;
    odd = odd * q + 1.0 / 120;
    even = even * q + 0.5;
    odd = odd * q + 1.0 / 6;
    /* exp(r) = 1 + (r + q (even + r odd)), the 1 added last. */
    vec p = 1.0 + (r + q * (even + r * odd));
    ivec bits = (ivec)p + ((ivec)t << 52);
    ivec keep = (ivec)(*x > LEAST);
    *x = (vec)(bits & keep);
}

/* The rest of the arrays that fills no vector; lanes behind the end have inv 0, which makes their
 * terms 0. */
struct rest {
    double mean[LANES], inv[LANES], rank[LANES];
};

INLINE void rest_of(const struct kernels *k, size_t i, struct rest *r)
{
    memset(r, 0, sizeof *r);
    for (size_t j = 0; i + j < k->n; j++) {
        r->mean[j] = k->mean[i + j];
        r->inv[j] = k->inv[i + j];
        r->rank[j] = k->rank[i + j];
    }
}

INLINE void weigh(const struct ramp *w, vec *rank)
{
    vec v = *rank * w->b + w->a;
    vec one = v - v + 1.0;
    ivec less = (ivec)(v < one);
    *rank = (vec)(((ivec)v & less) | ((ivec)one & ~less));
}

INLINE double total(const vec *s)
{
    const vec v = *s;
    return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7]));
}

INLINE void density_add(vec *sum, const struct ramp *w, double y, const double *means,
                        const double *invs, const double *ranks)
{
    vec mean, inv, weight;
    memcpy(&mean, means, sizeof mean);
    memcpy(&inv, invs, sizeof inv);
    memcpy(&weight, ranks, sizeof weight);
    weigh(w, &weight);
    vec z = (y - mean) * inv;
    z = z * z * -0.5;
    exp_lanes(&z);
    *sum += weight * inv * z;
}

INLINE double density(const struct kernels *k, const struct ramp *w, double y)
{
    vec sum = {0};
    size_t i = 0;
    for (; i + LANES <= k->n; i += LANES)
        density_add(&sum, w, y, k->mean + i, k->inv + i, k->rank + i);
    if (i < k->n) {
        struct rest r;
        rest_of(k, i, &r);
        density_add(&sum, w, y, r.mean, r.inv, r.rank);
    }
    return total(&sum);
}

/* Gauss-Legendre on [-1, 1]: nodes +-x with weight g. Eight of them integrate a normal density
 * over 1.5 widths to 3e-14, and over 0.4 widths four do. */
struct node {
    double x, g;
};
static const struct node nodes8[] = {{0.18343464249564980494, 0.36268378337836198297},
                                     {0.52553240991632898582, 0.31370664587788728734},
                                     {0.79666647741362673959, 0.22238103445337447054},
                                     {0.96028985649753623168, 0.10122853629037625915}};
static const struct node nodes4[] = {{0.33998104358485626480, 0.65214515486254614263},
                                     {0.86113631159405257522, 0.34785484513745385737}};
#define NARROW 0.3 /* widths: below, four nodes do */

struct cell {
    double mid, half;
    const struct node *nodes;
    int n;
};

INLINE void cell_add(vec *sum, const struct ramp *w, const struct cell *c, const double *means,
                     const double *invs, const double *ranks)
{
    vec mean, inv, weight;
    memcpy(&mean, means, sizeof mean);
    memcpy(&inv, invs, sizeof inv);
    memcpy(&weight, ranks, sizeof weight);
    weigh(w, &weight);
    vec z = (c->mid - mean) * inv, h = c->half * inv, s = {0};
    for (int j = 0; j < c->n; j++) {
        vec up = z + h * c->nodes[j].x, down = z - h * c->nodes[j].x;
        up = up * up * -0.5;
        down = down * down * -0.5;
        exp_lanes(&up);
        exp_lanes(&down);
        s += (up + down) * c->nodes[j].g;
    }
    *sum += weight * h * s;
}

INLINE double cell(const struct kernels *k, const struct ramp *w, double lo, double hi,
                   const struct node *nodes, int n)
{
    struct cell c = {0.5 * (lo + hi), 0.5 * (hi - lo), nodes, n};
    vec sum = {0};
    size_t i = 0;
    for (; i + LANES <= k->n; i += LANES)
        cell_add(&sum, w, &c, k->mean + i, k->inv + i, k->rank + i);
    if (i < k->n) {
        struct rest r;
        rest_of(k, i, &r);
        cell_add(&sum, w, &c, r.mean, r.inv, r.rank);
    }
    return total(&sum);
}

INLINE double any_cell(const struct kernels *k, const struct ramp *w, double lo, double hi,
                       double greatest_inv)
{
    return (hi - lo) * greatest_inv <= NARROW ? cell(k, w, lo, hi, nodes4, 2)
                                              : cell(k, w, lo, hi, nodes8, 4);
}

/* Sum of weighted exp(-q) is at least its weight times exp(-mean of q). An empty bucket gives 0 /
 * 0, whose exp is 0. */
INLINE double bound(const struct moments *m, size_t n, double y, double cell_width)
{
    vec sum = {0}, lane = {0, 1, 2, 3, 4, 5, 6, 7};
    double spread = cell_width * cell_width / 12;
    for (size_t i = 0; i < n; i += LANES) {
        vec v[KERNELS_MOMENTS];
        for (int j = 0; j < KERNELS_MOMENTS; j++)
            memcpy(&v[j], m->column[j] + i, sizeof v[j]);
        vec t = y - ((lane + (double)i) * m->pitch + m->centre);
        vec q = (v[1] * (t * t + spread) - 2 * v[2] * t + v[3]) / v[0] * -0.5;
        exp_lanes(&q);
        sum += v[0] * q;
    }
    return total(&sum);
}

/* Each sum once more for processors with wider vectors. */
#define VARIANT(name, attribute)                                                                   \
    attribute static double density_##name(const struct kernels *k, const struct ramp *w,          \
                                           double y)                                               \
    {                                                                                              \
        return density(k, w, y);                                                                   \
    }                                                                                              \
    attribute static double cell_##name(const struct kernels *k, const struct ramp *w, double lo,  \
                                        double hi, double greatest_inv)                            \
    {                                                                                              \
        return any_cell(k, w, lo, hi, greatest_inv);                                               \
    }                                                                                              \
    attribute static double bound_##name(const struct moments *m, size_t n, double y, double cell) \
    {                                                                                              \
        return bound(m, n, y, cell);                                                               \
    }

VARIANT(plain, )
#if defined(__x86_64__)
VARIANT(avx2, __attribute__((target("avx2"))))
VARIANT(avx512, __attribute__((target("avx512f,avx512dq"))))
#define CHOOSE(what, ...)                                                                          \
    (__builtin_cpu_supports("avx512dq") ? what##_avx512(__VA_ARGS__)                               \
     : __builtin_cpu_supports("avx2")   ? what##_avx2(__VA_ARGS__)                                 \
                                        : what##_plain(__VA_ARGS__))
#else
#define CHOOSE(what, ...) what##_plain(__VA_ARGS__)
#endif

double kernels_density(struct kernels k, struct ramp w, double y)
{
    return CHOOSE(density, &k, &w, y);
}

double kernels_cell(struct kernels k, struct ramp w, double lo, double hi, double greatest_inv)
{
    return CHOOSE(cell, &k, &w, lo, hi, greatest_inv);
}

double kernels_bound(const struct moments *m, size_t n, double y, double cell_width)
{
    return CHOOSE(bound, m, n, y, cell_width);
}
