/* A parameter as a side of the unit cube, the scale in which the kernels of preset `tunefarm` live.
 *
 * A number stands at its quantile in the prior: equal steps in its own scale (plain, logarithmic,
 * reverse logarithmic; of a normal prior the distribution function), values of a grid in the middle
 * of their cells. A category stands at its number, which is compared and never measured. */
#ifndef FARM_OPTIMIZER_AXIS_H
#define FARM_OPTIMIZER_AXIS_H

#include <stdbool.h>

#include "space.h"

enum axis_kind {
    AXIS_CONSTANT, /* one value only */
    AXIS_NUMBER,
    AXIS_CATEGORY, /* a choice, or an int without order */
};

struct axis {
    const struct param *param;
    enum axis_kind kind;
    bool lattice;      /* AXIS_NUMBER with finitely many values, or rounded ones */
    double low, high;  /* bounds of the scale; infinite for a normal prior */
    double half;       /* AXIS_NUMBER: half the mean width of a cell; 0 for a continuous one */
    double categories; /* AXIS_CATEGORY: how many */
};

void axis_init(struct axis *a, const struct param *p);
/* Where a legal value stands: in [0, 1], or the category. */
double axis_place(const struct axis *a, double value);
/* The legal value nearest to a place; of a category the one at a quantile u of its prior. */
double axis_value(const struct axis *a, double u);
/* Prior probability of a category. */
double axis_prior(const struct axis *a, double category);

#endif
