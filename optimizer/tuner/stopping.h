/* The stop rules of a study, as a fold of its finished trials. */
#ifndef FARM_OPTIMIZER_STOPPING_H
#define FARM_OPTIMIZER_STOPPING_H

#include "spec.h"

struct stopping {
    const struct stop_rules *rules; /* borrowed */
    bool maximize;
    uint64_t trials;     /* proposed or enqueued, without the cancelled */
    uint64_t unimproved; /* finished since the best one got better by more than the delta */
    double mark;         /* the loss that was the best one then, minimisation; NaN = none */
    bool on_target, late;
};

void stopping_init(struct stopping *s, const struct stop_rules *rules, bool maximize);
/* A trial ended other than by cancellation; complete: with a loss (minimisation) that is a number.
 */
void stopping_on_finished(struct stopping *s, bool complete, double loss);
void stopping_on_elapsed(struct stopping *s, int64_t ns);
/* How many more trials may be proposed. */
uint64_t stopping_room(const struct stopping *s);
/* The rule that fired, or NULL. */
const char *stopping_verdict(const struct stopping *s, bool *stop_running);

#endif
