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

#include "kernels.h"
#include "rng.h"

#define PARZEN_BUCKETS 128
#define PARZEN_BLOCK   8 /* buckets a block */
#define PARZEN_BLOCKS  (PARZEN_BUCKETS / PARZEN_BLOCK)
#define PARZEN_FEW     128 /* so many observations are summed without a look at where they are */

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
    uint32_t start[PARZEN_BUCKETS + 1]; /* first observation of each bucket of the value range */
    double widest[PARZEN_BUCKETS];      /* greatest width in the bucket */
    /* Of buckets and of blocks (kernels.h); made by parzen_measure() for the lower bound. */
    bool measured;
    double moment[KERNELS_MOMENTS][PARZEN_BUCKETS], coarse[KERNELS_MOMENTS][PARZEN_BLOCKS];
    double block_widest[PARZEN_BLOCKS];
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

/* What a sum is about: one point, or the cell of a rounded value. */
struct parzen_spot {
    double lo, hi; /* equal for a point */
    bool cell;
    double prior; /* the prior's term of the sum */
};
struct parzen_spot parzen_point(const struct parzen_prior *prior, double y);
struct parzen_spot parzen_cell(const struct parzen_prior *prior, double lo, double hi);

/* The density at a point, the mass of a cell. */
double parzen_sum(const struct parzen *p, const struct parzen_prior *prior,
                  const struct parzen_spot *s);
/* Prepares sums and bounds of more than PARZEN_FEW observations. To be called after changes; cheap
 * without any. */
void parzen_measure(struct parzen *p, const struct parzen_prior *prior);
/* A lower bound of the sum, within a few percent where many observations are, at a cost that does
 * not grow with their number. */
double parzen_bound(const struct parzen *p, const struct parzen_prior *prior,
                    const struct parzen_spot *s);
/* Sum of the weights of the observations that are exactly `value`. */
double parzen_weight_of(const struct parzen *p, double value);
/* A component by weight (n = the prior), from u in [0, 1). */
uint32_t parzen_pick(const struct parzen *p, double prior_weight, double u);
/* A value from the mixture within the bounds. */
double parzen_draw(const struct parzen *p, const struct parzen_prior *prior, struct rng *r);

#endif
