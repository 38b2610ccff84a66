/* One parameter's next value from its two densities. */
#ifndef FARM_OPTIMIZER_TPE_SUGGEST_H
#define FARM_OPTIMIZER_TPE_SUGGEST_H

#include "tpe_model.h"

#define TPE_MAX_CANDIDATES 1024

/* Draws n candidates from the good density and returns the first of those with the greatest ratio
 * of good to bad. n is between 1 and TPE_MAX_CANDIDATES. */
double tpe_suggest(const struct tpe_density *d, uint32_t n, struct rng *r);

/* The same choice among given candidates (in the parameter's scale), for tests and explanations:
 * the index. */
uint32_t tpe_choose(const struct tpe_density *d, const double *y, uint32_t n);

#endif
