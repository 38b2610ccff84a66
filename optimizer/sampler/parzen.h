/* Hyperopt's adaptive Parzen estimator of one parameter, kept sorted as observations come and go.
 *
 * A mixture of one normal kernel an observation and one for the prior. Widths follow the gaps to
 * the neighbours in the sorted list that has the prior in it; weights follow the age (ramp.h). What
 * it holds depends on the set of observations alone, not on the order of the calls that made it.
 *
 * Sums are not normalised: every one is sqrt(2 pi) times the sum of the weights times the density
 * (or the mass) of the mixture without bounds. parzen_cell() over the bounds gives the constant to
 * divide by; which of two candidates is better does not need it. */
#ifndef FARM_OPTIMIZER_PARZEN_H
#define FARM_OPTIMIZER_PARZEN_H

#include <stdbool.h>
#include <stdint.h>

#include "parzen_cluster.h"
#include "rng.h"

#define PARZEN_FEW 128 /* so many observations are summed without estimates */

/* What both densities of a parameter share. */
struct parzen_prior {
    double mean, width; /* of the prior's kernel; width > 0 */
    double weight;      /* > 0; an observation weighs at most 1 */
    double low, high;   /* bounds of the drawn values; -inf, inf if there are none */
};

struct parzen {
    double *mean, *inv,
        *rank; /* sorted by (mean, trial); inv = 1 / width; rank = age, 0 the oldest */
    uint32_t *trial;
    uint32_t n, cap;
    bool measured; /* the clusters are up to date */
    struct clusters clusters;
};

void parzen_fini(struct parzen *p);
/* trial must be absent. Trial numbers order the observations by age. */
void parzen_insert(struct parzen *p, const struct parzen_prior *prior, double value,
                   uint32_t trial);
void parzen_remove(struct parzen *p, const struct parzen_prior *prior,
                   uint32_t trial); /* absent is legal */
/* Replaces all observations, in rising order of trial. Same result as inserting one by one. */
void parzen_set(struct parzen *p, const struct parzen_prior *prior, const double *values,
                const uint32_t *trials, uint32_t n);

/* The density at points, the mass of cells: one sum for each spot. */
void parzen_sum(const struct parzen *p, const struct parzen_prior *prior, const struct spots *s,
                double *sum);
/* Prepares estimates of sums over more than PARZEN_FEW observations. To be called after changes;
 * cheap without any. */
void parzen_measure(struct parzen *p, const struct parzen_prior *prior);
/* Bounds of what parzen_sum() gives, at a cost that hardly grows with the number of observations;
 * after parzen_measure(). Where many observations are, they differ by less than a millionth. */
void parzen_bounds(const struct parzen *p, const struct parzen_prior *prior, const struct spots *s,
                   double *least, double *most);
/* Sum of the weights of the observations that are exactly `value`. */
double parzen_weight_of(const struct parzen *p, double value);
/* A component by weight (n = the prior), from u in [0, 1). */
uint32_t parzen_pick(const struct parzen *p, double prior_weight, double u);
/* A value from the mixture within the bounds. */
double parzen_draw(const struct parzen *p, const struct parzen_prior *prior, struct rng *r);

#endif
