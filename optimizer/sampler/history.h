/* Everything the optimizer knows of a study's trials, by column, in order of trial number. Losses
 * are in the direction of minimisation here and nowhere else. */
#ifndef FARM_OPTIMIZER_HISTORY_H
#define FARM_OPTIMIZER_HISTORY_H

#include "space.h"

#define HISTORY_MAX_TRIALS (UINT64_C(1) << 24) /* callers refuse greater trial numbers */

enum outcome {
    OUTCOME_NONE,     /* no such trial (a gap while trials are still unknown) */
    OUTCOME_PENDING,  /* proposed, queued or running; may have reported */
    OUTCOME_COMPLETE, /* loss is its final one; NaN if it was not a number: then OUTCOME_FAILED */
    OUTCOME_PRUNED,   /* stopped early: loss is the last reported one, censored */
    OUTCOME_FAILED,
    OUTCOME_CANCELLED,
    OUTCOME_COUNT,
};

struct history;

struct history *history_new(const struct space *space); /* borrows space */
void history_free(struct history *h);
uint64_t history_count(const struct history *h);                    /* highest trial number + 1 */
uint64_t history_outcomes(const struct history *h, enum outcome o); /* how many */
enum outcome history_outcome(const struct history *h, uint64_t trial);
const double *history_point(const struct history *h,
                            uint64_t trial); /* space->n values; NaN = inactive */
double history_loss(const struct history *h,
                    uint64_t trial); /* final or last reported, minimisation; NaN = none */
int64_t history_step(const struct history *h, uint64_t trial); /* last reported; -1 = none */

/* Changes; the caller then tells the sampler. A trial is proposed once; a lost trial stays pending,
 * with its curve. */
void history_propose(struct history *h, uint64_t trial, const double *point);
void history_report(struct history *h, uint64_t trial, int64_t step, double loss);
void history_finish(struct history *h, uint64_t trial, enum outcome o,
                    double loss); /* NaN = keep the last reported */
/* Takes the highest, still pending trial back, as if it had never been proposed: a number that was
 * only expected. */
void history_retract(struct history *h, uint64_t trial);

#endif
