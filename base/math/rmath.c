/* exp, log, their small-argument forms, powers and the circular functions, from + - * / and exact
 * steps alone.
 *
 * Samplers and the space's transforms call these instead of libm, so that a study repeats on
 * another machine. Each function reduces its argument exactly, or with the rounding error carried
 * along, and then sums a Taylor series whose first left-out term is below a tenth of a unit in the
 * last place. The order of operations is part of the result: the build forbids fused multiply-add
 * and re-association. */
#include "rmath.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LN2_HI    0x1.62e42fefa2000p-1 /* 40 bits: k * LN2_HI is exact for |k| < 2^13 */
#define LN2_LO    0x1.9ef35793c7673p-41
#define INV_LN2   0x1.71547652b82fep+0
#define SQRT_HALF 0x1.6a09e667f3bcdp-1

static double pow2(int k) /* -1022 <= k <= 1023 */
{
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* x * 2^k. The result may be subnormal: then it is rounded once, by the last product. */
static double scale(double x, int k)
{
    if (k > 1023)
        return x * 0x1p1023 * pow2(k - 1023 > 1023 ? 1023 : k - 1023);
    if (k < -1022)
        return k < -1090 ? 0.0 : x * pow2(k + 100) * 0x1p-100;
    return x * pow2(k);
}

/* c[0] + c[1] x + ... by Horner's rule. */
static double horner(const double *c, int n, double x)
{
    double v = c[n - 1];
    for (int i = n - 2; i >= 0; i--)
        v = v * x + c[i];
    return v;
}

/* (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2: 1/2!, 1/3!, ... 1/14! */
static double exp_tail(double r)
{
    static const double c[] = {
        0x1.0000000000000p-1,  0x1.5555555555555p-3,  0x1.5555555555555p-5,  0x1.1111111111111p-7,
        0x1.6c16c16c16c17p-10, 0x1.a01a01a01a01ap-13, 0x1.a01a01a01a01ap-16, 0x1.71de3a556c734p-19,
        0x1.27e4fb7789f5cp-22, 0x1.ae64567f544e4p-26, 0x1.1eed8eff8d898p-29, 0x1.6124613a86d09p-33,
        0x1.93974a8c07c9dp-37,
    };
    return horner(c, (int)(sizeof c / sizeof *c), r);
}

/* x = k ln 2 + r; returns e^r - 1. */
static double exp_reduced(double x, int *k)
{
    double n = rint(x * INV_LN2);
    double hi = x - n * LN2_HI;
    double lo = n * LN2_LO;
    double r = hi - lo;
    double lost = (hi - r) - lo;
    *k = (int)n;
    return r + (lost + lost * r + r * r * exp_tail(r));
}

double r_exp(double x)
{
    int k;
    if (isnan(x))
        return x;
    if (x > 709.782712893384)
        return INFINITY;
    if (x < -745.1332191019412)
        return 0.0;
    double s = exp_reduced(x, &k);
    return scale(1.0 + s, k);
}

double r_expm1(double x)
{
    int k;
    if (isnan(x) || x == 0.0)
        return x;
    if (x < -40.0)
        return -1.0;
    if (x > 40.0)
        return r_exp(x); /* 1 is below half a unit in the last place */
    double s = exp_reduced(x, &k);
    if (k == 0)
        return s;
    return scale((1.0 - pow2(-k)) + s, k);
}

/* ln(1 + f) + k ln 2 + low, for 1 + f between sqrt(1/2) and sqrt(2). With s = f / (2 + f) the
 * logarithm of 1 + f is 2 artanh(s), and 2 s = f - s f, so that the largest term, f, enters without
 * an error. */
static double log_core(double f, int k, double low)
{
    static const double c[] = {
        /* 2/3, 2/5, ... 2/23 */
        0x1.5555555555555p-1, 0x1.999999999999ap-2, 0x1.2492492492492p-2, 0x1.c71c71c71c71cp-3,
        0x1.745d1745d1746p-3, 0x1.3b13b13b13b14p-3, 0x1.1111111111111p-3, 0x1.e1e1e1e1e1e1ep-4,
        0x1.af286bca1af28p-4, 0x1.8618618618618p-4, 0x1.642c8590b2164p-4,
    };
    double s = f / (2.0 + f);
    double z = s * s;
    double rest = z * horner(c, (int)(sizeof c / sizeof *c), z);
    double half = 0.5 * f * f;
    double small = s * (half + rest) + (k * LN2_LO + low);
    return k * LN2_HI + (f - (half - small));
}

/* x = 2^k m with m between sqrt(1/2) and sqrt(2); x positive and finite. */
static double split_power(double x, int *k)
{
    uint64_t bits;
    int e = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        e = -54;
    }
    memcpy(&bits, &x, sizeof bits);
    e += (int)(bits >> 52) - 1022;
    bits = (bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3fe0000000000000);
    double m; /* in [1/2, 1) */
    memcpy(&m, &bits, sizeof m);
    if (m < SQRT_HALF) {
        m *= 2.0;
        e--;
    }
    *k = e;
    return m;
}

double r_log(double x)
{
    int k;
    if (isnan(x) || x < 0.0)
        return NAN;
    if (x == 0.0)
        return -INFINITY;
    if (isinf(x))
        return x;
    double m = split_power(x, &k);
    return log_core(m - 1.0, k, 0.0);
}

double r_log1p(double x)
{
    int k;
    if (isnan(x) || x < -1.0)
        return NAN;
    if (x == -1.0)
        return -INFINITY;
    if (isinf(x) || fabs(x) < 0x1p-54)
        return x;
    if (x > -0.29 && x < 0.41)
        return log_core(x, 0, 0.0);
    double u = 1.0 + x;
    double lost = x >= 1.0 ? 1.0 - (u - x) : x - (u - 1.0);
    double m = split_power(u, &k);
    return log_core(m - 1.0, k, lost / u);
}

double r_pow(double x, double y)
{
    if (x == 0.0)
        return 0.0;
    return r_exp(y * r_log(x));
}

/* r + low = x - n pi/2 with |r| <= pi/4; returns n mod 4. pi/2 is held in three pieces: products of
 * the first two (33 bits each) with n < 2^17 are exact. */
static int circle_reduce(double x, double *r, double *low)
{
    double n = rint(x * 0x1.45f306dc9c883p-1);
    double a = x - n * 0x1.921fb54400000p+0;
    double b = -(n * 0x1.0b4611a600000p-34);
    double sum = a + b;
    double virtual_b = sum - a;
    double lost = (a - (sum - virtual_b)) + (b - virtual_b);
    double c = lost - n * 0x1.3198a2e037073p-69;
    *r = sum + c;
    *low = (sum - *r) + c;
    return (int)(n - 4.0 * floor(n * 0.25));
}

static double sin_near(double r, double low)
{
    static const double c[] = {
        /* -1/3!, 1/5!, ... 1/17! */
        -0x1.5555555555555p-3,  0x1.1111111111111p-7,   -0x1.a01a01a01a01ap-13,
        0x1.71de3a556c734p-19,  -0x1.ae64567f544e4p-26, 0x1.6124613a86d09p-33,
        -0x1.ae7f3e733b81fp-41, 0x1.952c77030ad4ap-49,
    };
    double z = r * r;
    return r + (r * z * horner(c, (int)(sizeof c / sizeof *c), z) + low * (1.0 - 0.5 * z));
}

static double cos_near(double r, double low)
{
    static const double c[] = {
        /* 1/4!, -1/6!, ... -1/18! */
        0x1.5555555555555p-5,   -0x1.6c16c16c16c17p-10, 0x1.a01a01a01a01ap-16,
        -0x1.27e4fb7789f5cp-22, 0x1.1eed8eff8d898p-29,  -0x1.93974a8c07c9dp-37,
        0x1.ae7f3e733b81fp-45,  -0x1.6827863b97d97p-53,
    };
    double z = r * r;
    double half = 0.5 * z;
    double w = 1.0 - half;
    return w + (((1.0 - w) - half) + (z * z * horner(c, (int)(sizeof c / sizeof *c), z) - r * low));
}

static double circular(double x, int quarter)
{
    double r, low;
    if (!(fabs(x) <= 1e5))
        return NAN; /* the reduction is exact no further */
    switch ((circle_reduce(x, &r, &low) + quarter) & 3) {
    case 0:
        return sin_near(r, low);
    case 1:
        return cos_near(r, low);
    case 2:
        return -sin_near(r, low);
    default:
        return -cos_near(r, low);
    }
}

double r_sin(double x)
{
    return circular(x, 0);
}

double r_cos(double x)
{
    return circular(x, 1);
}
