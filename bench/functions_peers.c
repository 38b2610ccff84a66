/* The 17 functions on which tunefarm's peers were measured. Definitions, constants and spaces are
 * those of bench/peers/functions.py; tests/unit/bench/test_functions.c compares values. */
#include <math.h>

#include "formulas.h"
#include "functions.h"

#define PI     FORMULAS_PI
#define N(a)   (sizeof(a) / sizeof(*(a)))
#define BIT(i) (UINT32_C(1) << (i))

static double branin(const double *x)
{
    double b = 5.1 / (4 * PI * PI), c = 5 / PI, s = 10, t = 1 / (8 * PI);
    return square(x[1] - b * x[0] * x[0] + c * x[0] - 6) + s * (1 - t) * cos(x[0]) + s;
}

static double camel6(const double *p)
{
    double x = p[0], y = p[1];
    return (4 - 2.1 * x * x + x * x * x * x / 3) * x * x + x * y + (-4 + 4 * y * y) * y * y;
}

static double hartmann3(const double *x)
{
    static const double a[] = {3, 10, 30, .1, 10, 35, 3, 10, 30, .1, 10, 35};
    static const double p[] = {3689, 1170, 2673, 4699, 4387, 7470,
                               1091, 8732, 5547, 381,  5743, 8828};
    return formulas_hartmann(x, 3, a, p, 3);
}

static double hartmann6(const double *x)
{
    return formulas_hartmann(x, 6, formulas_hartmann6_a, formulas_hartmann6_p, 6);
}

static double rosenbrock4(const double *x)
{
    double sum = 0;
    for (int i = 0; i < 3; i++)
        sum += 100 * square(x[i + 1] - x[i] * x[i]) + square(1 - x[i]);
    return sum;
}

/* Where the shifted ones have their optimum, in half widths of the space. */
static const double shift[] = {0.31, -0.47, 0.22, -0.13, 0.55, -0.38, 0.44, -0.26, 0.09, -0.61};

static double rastrigin(const double *x, int n, double by)
{
    double sum = 10.0 * n;
    for (int i = 0; i < n; i++) {
        double z = x[i] - by * shift[i];
        sum += z * z - 10 * cos(2 * PI * z);
    }
    return sum;
}

static double griewank(const double *x, int n, double by)
{
    double sum = 0, product = 1;
    for (int i = 0; i < n; i++) {
        double z = x[i] - by * shift[i];
        sum += z * z;
        product *= cos(z / sqrt(i + 1));
    }
    return sum / 4000 - product + 1;
}

static double rastrigin5(const double *x)
{
    return rastrigin(x, 5, 0);
}

static double rastrigin5s(const double *x)
{
    return rastrigin(x, 5, 5.12);
}

static double griewank6(const double *x)
{
    return griewank(x, 6, 0);
}

static double griewank6s(const double *x)
{
    return griewank(x, 6, 600);
}

static double ackley10(const double *x)
{
    return formulas_ackley(x, 10);
}

static double ackley10s(const double *x)
{
    double z[10];
    for (int i = 0; i < 10; i++)
        z[i] = x[i] - 32.768 * shift[i];
    return formulas_ackley(z, 10);
}

static double michalewicz5(const double *x)
{
    double sum = 0;
    for (int i = 0; i < 5; i++)
        sum -= sin(x[i]) * pow(sin((i + 1) * x[i] * x[i] / PI), 20);
    return sum;
}

static double styblinski6(const double *x)
{
    double sum = 0;
    for (int i = 0; i < 6; i++)
        sum += x[i] * x[i] * x[i] * x[i] - 16 * x[i] * x[i] + 5 * x[i];
    return sum / 2;
}

static double levy8(const double *x)
{
    double w[8];
    for (int i = 0; i < 8; i++)
        w[i] = 1 + (x[i] - 1) / 4;
    return formulas_levy(w, 8);
}

/* Like the cross-validated error of a support vector machine. */
static const struct dim svm_dims[] = {
    {"kernel", DIM_CHOICE, 0, 2, 0, NULL, 0}, /* linear, rbf, poly */
    {"C", DIM_LOG, 1e-3, 1e3, 0, NULL, 0},
    {"gamma_rbf", DIM_LOG, 1e-5, 1e1, 0, "kernel", BIT(1)},
    {"gamma_poly", DIM_LOG, 1e-5, 1e1, 0, "kernel", BIT(2)},
    {"degree", DIM_INT, 2, 6, 1, "kernel", BIT(2)},
    {"coef0", DIM_FLOAT, 0, 1, 0, "kernel", BIT(2)},
};

static double svmlike(const double *x)
{
    double c = log10(x[1]);
    if (x[0] == 0)
        return formulas_saturated(0.12 + 0.015 * square(c + 1));
    if (x[0] == 1) {
        double a = c - 1.2, b = log10(x[2]) + 2.1;
        return formulas_saturated(0.02 + 0.02 * a * a + 0.05 * b * b + 0.03 * a * b +
                                  0.01 * (1 - cos(3 * PI * a)));
    }
    double b = log10(x[3]) + 1.3;
    return formulas_saturated(0.05 + 0.01 * c * c + 0.04 * b * b + 0.03 * square(x[4] - 3) +
                              0.05 * square(x[5] - 0.7));
}

/* Like a network's validation error; the optimum has three layers. */
static const struct dim nn_dims[] = {
    {"n_layers", DIM_CHOICE, 0, 2, 0, NULL, 0}, /* one less than the layers */
    {"w1", DIM_LOG, 8, 512, 0, NULL, 0},
    {"w2", DIM_LOG, 8, 512, 0, "n_layers", BIT(1) | BIT(2)},
    {"w3", DIM_LOG, 8, 512, 0, "n_layers", BIT(2)},
    {"lr", DIM_LOG, 1e-5, 1, 0, NULL, 0},
    {"batch", DIM_INT, 16, 256, 16, NULL, 0},
    {"dropout", DIM_FLOAT, 0, 0.7, 0, NULL, 0},
    {"act", DIM_CHOICE, 0, 3, 0, NULL, 0},
};

static double nnlike(const double *x)
{
    static const double base[] = {0.14, 0.07, 0.03}, act[] = {0.05, 0.0, 0.02, 0.10};
    int more = (int)x[0];
    double batch = log2(x[5]), rate = log10(x[4]);
    double v = base[more] + 0.008 * square(log2(x[1]) - 7.5);
    if (more >= 1)
        v += 0.008 * square(log2(x[2]) - 6.5);
    if (more >= 2)
        v += 0.008 * square(log2(x[3]) - 5.5);
    v += 0.06 * square(rate - (-2.5 + 0.5 * (batch - 6)));
    v += 0.01 * square(batch - 6);
    v += 0.25 * square(x[6] - (0.1 + 0.1 * more));
    return formulas_saturated(v + act[(int)x[7]]);
}

#define LEVELS 6
#define RING   8

static const struct dim cat_dims[] = {
    {"c0", DIM_CHOICE, 0, 5, 0, NULL, 0}, {"c1", DIM_CHOICE, 0, 5, 0, NULL, 0},
    {"c2", DIM_CHOICE, 0, 5, 0, NULL, 0}, {"c3", DIM_CHOICE, 0, 5, 0, NULL, 0},
    {"c4", DIM_CHOICE, 0, 5, 0, NULL, 0}, {"c5", DIM_CHOICE, 0, 5, 0, NULL, 0},
    {"c6", DIM_CHOICE, 0, 5, 0, NULL, 0}, {"c7", DIM_CHOICE, 0, 5, 0, NULL, 0},
};

/* A table of single levels, then one of pairs of neighbours on a ring, both from one congruential
 * generator: only the entries that the point selects are added. */
static double cat8(const double *x)
{
    uint32_t state = 2024;
    double single = 0, pairs = 0;
    for (int i = 0; i < RING; i++)
        for (int level = 0; level < LEVELS; level++) {
            double entry = formulas_entry(&state);
            single += level == (int)x[i] ? entry : 0;
        }
    for (int i = 0; i < RING; i++)
        for (int pair = 0; pair < LEVELS * LEVELS; pair++) {
            double entry = formulas_entry(&state);
            pairs += pair == (int)x[i] * LEVELS + (int)x[(i + 1) % RING] ? entry : 0;
        }
    return single + 2 * pairs;
}

static const struct dim branin_dims[] = {{"x0", DIM_FLOAT, -5, 10, 0, NULL, 0},
                                         {"x1", DIM_FLOAT, 0, 15, 0, NULL, 0}};
static const struct dim camel_dims[] = {{"x0", DIM_FLOAT, -3, 3, 0, NULL, 0},
                                        {"x1", DIM_FLOAT, -2, 2, 0, NULL, 0}};

#define BOX(f, dims, low, high, optimum)                                                           \
    {                                                                                              \
#f, f, NULL, dims, low, high, optimum, NULL, 0                                             \
    }
#define DIMS(f, table, optimum)                                                                    \
    {                                                                                              \
#f, f, table, N(table), 0, 0, optimum, NULL, 0                                             \
    }

static const struct function all[] = {
    DIMS(branin, branin_dims, 0.39788735772973816),
    DIMS(camel6, camel_dims, -1.0316284534898774),
    BOX(hartmann3, 3, 0, 1, -3.86278214782076),
    BOX(hartmann6, 6, 0, 1, -3.32236801141551),
    BOX(rosenbrock4, 4, -5, 10, 0),
    BOX(rastrigin5, 5, -5.12, 5.12, 0),
    BOX(michalewicz5, 5, 0, PI, -4.687658179),
    BOX(griewank6, 6, -600, 600, 0),
    BOX(styblinski6, 6, -5, 5, -39.16616570377142 * 6),
    BOX(levy8, 8, -10, 10, 0),
    BOX(ackley10, 10, -32.768, 32.768, 0),
    DIMS(svmlike, svm_dims, 0.019779414763859537),
    DIMS(nnlike, nn_dims, 0.029505509566194688),
    DIMS(cat8, cat_dims, 5.198407896794379),
    BOX(ackley10s, 10, -32.768, 32.768, 0),
    BOX(rastrigin5s, 5, -5.12, 5.12, 0),
    BOX(griewank6s, 6, -600, 600, 0),
};

const struct function_set functions_peers = {"peers", all, N(all)};
