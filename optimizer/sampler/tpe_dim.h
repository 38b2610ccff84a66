/* How a parameter of the space becomes a distribution of Hyperopt's TPE, and of Optuna's where it
 * has a counterpart. docs/samplers.md has the tables. */
#ifndef FARM_OPTIMIZER_TPE_DIM_H
#define FARM_OPTIMIZER_TPE_DIM_H

#include "parzen.h"
#include "space.h"

enum tpe_kind {
    TPE_POINT,    /* continuous: the density at the point */
    TPE_CELL,     /* rounded, or on a grid: the mass of the cell around the value */
    TPE_CATEGORY, /* no order between values: counts */
};

struct tpe_dim {
    const struct param *param;
    enum tpe_kind kind;
    struct parzen_prior prior;  /* in the parameter's scale */
    double half;                /* TPE_CELL: half a cell, in values */
    double edge_low, edge_high; /* TPE_CELL: no cell goes beyond, in values */
    double categories;          /* TPE_CATEGORY: how many values */
};

void tpe_dim_init(struct tpe_dim *d, const struct param *p, double prior_weight);
/* Where a value stands in the estimator: in the scale; a category is itself. */
double tpe_dim_place(const struct tpe_dim *d, double value);
/* The legal value for a number drawn in the scale. */
double tpe_dim_value(const struct tpe_dim *d, double y);
/* The cell around a legal value, in the scale. */
void tpe_dim_cell(const struct tpe_dim *d, double value, double *lo, double *hi);
/* What the prior adds to a category's count. */
double tpe_dim_pseudo(const struct tpe_dim *d, double value);

#endif
