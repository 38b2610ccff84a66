/* The state table of a trial. Events are the journal's records; what the table does not list cannot
 * be applied. */
#ifndef FARM_CORE_TRIAL_STATE_H
#define FARM_CORE_TRIAL_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "codes.h"

enum trial_event {
    TRIAL_ON_GRANT,  /* GRANTED */
    TRIAL_ON_ADOPT,  /* GRANTED with code 1 */
    TRIAL_ON_START,  /* STARTED */
    TRIAL_ON_REPORT, /* REPORTED */
    TRIAL_ON_CHECKPOINT,
    TRIAL_ON_STOP,    /* STOPPING */
    TRIAL_ON_REQUEUE, /* CLOSED; goes to the line again */
    TRIAL_ON_DELAY,   /* CLOSED with a retry time */
    TRIAL_ON_PAUSE,   /* PAUSED, or CLOSED after a stop for a pause */
    TRIAL_ON_QUEUE,   /* QUEUED */
    TRIAL_ON_COMPLETE,
    TRIAL_ON_PRUNE,
    TRIAL_ON_FAIL,
    TRIAL_ON_CANCEL,
    TRIAL_EVENTS
};

/* The state after `event` in `state`, or -1: it cannot happen there. */
int trial_next(unsigned state, enum trial_event event);
/* An attempt is open: granted and neither closed nor finished. */
static inline bool trial_state_open(unsigned state)
{
    return state >= TRIAL_LEASED && state <= TRIAL_STOPPING;
}

#endif
