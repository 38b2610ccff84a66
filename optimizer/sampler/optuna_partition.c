/* The blocks of parameters that Optuna's TPE models together.
 *
 * Called by optuna_model.c. Blocks only ever shrink or split, except that parameters which no trial
 * has had yet stand alone until then. What comes out does not depend on the order of the trials. */
#include "optuna_partition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

void optuna_partition_init(struct optuna_partition *p, const struct space *space,
                           enum optuna_joining joining)
{
    *p = (struct optuna_partition){.space = space, .joining = joining, .changed = true};
    p->seen = alloc_array(space->n + 1, sizeof *p->seen);
    p->block = alloc_array(space->n + 1, sizeof *p->block);
    p->scratch = alloc_array(2 * (size_t)space->n + 1, sizeof *p->scratch);
    for (uint32_t i = 0; i < space->n; i++)
        p->block[i] = param_cardinality(&space->params[i]) == 1 ? PARTITION_CONSTANT : i;
}

void optuna_partition_fini(struct optuna_partition *p)
{
    free(p->seen);
    free(p->block);
    free(p->scratch);
}

static void set_block(struct optuna_partition *p, uint32_t param, uint32_t block)
{
    if (p->block[param] == block)
        return;
    p->block[param] = block;
    p->changed = true;
}

static void join_common(struct optuna_partition *p)
{
    uint32_t least = PARTITION_CONSTANT;
    for (uint32_t i = 0; i < p->space->n; i++) {
        if (p->block[i] == PARTITION_CONSTANT)
            continue;
        bool common = p->seen[i] == p->trials;
        if (common && least == PARTITION_CONSTANT)
            least = i;
        set_block(p, i, common ? least : i);
    }
}

/* Splits every block into what the trial had and what it had not. What was seen for the first time
 * had been alone and is now one block. */
static void join_alike(struct optuna_partition *p, const double *point)
{
    size_t n = p->space->n;
    uint32_t fresh = PARTITION_CONSTANT, *least[2] = {p->scratch, p->scratch + n};
    memset(p->scratch, 0xff, 2 * n * sizeof *p->scratch); /* PARTITION_CONSTANT */
    for (uint32_t i = 0; i < n; i++) {
        bool has = !isnan(point[i]);
        if (p->block[i] == PARTITION_CONSTANT || p->seen[i] == 0)
            continue;
        uint32_t *first = has && p->seen[i] == 1 ? &fresh : &least[has][p->block[i]];
        if (*first == PARTITION_CONSTANT)
            *first = i;
        set_block(p, i, *first);
    }
}

void optuna_partition_add(struct optuna_partition *p, const double *point)
{
    p->trials++;
    for (uint32_t i = 0; i < p->space->n; i++)
        p->seen[i] += isnan(point[i]) ? 0 : 1;
    if (p->joining == JOIN_COMMON)
        join_common(p);
    else if (p->joining == JOIN_ALIKE)
        join_alike(p, point);
}
