/* Elementary and normal-distribution functions that give the same bits on every build and IEEE 754
 * machine: only
 * + - * / sqrt and exact scaling, in a fixed order, without fused multiply-add. libm differs
 * between versions and processors; a proposal must not. Errors are at most a few units in the last
 * place in the ranges stated. */
#ifndef FARM_BASE_RMATH_H
#define FARM_BASE_RMATH_H

double r_exp(double x); /* below 1 ulp; 0 under -745.2, infinity above 709.8 */
double r_expm1(double x);
double r_log(double x); /* below 1 ulp; -infinity at 0, NaN below */
double r_log1p(double x);
double r_pow(double x, double y); /* x > 0: exp(y log x) with the error that implies; 0 for x = 0 */
double r_sin(double x);           /* |x| <= 1e5 */
double r_cos(double x);
double r_erfc(double x);
double r_norm_cdf(double z);      /* Phi(z), relative accuracy in both tails */
double r_norm_logcdf(double z);   /* ln Phi(z), to z = -1e8 */
double r_norm_logpdf(double z);   /* ln phi(z) */
double r_norm_inv(double p);      /* z with Phi(z) = p, 0 < p < 1 */
double r_norm_inv_log(double lp); /* z with ln Phi(z) = lp, lp < 0; for far tails */
/* ln(Phi(b) - Phi(a)) for a < b, without cancellation in either tail. */
double r_norm_logdiff(double a, double b);
double r_logaddexp(double a, double b);
double r_logsubexp(double a, double b);     /* ln(e^a - e^b), a >= b */
double r_logsumexp(const double *v, int n); /* left to right, after subtracting the maximum */

#endif
