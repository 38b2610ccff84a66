/* What the preset `optuna` knows: which trials count, which of them are good, which parameters are
 * modelled together, and both densities of each such block. A function of the trials' outcomes and
 * points alone: the order and the number of calls that brought them leave no trace. */
#ifndef FARM_OPTIMIZER_OPTUNA_MODEL_H
#define FARM_OPTIMIZER_OPTUNA_MODEL_H

#include "mixture.h"
#include "optuna_partition.h"
#include "optuna_ranking.h"

#define OPTUNA_MAX_CANDIDATES 1024

struct optuna_config {
    double gamma; /* of n trials that count, min(ceil(gamma n), RANKING_MOST) are good */
    double prior_weight;
    enum optuna_joining joining;
    bool common_width, endpoints, magic_clip; /* struct mixture_shape */
    bool constant_liar;                       /* pending trials are bad ones */
};

enum optuna_side { OPTUNA_GOOD, OPTUNA_BAD, OPTUNA_ABSENT };

struct optuna_block {
    uint32_t *params; /* rising */
    const struct tpe_dim **dims;
    struct mixture_shape shape;
    struct mixture side[2]; /* OPTUNA_GOOD, OPTUNA_BAD: the trials that have all the parameters */
};
struct optuna_trial {
    bool counts;    /* it has finished and is ranked */
    uint8_t is;     /* enum optuna_side: where the densities have it */
    uint8_t wanted; /* and where they should */
    bool listed;    /* in `changed` */
};
struct optuna_model {
    const struct space *space;
    struct optuna_config config;
    struct tpe_dim *dims; /* one a parameter */
    struct optuna_partition partition;
    struct optuna_ranking ranking;
    struct optuna_block *blocks;  /* as of the last optuna_model_sync(), as is what follows */
    uint32_t n_blocks, *block_of; /* of a parameter; PARTITION_CONSTANT: none */
    uint32_t good[RANKING_MOST], n_good; /* trials, best first */
    struct optuna_trial *trials;
    uint32_t n_trials, cap;
    uint32_t counted;  /* n: trials that count */
    uint32_t *changed; /* trials whose side may be wrong */
    uint32_t n_changed, cap_changed;
};

void optuna_model_init(struct optuna_model *m, const struct space *space,
                       const struct optuna_config *config);
void optuna_model_fini(struct optuna_model *m);
/* The trial's outcome changed. */
void optuna_model_observe(struct optuna_model *m, const struct history *h, uint32_t trial);
/* Brings split, blocks and densities up to date. */
void optuna_model_sync(struct optuna_model *m, const struct history *h);

/* The first of the n points (as mixture.h has them) with the greatest ratio of good to bad. */
uint32_t optuna_model_choose(const struct optuna_block *b, const double *values, uint32_t n);
/* Draws n points from the good density and writes that one's value of every parameter of the block
 * to point. n is between 1 and OPTUNA_MAX_CANDIDATES. */
void optuna_model_suggest(const struct optuna_block *b, uint32_t n, struct rng *r, double *point);

#endif
