/* What the preset `hyperopt` knows: which trials count, which of them are good, and both densities
 * of every parameter. A function of the trials' outcomes and points alone: the order and the number
 * of calls that brought them leave no trace. */
#ifndef FARM_OPTIMIZER_TPE_MODEL_H
#define FARM_OPTIMIZER_TPE_MODEL_H

#include "history.h"
#include "tpe_dim.h"

#define TPE_MAX_GOOD RAMP_FULL

enum tpe_side { TPE_GOOD, TPE_BAD, TPE_ABSENT };

struct tpe_density {
    struct tpe_dim dim;
    struct parzen side[2]; /* TPE_GOOD, TPE_BAD */
};
struct tpe_trial {
    double loss;    /* infinite while pending, or when the trial was pruned */
    uint8_t counts; /* it is part of the model */
    uint8_t is;     /* enum tpe_side: where the densities have it */
    uint8_t wanted; /* and where they should */
    bool listed;    /* in `changed` */
};
struct tpe_model {
    const struct space *space;
    double gamma;
    struct tpe_density *densities; /* one a parameter */
    struct tpe_trial *trials;
    uint32_t n_trials, cap;
    uint32_t counted; /* N: trials that count */
    uint32_t
        best[TPE_MAX_GOOD]; /* trials of least finite loss, best first; ties in order of number */
    uint32_t n_best;
    uint32_t good[TPE_MAX_GOOD]; /* as of the last tpe_model_sync(), best first */
    uint32_t n_good;
    uint32_t *changed; /* trials whose side may be wrong */
    uint32_t n_changed, cap_changed;
};

void tpe_model_init(struct tpe_model *m, const struct space *space, double gamma,
                    double prior_weight);
void tpe_model_fini(struct tpe_model *m);
/* The trial's outcome changed. */
void tpe_model_observe(struct tpe_model *m, const struct history *h, uint32_t trial);
/* Brings split and densities up to date. */
void tpe_model_sync(struct tpe_model *m, const struct history *h);

#endif
