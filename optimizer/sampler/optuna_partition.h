/* Which parameters Optuna's TPE models together. A function of the set of finished trials. */
#ifndef FARM_OPTIMIZER_OPTUNA_PARTITION_H
#define FARM_OPTIMIZER_OPTUNA_PARTITION_H

#include "space.h"

#define PARTITION_CONSTANT UINT32_MAX /* a parameter with one value is in no block */

enum optuna_joining {
    JOIN_NOTHING, /* every parameter on its own */
    JOIN_COMMON,  /* those that every trial had together, each other one on its own */
    JOIN_ALIKE,   /* those that the same trials had: Optuna's `group` */
};

struct optuna_partition {
    const struct space *space;
    enum optuna_joining joining;
    uint64_t trials, *seen; /* how many were added; how many of them had the parameter */
    uint32_t *block;        /* of each parameter: the least parameter in the same block */
    uint32_t *scratch;
    bool changed; /* since the user last cleared it */
};

void optuna_partition_init(struct optuna_partition *p, const struct space *space,
                           enum optuna_joining joining);
void optuna_partition_fini(struct optuna_partition *p);
/* A trial has finished that counts; NaN = the parameter was inactive. */
void optuna_partition_add(struct optuna_partition *p, const double *point);

#endif
