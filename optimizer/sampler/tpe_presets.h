/* The presets of tpe, one row each; tpe.c lists them. A preset is a sampler of its own, and its
 * name is what `preset` says. */
#ifndef FARM_OPTIMIZER_TPE_PRESETS_H
#define FARM_OPTIMIZER_TPE_PRESETS_H

#include "sampler.h"

extern const struct sampler_ops tpe_hyperopt, tpe_optuna, tpe_tunefarm;

#endif
