/* Terms that functions of more than one set share. Called by functions_*.c alone. */
#include "formulas.h"

#include <math.h>

#define PI FORMULAS_PI

double formulas_ackley(const double *z, int n)
{
    double squares = 0, cosines = 0;
    for (int i = 0; i < n; i++) {
        squares += z[i] * z[i];
        cosines += cos(2 * PI * z[i]);
    }
    return -20 * exp(-0.2 * sqrt(squares / n)) - exp(cosines / n) + 20 + exp(1);
}

double formulas_levy(const double *w, int n)
{
    double last = w[n - 1];
    double sum = square(sin(PI * w[0])) + square(last - 1) * (1 + square(sin(2 * PI * last)));
    for (int i = 0; i < n - 1; i++)
        sum += square(w[i] - 1) * (1 + 10 * square(sin(PI * w[i] + 1)));
    return sum;
}

const double formulas_hartmann6_a[24] = {10, 3,   17,  3.5, 1.7, 8, .05, 10, 17,  .1, 8,  14,
                                         3,  3.5, 1.7, 10,  17,  8, 17,  8,  .05, 10, .1, 14};
const double formulas_hartmann6_p[24] = {1312, 1696, 5569, 124,  8283, 5886, 2329, 4135,
                                         8307, 3736, 1004, 9991, 2348, 1451, 3522, 2883,
                                         3047, 6650, 4047, 8828, 8732, 5743, 1091, 381};

double formulas_hartmann(const double *x, int n, const double *a, const double *p, int width)
{
    static const double height[] = {1.0, 1.2, 3.0, 3.2};
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        double e = 0;
        for (int j = 0; j < n; j++)
            e += a[i * width + j] * square(x[j] - 1e-4 * p[i * width + j]);
        sum -= height[i] * exp(-e);
    }
    return sum;
}

double formulas_saturated(double v)
{
    return 0.9 * (1 - exp(-v / 0.9));
}

void formulas_rotate(double *z, int n)
{
    for (int apart = 1; apart < n; apart++)
        for (int i = 0; i + apart < n; i++) {
            double angle = 0.4 + 0.7 * apart + 0.3 * i;
            double a = z[i], b = z[i + apart];
            z[i] = cos(angle) * a - sin(angle) * b;
            z[i + apart] = sin(angle) * a + cos(angle) * b;
        }
}

double formulas_entry(uint32_t *state)
{
    *state = (uint32_t)((UINT64_C(1103515245) * *state + 12345) & 0x7fffffff);
    return *state / 2147483648.0;
}
