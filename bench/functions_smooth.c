/* Held-out functions of floats: classes that the 17 of the peers do not have (rotation, bad
 * condition, optimum off centre or on the edge, few of many dimensions that count, losses over
 * fifty orders of magnitude, noise). */
#include <math.h>

#include "formulas.h"
#include "functions.h"

#define PI   FORMULAS_PI
#define N(a) (sizeof(a) / sizeof(*(a)))

/* An off-centre optimum of the rotated and shifted ones. */
static const double centre[] = {1.3, -2.1, 0.4, 2.7, -0.8, 1.9};

static void centred(const double *x, double *z, int n)
{
    for (int i = 0; i < n; i++)
        z[i] = x[i] - centre[i];
}

/* A quadratic of condition 1000, rotated. */
static double ellipsoid6r(const double *x)
{
    double z[6], sum = 0;
    centred(x, z, 6);
    formulas_rotate(z, 6);
    for (int i = 0; i < 6; i++)
        sum += pow(10, 3 * i / 5.0) * z[i] * z[i];
    return sum;
}

static double zakharov5s(const double *x)
{
    double z[5], squares = 0, line = 0;
    centred(x, z, 5);
    for (int i = 0; i < 5; i++) {
        squares += z[i] * z[i];
        line += 0.5 * (i + 1) * z[i];
    }
    return squares + square(line) + square(square(line));
}

static const double dixonprice5_best[] = {1, 0.70710678118654752, 0.59460355750136053,
                                          0.54525386633262882, 0.52213689121370692};

static double dixonprice5(const double *x)
{
    double sum = square(x[0] - 1);
    for (int i = 1; i < 5; i++)
        sum += (i + 1) * square(2 * x[i] * x[i] - x[i - 1]);
    return sum;
}

static double ackley6r(const double *x)
{
    double z[6];
    centred(x, z, 6);
    formulas_rotate(z, 6);
    return formulas_ackley(z, 6);
}

static double levy5s(const double *x)
{
    double w[5];
    for (int i = 0; i < 5; i++)
        w[i] = 1 + (x[i] - 2 * centre[i]) / 4;
    return formulas_levy(w, 5);
}

static const double levy5s_best[] = {2.6, -4.2, 0.8, 5.4, -1.6};

static double hartmann4(const double *x)
{
    return (1.1 + formulas_hartmann(x, 4, formulas_hartmann6_a, formulas_hartmann6_p, 6)) / 0.839;
}

static double shekel4(const double *x)
{
    static const double at[10][4] = {{4, 4, 4, 4}, {1, 1, 1, 1},    {8, 8, 8, 8}, {6, 6, 6, 6},
                                     {3, 7, 3, 7}, {2, 9, 2, 9},    {5, 3, 5, 3}, {8, 1, 8, 1},
                                     {6, 2, 6, 2}, {7, 3.6, 7, 3.6}};
    static const double width[] = {.1, .2, .2, .4, .4, .6, .3, .7, .5, .5};
    double sum = 0;
    for (int i = 0; i < 10; i++) {
        double distance = width[i];
        for (int j = 0; j < 4; j++)
            distance += square(x[j] - at[i][j]);
        sum -= 1 / distance;
    }
    return sum;
}

static const double goldstein2_best[] = {0, -1};

static double goldstein2(const double *p)
{
    double x = p[0], y = p[1];
    double a = 19 - 14 * x + 3 * x * x - 14 * y + 6 * x * y + 3 * y * y;
    double b = 18 - 32 * x + 12 * x * x + 48 * y - 36 * x * y + 27 * y * y;
    return (1 + square(x + y + 1) * a) * (30 + square(2 * x - 3 * y) * b);
}

/* Many basins; the best one is cut by the edge. */
static double eggholder2(const double *p)
{
    double x = p[0], y = p[1] + 47;
    return -y * sin(sqrt(fabs(x / 2 + y))) - x * sin(sqrt(fabs(x - y)));
}

static const double perm4_best[] = {1, 2, 3, 4};

static double perm4(const double *x)
{
    double sum = 0;
    for (int i = 1; i <= 4; i++) {
        double row = 0;
        for (int j = 1; j <= 4; j++)
            row += (pow(j, i) + 0.5) * (pow(x[j - 1] / j, i) - 1);
        sum += square(row);
    }
    return sum;
}

static double schwefel5(const double *x)
{
    double sum = 0;
    for (int i = 0; i < 5; i++)
        sum -= x[i] * sin(sqrt(fabs(x[i])));
    return sum;
}

/* Three of twenty dimensions count: a bent valley and a hole. */
static double three_of_20(const double *x)
{
    double valley = x[7] - 0.5 - 0.8 * (x[3] - 0.7);
    return 20 * square(valley) + 2 * square(x[3] - 0.7) + 1 - exp(-30 * square(x[15] - 0.2));
}

static const double three_of_20_best[20] = {[3] = 0.7, [7] = 0.5, [15] = 0.2};

/* A bowl in a wall that rises to 1e40. */
static double blowup5(const double *x)
{
    double sum = 0;
    for (int i = 0; i < 5; i++)
        sum += (i + 1) * square(x[i] - centre[i]) / 4;
    double over = sqrt(sum) - 4;
    return sum + (over > 0 ? expm1(12 * over) : 0);
}

static double noisy6r(const double *x)
{
    double z[6], sum = 0;
    centred(x, z, 6);
    formulas_rotate(z, 6);
    for (int i = 0; i < 6; i++)
        sum += (i + 1) * z[i] * z[i];
    return sum;
}

static const double hartmann4_best[] = {0.18739527116799, 0.19415153025873740, 0.55791777952613223,
                                        0.26477962387309534};
static const double shekel4_best[] = {4.000746866687112, 3.9995094797803112, 4.000746868180232,
                                      3.999509480026589};
static const double eggholder2_best[] = {512, 404.23180513572146};
static const double schwefel5_best[] = {420.9687459374005, 420.9687459374005, 420.9687459374005,
                                        420.9687459374005, 420.9687459374005};

static const struct function all[] = {
    {"ellipsoid6r", ellipsoid6r, NULL, 6, -5, 5, 0, centre, 0},
    {"zakharov5s", zakharov5s, NULL, 5, -5, 10, 0, centre, 0},
    {"dixonprice5", dixonprice5, NULL, 5, -10, 10, 0, dixonprice5_best, 0},
    {"ackley6r", ackley6r, NULL, 6, -20, 12, 0, centre, 0},
    {"levy5s", levy5s, NULL, 5, -10, 10, 0, levy5s_best, 0},
    {"hartmann4", hartmann4, NULL, 4, 0, 1, -3.1344941412224, hartmann4_best, 0},
    {"shekel4", shekel4, NULL, 4, 0, 10, -10.53644315348353, shekel4_best, 0},
    {"goldstein2", goldstein2, NULL, 2, -2, 2, 3, goldstein2_best, 0},
    {"eggholder2", eggholder2, NULL, 2, -512, 512, -959.640662720851, eggholder2_best, 0},
    {"perm4", perm4, NULL, 4, -4, 4, 0, perm4_best, 0},
    {"schwefel5", schwefel5, NULL, 5, -500, 500, 5 * -418.98288727243374, schwefel5_best, 0},
    {"three-of-20", three_of_20, NULL, 20, 0, 1, 0, three_of_20_best, 0},
    {"blowup5", blowup5, NULL, 5, -5, 5, 0, centre, 0},
    {"noisy6r", noisy6r, NULL, 6, -5, 5, 0, centre, 0.5},
};

const struct function_set functions_smooth = {"held-out-smooth", all, N(all)};
