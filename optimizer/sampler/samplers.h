/* The samplers that exist, one row each; sampler.c lists them. */
#ifndef FARM_OPTIMIZER_SAMPLERS_H
#define FARM_OPTIMIZER_SAMPLERS_H

#include "sampler.h"

extern const struct sampler_ops sampler_tpe, sampler_random, sampler_grid;

#endif
