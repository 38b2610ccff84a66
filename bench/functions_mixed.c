/* Held-out functions shaped like real tuning: conditions of differing depth, interactions,
 * lattices, ordered levels, interacting categories, error rates of a finite test set, divergence,
 * noise. */
#include <math.h>

#include "formulas.h"
#include "functions.h"

#define PI     FORMULAS_PI
#define N(a)   (sizeof(a) / sizeof(*(a)))
#define BIT(i) (UINT32_C(1) << (i))
#define OFF    (double)NAN

/* Boosting: rate times rounds counts, stronger regularisation wants deeper trees, deeper trees want
 * heavier leaves. */
enum { B_BOOSTER, B_ROUNDS, B_ETA, B_LAMBDA, B_DEPTH, B_ROWS, B_COLUMNS, B_LEAF, B_DROP, B_ALPHA };

static const struct dim booster_dims[] = {
    {"booster", DIM_CHOICE, 0, 2, 0, NULL, 0}, /* tree, dart, linear */
    {"rounds", DIM_LOG_INT, 10, 2000, 0, NULL, 0},
    {"eta", DIM_LOG, 1e-3, 1, 0, NULL, 0},
    {"lambda", DIM_LOG, 1e-4, 1e4, 0, NULL, 0},
    {"depth", DIM_INT, 2, 14, 1, "booster", BIT(0) | BIT(1)},
    {"rows", DIM_FLOAT, 0.2, 1, 0, "booster", BIT(0) | BIT(1)},
    {"columns", DIM_FLOAT, 0.2, 1, 0, "booster", BIT(0) | BIT(1)},
    {"leaf", DIM_LOG, 0.1, 200, 0, "booster", BIT(0) | BIT(1)},
    {"drop", DIM_FLOAT, 0, 1, 0, "booster", BIT(1)},
    {"alpha", DIM_LOG, 1e-4, 1e4, 0, "booster", BIT(2)},
};

static double booster(const double *x)
{
    double steps = log10(x[B_ETA] * x[B_ROUNDS] / 15), lambda = log10(x[B_LAMBDA] / 3);
    if (x[B_BOOSTER] == 2)
        return formulas_saturated(0.2 + 0.02 * square(steps + 0.7) + 0.01 * square(lambda + 1) +
                                  0.01 * square(log10(x[B_ALPHA])));
    double depth = x[B_DEPTH] - 6 - 1.5 * lambda;
    double leaf = log10(x[B_LEAF] / 4) - 0.15 * (x[B_DEPTH] - 6);
    double v = 0.06 + 0.05 * square(steps) + 0.01 * square(log10(x[B_ETA] / 0.03)) +
               0.004 * square(depth) + 0.01 * square(lambda) + 0.012 * square(leaf) +
               0.1 * square(x[B_ROWS] - 0.8) + 0.06 * square(x[B_COLUMNS] - 0.6);
    if (x[B_BOOSTER] == 1)
        v += 0.15 * square(x[B_DROP] - 0.15) - 0.005;
    return formulas_saturated(v);
}

static const double booster_best[] = {1, 500, 0.03, 3, 6, 0.8, 0.6, 4, 0.15, OFF};

/* The choice of an optimiser: its branches have one to eight parameters and a choice within a
 * choice. */
enum {
    O_KIND,
    O_DECAY,
    O_BATCH,
    O_SGD_RATE,
    O_MOMENTUM,
    O_MU,
    O_SCHEDULE,
    O_GAMMA,
    O_EVERY,
    O_WARMUP,
    O_ADAM_RATE,
    O_BETA2,
    O_EPSILON,
    O_HISTORY,
    O_TOLERANCE,
    O_RPROP_RATE
};

static const struct dim branches_dims[] = {
    {"kind", DIM_CHOICE, 0, 3, 0, NULL, 0}, /* sgd, adam, lbfgs, rprop */
    {"decay", DIM_LOG, 1e-8, 1e-1, 0, NULL, 0},
    {"batch", DIM_LOG_INT, 8, 1024, 0, NULL, 0},
    {"sgd_rate", DIM_LOG, 1e-4, 10, 0, "kind", BIT(0)},
    {"momentum", DIM_CHOICE, 0, 2, 0, "kind", BIT(0)}, /* none, heavy ball, nesterov */
    {"mu", DIM_FLOAT, 0, 0.999, 0, "momentum", BIT(1) | BIT(2)},
    {"schedule", DIM_CHOICE, 0, 2, 0, "kind", BIT(0)}, /* constant, steps, cosine */
    {"gamma", DIM_FLOAT, 0.05, 1, 0, "schedule", BIT(1)},
    {"every", DIM_INT, 1, 50, 1, "schedule", BIT(1)},
    {"warmup", DIM_INT, 0, 20, 1, "schedule", BIT(2)},
    {"adam_rate", DIM_LOG, 1e-6, 1, 0, "kind", BIT(1)},
    {"beta2", DIM_LOG, 1e-4, 0.5, 0, "kind", BIT(1)}, /* one less it */
    {"epsilon", DIM_LOG, 1e-10, 1e-2, 0, "kind", BIT(1)},
    {"history", DIM_INT, 2, 50, 1, "kind", BIT(2)},
    {"tolerance", DIM_LOG, 1e-9, 1e-1, 0, "kind", BIT(2)},
    {"rprop_rate", DIM_LOG, 1e-4, 1, 0, "kind", BIT(3)},
};

static double sgd_part(const double *x, double batch)
{
    static const double momentum[] = {0.06, 0.01, 0}, schedule[] = {0.03, 0.012, 0};
    int m = (int)x[O_MOMENTUM], s = (int)x[O_SCHEDULE];
    double mu = m ? x[O_MU] : 0;
    double v = 0.05 + momentum[m] + schedule[s] +
               0.04 * square(log10(x[O_SGD_RATE] / (1 - mu)) - 0.5 * batch);
    if (m)
        v += 0.02 * square(log10((1 - mu) / 0.1));
    if (s == 1)
        v += 0.05 * square(x[O_GAMMA] - 0.3) + 0.02 * square((x[O_EVERY] - 20) / 20);
    if (s == 2)
        v += 0.02 * square((x[O_WARMUP] - 5) / 10);
    return v;
}

static double branches(const double *x)
{
    double batch = log10(x[O_BATCH] / 128), v = 0;
    switch ((int)x[O_KIND]) {
    case 0:
        v = sgd_part(x, batch);
        break;
    case 1:
        v = 0.065 + 0.05 * square(log10(x[O_ADAM_RATE] / 2e-3) - 0.3 * batch) +
            0.01 * square(log10(x[O_BETA2] / 0.01)) + 0.001 * square(log10(x[O_EPSILON] / 1e-8));
        break;
    case 2:
        v = 0.11 + 1e-4 * square(x[O_HISTORY] - 15) + 0.002 * square(log10(x[O_TOLERANCE] / 1e-5));
        break;
    default:
        v = 0.14 + 0.03 * square(log10(x[O_RPROP_RATE] / 0.01));
    }
    return formulas_saturated(v + 0.006 * square(log10(x[O_DECAY] / 1e-4)) + 0.02 * square(batch));
}

static const double branches_best[] = {0,   1e-4, 128, 0.1, 2,   0.9, 2,   OFF,
                                       OFF, 5,    OFF, OFF, OFF, OFF, OFF, OFF};

/* Whole numbers with a coupled bowl and a ripple of period five. */
static const double lattice6_best[] = {7, 19, 4, 26, 13, 22};

static double lattice6(const double *x)
{
    double sum = 0, before = 0;
    for (int i = 0; i < 6; i++) {
        double z = x[i] - lattice6_best[i];
        sum += 0.1 * z * z + 0.2 * square(z - before) + 2 * (1 - cos(2 * PI * z / 5));
        before = z;
    }
    return sum;
}

static const struct dim lattice6_dims[] = {
    {"a", DIM_INT, 0, 30, 1, NULL, 0}, {"b", DIM_INT, 0, 30, 1, NULL, 0},
    {"c", DIM_INT, 0, 30, 1, NULL, 0}, {"d", DIM_INT, 0, 30, 1, NULL, 0},
    {"e", DIM_INT, 0, 30, 1, NULL, 0}, {"f", DIM_INT, 0, 30, 1, NULL, 0},
};

/* Few ordered levels each; the best ones partly at the ends. */
static const double ordinal8_best[] = {0, 2, 5, 1, 8, 3, 4, 6};

static double ordinal8(const double *x)
{
    double sum = 0;
    for (int i = 0; i < 8; i++) {
        int next = (i + 1) % 8;
        double z = x[i] - ordinal8_best[i], y = x[next] - ordinal8_best[next];
        sum += pow(fabs(z), 1.3) * (1 + i % 3) + 0.7 * fabs(z - y);
    }
    return sum;
}

static const struct dim ordinal8_dims[] = {
    {"a", DIM_INT, 0, 3, 1, NULL, 0}, {"b", DIM_INT, 0, 4, 1, NULL, 0},
    {"c", DIM_INT, 0, 5, 1, NULL, 0}, {"d", DIM_INT, 0, 4, 1, NULL, 0},
    {"e", DIM_INT, 0, 8, 1, NULL, 0}, {"f", DIM_INT, 0, 6, 1, NULL, 0},
    {"g", DIM_INT, 0, 4, 1, NULL, 0}, {"h", DIM_INT, 0, 7, 1, NULL, 0},
};

/* Five categories of ten levels, each pair with a table of its own. */
static const struct dim cat5x10_dims[] = {
    {"a", DIM_CHOICE, 0, 9, 0, NULL, 0}, {"b", DIM_CHOICE, 0, 9, 0, NULL, 0},
    {"c", DIM_CHOICE, 0, 9, 0, NULL, 0}, {"d", DIM_CHOICE, 0, 9, 0, NULL, 0},
    {"e", DIM_CHOICE, 0, 9, 0, NULL, 0},
};

static double cat5x10(const double *x)
{
    uint32_t state = 77;
    double sum = 0;
    for (int i = 0; i < 5; i++)
        for (int level = 0; level < 10; level++) {
            double entry = formulas_entry(&state);
            sum += level == (int)x[i] ? entry : 0;
        }
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            for (int pair = 0; pair < 100; pair++) {
                double entry = formulas_entry(&state);
                sum += pair == (int)x[i] * 10 + (int)x[j] ? entry : 0;
            }
    return sum;
}

static const double cat5x10_best[] = {9, 0, 6, 9, 6};

static double error_rate(double v, double tests)
{
    return rint(v * tests) / tests;
}

/* Nearest neighbours judged on 300 examples. */
static const struct dim neighbours_dims[] = {
    {"k", DIM_LOG_INT, 1, 100, 0, NULL, 0},          {"metric", DIM_CHOICE, 0, 3, 0, NULL, 0},
    {"power", DIM_FLOAT, 1, 5, 0, "metric", BIT(3)}, {"weights", DIM_CHOICE, 0, 1, 0, NULL, 0},
    {"scaling", DIM_CHOICE, 0, 2, 0, NULL, 0},       {"components", DIM_INT, 2, 60, 2, NULL, 0},
};

static double neighbours(const double *x)
{
    static const double metric[] = {0.03, 0.05, 0.09, 0}, scaling[] = {0.08, 0, 0.02};
    double k = log2(x[0] / 6);
    double v = 0.03 + metric[(int)x[1]] + scaling[(int)x[4]] + 0.012 * square(k) +
               0.02 * square(log2(x[5] / 24));
    if (x[1] == 3)
        v += 0.01 * square(x[2] - 1.5);
    if (x[3] == 0)
        v += 0.01 + 0.005 * square(k + 1);
    return error_rate(formulas_saturated(v), 300);
}

static const double neighbours_best[] = {6, 3, 1.5, 1, 1, 24};

/* A network on 1,000 examples: with too high a rate for its depth it diverges, with too low a one
 * it learns nothing, and both look alike. */
static const struct dim network8_dims[] = {
    {"rate", DIM_LOG, 1e-5, 10, 0, NULL, 0},    {"momentum", DIM_FLOAT, 0, 0.99, 0, NULL, 0},
    {"decay", DIM_LOG, 1e-7, 1, 0, NULL, 0},    {"width", DIM_LOG_INT, 8, 1024, 0, NULL, 0},
    {"depth", DIM_INT, 1, 10, 1, NULL, 0},      {"batch", DIM_LOG_INT, 8, 512, 0, NULL, 0},
    {"dropout", DIM_FLOAT, 0, 0.8, 0, NULL, 0}, {"smoothing", DIM_FLOAT, 0, 0.3, 0, NULL, 0},
};

static double network8(const double *x)
{
    double step = log10(x[0] / (1 - x[1])) - 0.5 * log10(x[5] / 64);
    if (step > -0.5 - 0.1 * (x[4] - 4) || step < -3)
        return 0.9;
    double wanted = 0.1 * log2(x[3] / 256) + 0.1;
    double v = 0.05 + 0.06 * square(step + 1) + 0.008 * square(log10(x[2] / 1e-3)) +
               0.006 * square(log2(x[3] / 256)) + 0.004 * square(x[4] - 4) +
               0.3 * square(x[6] - wanted) + 0.2 * square(x[7] - 0.1) + 0.05 * square(x[1] - 0.9);
    return error_rate(formulas_saturated(v), 1000);
}

static const double network8_best[] = {0.01, 0.9, 1e-3, 256, 4, 64, 0.1, 0.1};

/* A convolutional network whose error comes with the noise of its seed. */
static const struct dim noisynet_dims[] = {
    {"rate", DIM_LOG, 1e-5, 1, 0, NULL, 0},
    {"decay", DIM_LOG, 1e-7, 1e-1, 0, NULL, 0},
    {"batch", DIM_CHOICE, 0, 4, 0, NULL, 0}, /* 16, 32, ... 256, taken for categories */
    {"width", DIM_LOG_INT, 8, 256, 0, NULL, 0},
    {"blocks", DIM_INT, 1, 8, 1, NULL, 0},
    {"augment", DIM_CHOICE, 0, 2, 0, NULL, 0}, /* none, flips, a policy */
    {"strength", DIM_FLOAT, 0, 1, 0, "augment", BIT(1) | BIT(2)},
    {"act", DIM_CHOICE, 0, 3, 0, NULL, 0},
};

static double noisynet(const double *x)
{
    static const double augment[] = {0.04, 0.015, 0}, act[] = {0.02, 0, 0.005, 0.06};
    double batch = x[2] - 2;
    double v = 0.08 + augment[(int)x[5]] + act[(int)x[7]] +
               0.04 * square(log10(x[0] / 3e-3) - 0.25 * batch) + 0.005 * square(batch) +
               0.01 * square(log10(x[1] / 3e-4)) + 0.008 * square(log2(x[3] / 64)) +
               0.006 * square(x[4] - 4);
    if (x[5] > 0)
        v += 0.06 * square(x[6] - 0.2 * x[5]);
    return formulas_saturated(v);
}

static const double noisynet_best[] = {3e-3, 3e-4, 2, 64, 4, 2, 0.4, 1};

#define ROW(f, optimum, noise)                                                                     \
    {                                                                                              \
#f, f, f##_dims, N(f##_dims), 0, 0, optimum, f##_best, noise                               \
    }

static const struct function all[] = {
    ROW(booster, 0.05335316129896669, 0),
    ROW(branches, 0.04863647798391113, 0),
    ROW(lattice6, 0, 0),
    ROW(ordinal8, 0, 0),
    ROW(cat5x10, 3.118862201925367, 0),
    ROW(neighbours, 0.03, 0),
    ROW(network8, 0.049, 0),
    ROW(noisynet, 0.07654749414297211, 0.01),
};

const struct function_set functions_mixed = {"held-out-mixed", all, N(all)};
