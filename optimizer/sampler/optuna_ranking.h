/* The best finished trials in Optuna's order: complete ones by loss, then pruned ones by how far
 * they came. */
#ifndef FARM_OPTIMIZER_OPTUNA_RANKING_H
#define FARM_OPTIMIZER_OPTUNA_RANKING_H

#include "history.h"
#include "ramp.h"

#define RANKING_MOST RAMP_FULL /* the most good trials there are */

enum rank_class { RANK_COMPLETE, RANK_PRUNED, RANK_UNREPORTED };

struct rank {
    enum rank_class class;
    int64_t step; /* last report; RANK_PRUNED */
    double loss;  /* final, or of the last report; NaN is the worst there is */
    uint32_t trial;
};
struct optuna_ranking {
    struct rank best[RANKING_MOST]; /* ties in order of number */
    uint32_t n;
};

/* Whether the trial's outcome counts, and where it stands then. */
bool optuna_ranking_of(const struct history *h, uint32_t trial, struct rank *out);
void optuna_ranking_add(struct optuna_ranking *r, const struct rank *x);

#endif
