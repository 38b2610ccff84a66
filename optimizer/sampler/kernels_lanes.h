/* Eight doubles at a time, for the inner loops of the densities (kernels.c, parzen_cluster.c,
 * mixture_log.c, logmass.c).
 *
 * The vectors are GCC's and Clang's generic ones: on x86-64 they become SSE2 or, where the
 * processor has it, AVX2 or AVX-512. Each lane does the same IEEE operations in the same order in
 * all of them (no fused multiply-add: -ffp-contract=off), so the choice is invisible in the result.
 * exp and the normal tail are our own, because a call per element would cost more than the sum.
 * Vectors are passed by address: by value their size would be part of the ABI. */
#ifndef FARM_OPTIMIZER_KERNELS_LANES_H
#define FARM_OPTIMIZER_KERNELS_LANES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LANES  8
#define INLINE static inline __attribute__((always_inline))

typedef double vec __attribute__((vector_size(LANES * sizeof(double))));
typedef uint64_t ivec __attribute__((vector_size(LANES * sizeof(uint64_t))));

#define LANES_SQRT_2PI 2.506628274631000502

/* Comparisons, as masks: every bit of a lane, or none. They are arithmetic on bits because GCC
 * takes apart a comparison of vectors wider than the processor's, lane by lane, which costs a loop
 * several times its own work. NaN has no place in less_lanes: its sign differs between processors.
 */

/* Where x < y; anything where both are the same infinity. */
INLINE void less_lanes(ivec *mask, const vec *x, const vec *y)
{
    *mask = -((ivec)(*x - *y) >> 63);
}

/* Where x > 0; NaN is not. */
INLINE void positive_lanes(ivec *mask, const vec *x)
{
    const uint64_t infinity = UINT64_C(0x7ff0000000000000);
    ivec bits = (ivec)*x;
    *mask = ((bits | (bits - 1) | (infinity - bits)) >> 63) - 1;
}

/* Where the bits are the same. */
INLINE void same_lanes(ivec *mask, const vec *x, const vec *y)
{
    ivec differ = (ivec)*x ^ (ivec)*y;
    *mask = ((differ | -differ) >> 63) - 1;
}

/* exp of each lane, for x <= 1; 0 below -707 and for NaN. By the usual reduction to |r| <= ln(2)/2
 * and a Taylor polynomial. */
INLINE void exp_lanes(vec *x)
{
    const double log2e = 0x1.71547652b82fep+0;
    const double ln2_hi = 0x1.62e42fefa3800p-1; /* trailing bits are 0: k * ln2_hi is exact */
    const double ln2_lo = 0x1.ef35793c76730p-45;
    const uint64_t beyond = UINT64_C(0x4086180000000000); /* 707.0; more are |x| of NaN too */
    const double whole = 0x1.8p+52; /* adding it leaves the nearest integer in the low bits */
    vec t = *x * log2e + whole;
    vec k = t - whole;
    vec r = (*x - k * ln2_hi) - k * ln2_lo;
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
    ivec keep = -((((ivec)*x & (UINT64_MAX >> 1)) - beyond) >> 63);
    *x = (vec)(bits & keep);
}

/* mask ? a : b, lane by lane. */
INLINE void pick_lanes(vec *out, const ivec *mask, const vec *a, const vec *b)
{
    *out = (vec)(((ivec)*a & *mask) | ((ivec)*b & ~*mask));
}

/* ln of each lane, for positive normal numbers; -infinity for 0 and below. With m = x / 2^k between
 * sqrt(1/2) and sqrt(2) and s = (m - 1) / (m + 1) it is k ln 2 + 2 artanh(s), by its series. */
INLINE void log_lanes(vec *x)
{
    static const double terms[] = {2.0 / 23, 2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13,
                                   2.0 / 11, 2.0 / 9,  2.0 / 7,  2.0 / 5,  2.0 / 3};
    const double ln2_hi = 0x1.62e42fefa3800p-1, ln2_lo = 0x1.ef35793c76730p-45;
    const double whole = 0x1p+52; /* its low bits hold an integer */
    ivec bits = (ivec)*x, positive, high;
    positive_lanes(&positive, x);
    vec m = (vec)((bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3ff0000000000000));
    vec k = (vec)((bits >> 52) | UINT64_C(0x4330000000000000)) - (whole + 1023.0);
    vec halved = m * 0.5, next = k + 1.0, least = (vec){0} - (double)INFINITY;
    vec root = (vec){0} + 0x1.6a09e667f3bcdp+0;
    less_lanes(&high, &root, &m);
    pick_lanes(&m, &high, &halved, &m);
    pick_lanes(&k, &high, &next, &k);
    vec f = m - 1.0, s = f / (f + 2.0), z = s * s, half = f * f * 0.5;
    vec rest = z * terms[0] + terms[1];
    for (int i = 2; i < 11; i++)
        rest = rest * z + terms[i];
    vec ln = k * ln2_hi + (f - (half - (s * (half + rest * z) + k * ln2_lo)));
    pick_lanes(x, &positive, &ln, &least);
}

/* The integral of exp(-y^2 / 2) from |x| to infinity, divided by exp(-x^2 / 2), within 1e-15 of
 * itself. Times |x| + 4 it is a polynomial in (|x| - 4) / (|x| + 4), fitted at Chebyshev nodes. */
INLINE void scaled_tail_lanes(const vec *x, vec *tail)
{
    static const double even_terms[] = {
        -0x1.22e0dbb723c0fp-28, 0x1.59f5967c36434p-25,  -0x1.a816713378ba3p-23,
        0x1.6442fbfdbf950p-21,  -0x1.a48321ba6e1e4p-20, 0x1.e0d535d939044p-20,
        -0x1.40e74b51dcc5bp-18, 0x1.5e7b09dc4e955p-12,  -0x1.1dcfea6b25491p-7,
        0x1.360ce26013f9ep-3,   0x1.f0d9856bc3c18p-1,   0x1.e4aa012912ddep+0};
    static const double odd_terms[] = {
        -0x1.b804a8500a890p-29, 0x1.a55e4de2aa7c4p-25,  -0x1.b4a44f299f179p-22,
        0x1.598326b41e0a2p-19,  -0x1.f22a6764afef3p-17, 0x1.7181642370b48p-14,
        -0x1.2fb4401fc6d08p-11, 0x1.0be6d6a7ef327p-8,   -0x1.35aa3c9633c98p-6,
        -0x1.dec30ee67861ep-2,  -0x1.8615d9b491666p+0};
    vec size = (vec)((ivec)*x & (UINT64_MAX >> 1));
    vec d = 1.0 / (size + 4.0), t = 1.0 - 8.0 * d, q = t * t;
    vec even = q * even_terms[0] + even_terms[1], odd = q * odd_terms[0] + odd_terms[1];
    for (int i = 2; i < 11; i++) {
        even = even * q + even_terms[i];
        odd = odd * q + odd_terms[i];
    }
    even = even * q + even_terms[11];
    *tail = (even + t * odd) * d;
}

/* From x: bell = exp(-x^2 / 2) and tail = the integral of the bell from |x| to infinity, within
 * 1e-15 of itself but for the error of the square. */
INLINE void tail_lanes(const vec *x, vec *tail, vec *bell)
{
    scaled_tail_lanes(x, tail);
    *bell = *x * *x * -0.5;
    exp_lanes(bell);
    *tail *= *bell;
}

/* The integral of the bell from a to b > a, from the tails at both. */
INLINE void between_lanes(vec *out, const vec *a, const vec *b, const vec *tail_a,
                          const vec *tail_b)
{
    ivec one_side;
    vec product = *a * *b;
    positive_lanes(&one_side, &product);
    vec difference = *tail_a - *tail_b, middle = LANES_SQRT_2PI - (*tail_a + *tail_b);
    difference = (vec)((ivec)difference & (UINT64_MAX >> 1));
    pick_lanes(out, &one_side, &difference, &middle);
}

/* A function NAME(...) of INLINE code once more for processors with wider vectors: define
 * NAME_plain, NAME_avx2, NAME_avx512 with the attributes below and call LANES_CHOOSE(NAME, ...). */
#if defined(__x86_64__)
#define LANES_AVX2   __attribute__((target("avx2")))
#define LANES_AVX512 __attribute__((target("avx512f,avx512dq")))
#define LANES_CHOOSE(name, ...)                                                                    \
    (__builtin_cpu_supports("avx512dq") ? name##_avx512(__VA_ARGS__)                               \
     : __builtin_cpu_supports("avx2")   ? name##_avx2(__VA_ARGS__)                                 \
                                        : name##_plain(__VA_ARGS__))
#define LANES_VARIANTS(V) V(plain, ) V(avx2, LANES_AVX2) V(avx512, LANES_AVX512)
#else
#define LANES_CHOOSE(name, ...) name##_plain(__VA_ARGS__)
#define LANES_VARIANTS(V)       V(plain, )
#endif

#endif
