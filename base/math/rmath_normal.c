/* The normal distribution to its far tails, and sums in logarithms.
 *
 * Everything rests on erfcx(x) = e^(x^2) erfc(x) for x >= 0, which varies slowly: (1 + 2x) erfcx(x)
 * is a Chebyshev series in (x - 3.75) / (x + 3.75) (the mapping of Shepherd and Laframboise, 1981;
 * the coefficients were computed for this file with 50 digits). Tails are then products of it with
 * an exponential whose argument is squared without error. Called by samplers (truncated normals,
 * expected improvement) and by the space's normal parameters. */
#include "rmath.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define SQRT_HALF        0x1.6a09e667f3bcdp-1
#define LN_2             0x1.62e42fefa39efp-1
#define LN_2PI           0x1.d67f1c864beb5p+0
#define HALF_LN_2PI      0x1.d67f1c864beb5p-1
#define SQRT_2PI         0x1.40d931ff62706p+1
#define INV_SQRT_2PI     0x1.9884533d43651p-2
#define TWO_OVER_SQRT_PI 0x1.20dd750429b6dp+0

static double erfcx(double x)
{
    static const double c[] = {
        0x1.2d75d0246cee8p+0,   -0x1.2cd0564f8c1b7p-8,  -0x1.59159e8868995p-4,
        0x1.e50c3e7c7dccep-5,   -0x1.b4c68f4569326p-6,  0x1.295e991a7d82dp-7,
        -0x1.3c4c54f8d419dp-9,  0x1.014ed1572209ap-11,  -0x1.221e6f70130b5p-14,
        0x1.15c3f597f0492p-18,  0x1.9f8f03ca86fc1p-21,  -0x1.d601c320c8f9cp-23,
        0x1.71e1efca86cf9p-27,  0x1.36bf2885524c9p-28,  -0x1.aa4d7b1cdf20ap-31,
        -0x1.15df59ca6082bp-34, 0x1.f8af0a9aa6d31p-36,  0x1.b61b723941781p-43,
        -0x1.0fc16c00b50f2p-40, 0x1.24f6a772cbc36p-45,  0x1.2d8b49ab5f72bp-45,
        -0x1.0cb63a80de2c5p-49, -0x1.6884628ace07ap-50, 0x1.561b105822235p-54,
        0x1.d3744857e262bp-55,  -0x1.4a219c71bb4d2p-59, -0x1.42cb7ae4cd5a0p-59,
    };
    const int n = (int)(sizeof c / sizeof *c);
    double t = (x - 3.75) / (x + 3.75);
    double b1 = 0.0, b2 = 0.0;
    for (int i = n - 1; i > 0; i--) {
        double b = 2.0 * t * b1 - b2 + c[i];
        b2 = b1;
        b1 = b;
    }
    return (t * b1 - b2 + c[0]) / (1.0 + 2.0 * x);
}

/* e^(-factor * x^2) without the rounding error of the square: x is cut in two, and the upper half
 * has an exact square. */
static double exp_square(double x, double factor)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= ~UINT64_C(0x7ffffff);
    double hi;
    memcpy(&hi, &bits, sizeof hi);
    double rest = (x - hi) * (x + hi);
    return r_exp(-factor * (hi * hi)) * r_exp(-factor * rest);
}

/* The sum of w^n / (n! (2n + 1)) for |w| <= 1/4: x times it is the integral of e^(-t^2) to x, with
 * w = -x^2. */
static double centre_series(double w)
{
    double power = 1.0, sum = 0.0;
    for (int n = 0; n < 14; n++) {
        sum += power / (2 * n + 1);
        power *= w / (n + 1);
    }
    return sum;
}

double r_erfc(double x)
{
    if (isnan(x))
        return x;
    if (fabs(x) < 0.4)
        return 1.0 - TWO_OVER_SQRT_PI * x * centre_series(-x * x);
    if (x < 0.0)
        return x < -6.0 ? 2.0 : 2.0 - r_erfc(-x);
    return x > 27.3 ? 0.0 : exp_square(x, 1.0) * erfcx(x);
}

/* Phi(z) e^(z^2/2) for z <= 0. */
static double scaled_tail(double z)
{
    return 0.5 * erfcx(-z * SQRT_HALF);
}

double r_norm_cdf(double z)
{
    if (isnan(z))
        return z;
    if (fabs(z) < 0.6)
        return 0.5 + INV_SQRT_2PI * z * centre_series(-0.5 * z * z);
    if (z > 0.0)
        return 1.0 - r_norm_cdf(-z);
    return z < -38.6 ? 0.0 : exp_square(z, 0.5) * scaled_tail(z);
}

double r_norm_logcdf(double z)
{
    if (isnan(z) || (isinf(z) && z < 0))
        return z;
    if (z > 0.0)
        return r_log1p(-r_norm_cdf(-z));
    return -0.5 * z * z + r_log(scaled_tail(z));
}

double r_norm_logpdf(double z)
{
    return -0.5 * z * z - HALF_LN_2PI;
}

/* z with ln Phi(z) = lp for lp <= ln(1/2): Newton's method on the concave function ln Phi from the
 * asymptotic value, below which it converges from one side. The slope is phi/Phi. */
static double tail_inverse(double lp)
{
    double t2 = -2.0 * lp;
    double z = -sqrt(t2);
    if (t2 > 4.0)
        z = -sqrt(t2 - LN_2PI - r_log(t2 - LN_2PI - r_log(t2)));
    for (int i = 0; i < 40; i++) {
        double tail = scaled_tail(z);
        double f = (-0.5 * z * z - lp) + r_log(tail);
        double step = f * tail * SQRT_2PI;
        double next = z - step;
        if (next > 0.0)
            next = 0.0;
        if (next == z || fabs(step) <= 0x1p-53 * fabs(z))
            return next;
        z = next;
    }
    return z;
}

/* z with Phi(z) - 1/2 = d for |d| <= 0.1: the odd Taylor series of Phi about 0, by Newton's method.
 */
static double centre_inverse(double d)
{
    double z = d * SQRT_2PI;
    for (int i = 0; i < 4; i++) {
        double w = -0.5 * z * z;
        z -= (z * centre_series(w) - d * SQRT_2PI) * r_exp(-w);
    }
    return z;
}

double r_norm_inv(double p)
{
    if (isnan(p) || p < 0.0 || p > 1.0)
        return NAN;
    if (p == 0.0 || p == 1.0)
        return p == 0.0 ? -INFINITY : INFINITY;
    if (fabs(p - 0.5) <= 0.1)
        return centre_inverse(p - 0.5);
    return p < 0.5 ? tail_inverse(r_log(p)) : -tail_inverse(r_log(1.0 - p));
}

double r_norm_inv_log(double lp)
{
    if (isnan(lp) || lp > 0.0)
        return NAN;
    if (lp == 0.0 || isinf(lp))
        return lp == 0.0 ? INFINITY : -INFINITY;
    if (lp < -1.0)
        return tail_inverse(lp);
    double upper = -r_expm1(lp);
    return upper < 0.3 ? -tail_inverse(r_log(upper)) : -r_norm_inv(upper);
}

/* ln of the integral of phi over [a, b], narrow enough that phi hardly bends: Gauss-Legendre with
 * 16 points about the middle, where phi's value is taken out. */
static double narrow_logdiff(double a, double b)
{
    static const double rule[8][2] = {
        {0x1.fa92c264d787ep-1, 0x1.bcddab4b7c211p-6}, {0x1.e39f56616f9b0p-1, 0x1.fdfb1a2c1265dp-5},
        {0x1.bb3403514e483p-1, 0x1.85c4ee79cc258p-4}, {0x1.82c45dda4726bp-1, 0x1.fe7af2bad386ap-4},
        {0x1.3c5a466d5e8b8p-1, 0x1.325f61bca3cbfp-3}, {0x1.d50259a43a772p-2, 0x1.5a6ebbb5a75fcp-3},
        {0x1.205cae642337cp-2, 0x1.75f8c77e0c00fp-3}, {0x1.852bd6676a9f9p-4, 0x1.83feae80e4dfcp-3},
    };
    double half = 0.5 * (b - a);
    double middle = a + half;
    double sum = 0.0;
    for (int i = 0; i < 8; i++) {
        double u = half * rule[i][0];
        sum += rule[i][1] * (r_exp(-u * (middle + 0.5 * u)) + r_exp(u * (middle - 0.5 * u)));
    }
    return r_norm_logpdf(middle) + (r_log(half) + r_log(sum));
}

/* For a < b <= 0, not narrow: Phi(b) - Phi(a) = e^(-b^2/2) (T(b) - T(a) + (1 - e^-d) T(a)) with T
 * the scaled tail and d = (a^2 - b^2) / 2; both parts are positive. */
static double tail_logdiff(double a, double b)
{
    if (isinf(a))
        return r_norm_logcdf(b);
    double ta = scaled_tail(a), tb = scaled_tail(b);
    double d = 0.5 * (a - b) * (a + b);
    return -0.5 * b * b + r_log((tb - ta) - r_expm1(-d) * ta);
}

double r_norm_logdiff(double a, double b)
{
    if (isnan(a) || isnan(b) || a > b)
        return NAN;
    if (a == b)
        return -INFINITY;
    double far = fabs(a) > fabs(b) ? fabs(a) : fabs(b);
    if ((b - a) * (far > 1.0 ? far : 1.0) <= 2.0)
        return narrow_logdiff(a, b);
    if (b <= 0.0)
        return tail_logdiff(a, b);
    if (a >= 0.0)
        return tail_logdiff(-b, -a);
    return r_log1p(-(r_norm_cdf(a) + r_norm_cdf(-b)));
}

double r_logaddexp(double a, double b)
{
    if (isnan(a) || isnan(b))
        return NAN;
    double hi = a > b ? a : b, lo = a > b ? b : a;
    if (isinf(hi))
        return hi;
    return hi + r_log1p(r_exp(lo - hi));
}

double r_logsubexp(double a, double b)
{
    if (isnan(a) || isnan(b) || a < b)
        return NAN;
    if (isinf(b) && b < 0)
        return a;
    if (a == b)
        return -INFINITY;
    double d = b - a;
    return d > -LN_2 ? a + r_log(-r_expm1(d)) : a + r_log1p(-r_exp(d));
}

double r_logsumexp(const double *v, int n)
{
    double max = -INFINITY, sum = 0.0;
    for (int i = 0; i < n; i++) {
        if (isnan(v[i]))
            return NAN;
        if (v[i] > max)
            max = v[i];
    }
    if (isinf(max))
        return max;
    for (int i = 0; i < n; i++)
        sum += r_exp(v[i] - max);
    return max + r_log(sum);
}
