/* Which of an attempt's unacknowledged messages go to the spool. */
#ifndef FARM_TRIAL_WORKER_SPOOLING_H
#define FARM_TRIAL_WORKER_SPOOLING_H

#include "attempt.h"

/* What the spool holds, as the core has told it. */
struct spooling {
    bool begun;         /* it has its first records */
    size_t attempts;    /* that it holds */
    struct id128 owner; /* of what is appended now */
};

/* Something went into the outbox: sets the time at which it is to be saved. */
void spooling_plan(struct worker *w, struct attempt *a, int64_t now);
/* The same for all, after the worker began to drain. */
void spooling_hurry(struct worker *w, int64_t now);
/* Appends what the spool does not have. */
void spooling_save(struct worker *w, struct attempt *a, struct worker_out *fx);
/* Something left the outbox: forgets an attempt of which nothing is owed that counts. */
void spooling_review(struct worker *w, struct attempt *a, struct worker_out *fx);
/* The attempt was adopted: `before` is the number that it had. */
void spooling_renumbered(struct worker *w, struct attempt *a, uint32_t before,
                         struct worker_out *fx);

#endif
