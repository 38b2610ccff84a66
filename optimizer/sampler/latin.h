/* Quasi-random start: Latin hypercubes, one after the other. Of every n draws in a row each
 * parameter takes each n-th of its prior once, in an order of its own (McKay and others, 1979). */
#ifndef FARM_OPTIMIZER_LATIN_H
#define FARM_OPTIMIZER_LATIN_H

#include <stdint.h>

#include "rng.h"

#define LATIN_MOST 64 /* strata of a hypercube */

/* The quantile of the prior that a parameter takes in a draw; 1 <= n <= LATIN_MOST. r gives the
 * place within the stratum. A function of its arguments alone. */
double latin_unit(uint64_t seed, uint64_t draw, uint32_t param, uint32_t n, struct rng *r);

#endif
