/* Optuna's Parzen estimator of one or more parameters modelled together, kept up to date as
 * observations come and go.
 *
 * A mixture of one kernel an observation and one for the prior. A kernel is a product over the
 * parameters; each factor is a normal distribution cut off at the parameter's bounds, the mass of
 * such a one over a rounded value's cell, or a table of categories. Weights follow the age
 * (ramp.h). What it holds depends on the set of observations alone, not on the order of the calls
 * that made it. */
#ifndef FARM_OPTIMIZER_MIXTURE_H
#define FARM_OPTIMIZER_MIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "ramp.h"
#include "rng.h"
#include "tpe_dim.h"

/* What both densities (good and bad) share. */
struct mixture_shape {
    const struct tpe_dim *const *dims; /* borrowed */
    uint32_t n_dims;                   /* at least 1 */
    double prior_weight;               /* > 0; an observation weighs at most 1 */
    bool common_width; /* Optuna 4's joint mode: every kernel has the same width, from the number
                          of observations; else the gap to the neighbours */
    bool endpoints;    /* the outermost observations may have the gap to the bound as their width */
    bool magic_clip;   /* no kernel is narrower than the prior's width over min(100, n + 2) */
};

/* One parameter. Rows are in order of trials. */
struct mixture_column {
    double *mean, *inv, *log_norm; /* inv = 1 / width; log_norm = ln of what the exponential or the
                                      mass is multiplied by; a category has its mean alone */
    uint32_t *sorted;              /* rows by (mean, row); not for categories */
    uint32_t *kernel;              /* cells: which of the distinct kernels a row has */
    uint32_t *distinct;            /* cells: a row of each of them */
    uint32_t n_distinct;
};

struct mixture {
    uint32_t n, cap;
    uint32_t *trial; /* rising */
    struct mixture_column *columns;
    bool settled, unsorted;
};

void mixture_init(struct mixture *m, const struct mixture_shape *s);
void mixture_fini(struct mixture *m, const struct mixture_shape *s);
/* y: where the trial stands in each parameter's scale (tpe_dim_place). trial must be absent. */
void mixture_insert(struct mixture *m, const struct mixture_shape *s, const double *y,
                    uint32_t trial);
void mixture_remove(struct mixture *m, const struct mixture_shape *s,
                    uint32_t trial); /* absent is legal */
/* Many at once: empty it, append in rising order of trial, settle. */
void mixture_clear(struct mixture *m);
void mixture_append(struct mixture *m, const struct mixture_shape *s, const double *y,
                    uint32_t trial);
/* Brings widths up to date; to be called after changes, before everything below. Cheap without. */
void mixture_settle(struct mixture *m, const struct mixture_shape *s);

/* Points in what follows are n legal values of the first parameter, then n of the second, and so
 * on. */

/* ln of the density at n points. */
void mixture_log_density(const struct mixture *m, const struct mixture_shape *s,
                         const double *values, uint32_t n, double *out);
/* n points from the density: a kernel by its weight, then each factor by the inverse of its
 * distribution function. */
void mixture_draw(const struct mixture *m, const struct mixture_shape *s, struct rng *r,
                  double *values, uint32_t n);
/* Sum of all weights, the prior's included. */
double mixture_weight(const struct mixture *m, const struct mixture_shape *s);
/* ln of what exp(-z^2 / 2) (a point) or the normal mass (a cell) is multiplied by, for a kernel
 * that is cut off at the bounds. */
double mixture_log_norm(const struct tpe_dim *d, double mean, double inv);

#endif
