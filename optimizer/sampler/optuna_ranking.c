/* Optuna's order of finished trials (its _split_trials), as far down as a good set can reach.
 *
 * Called by optuna_model.c. Trials that count never cease to, so the best are kept by insertion. */
#include "optuna_ranking.h"

#include <math.h>

bool optuna_ranking_of(const struct history *h, uint32_t trial, struct rank *out)
{
    *out = (struct rank){RANK_COMPLETE, 0, history_loss(h, trial), trial};
    switch (history_outcome(h, trial)) {
    case OUTCOME_COMPLETE:
        return !isnan(out->loss);
    case OUTCOME_PRUNED:
        out->step = history_step(h, trial);
        out->class = out->step < 0 ? RANK_UNREPORTED : RANK_PRUNED;
        return true;
    default:
        return false;
    }
}

static double worth(const struct rank *x)
{
    return x->class == RANK_UNREPORTED ? 0 : isnan(x->loss) ? (double)INFINITY : x->loss;
}

static bool better(const struct rank *a, const struct rank *b)
{
    if (a->class != b->class)
        return a->class < b->class;
    if (a->class == RANK_PRUNED && a->step != b->step)
        return a->step > b->step;
    double x = worth(a), y = worth(b);
    return x < y || (x == y && a->trial < b->trial);
}

void optuna_ranking_add(struct optuna_ranking *r, const struct rank *x)
{
    uint32_t i = r->n;
    while (i > 0 && better(x, &r->best[i - 1]))
        i--;
    if (i == RANKING_MOST)
        return;
    if (r->n < RANKING_MOST)
        r->n++;
    for (uint32_t k = r->n - 1; k > i; k--)
        r->best[k] = r->best[k - 1];
    r->best[i] = *x;
}
