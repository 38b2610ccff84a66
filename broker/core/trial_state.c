/* The state table of a trial, and nothing else: states by events. apply.c is the only caller that
 * acts on it.
 *
 *            grant          start, report         complete, prune, fail, cancel
 *   queued ---------> leased -----------> running ------------------------------> final
 *     ^  ^ \  adopt                        ^  |  |                                  ^
 *     |  |  `------------------------------'  |  | stop                             |
 *     |  |               requeue              |  v                                  |
 *     |  +------------------------------------+ stopping ---------------------------+
 *     |  |                                    |    | pause                          |
 *     |  +--- delayed <-----------------------'    v                                |
 *     +------------------------------------------ paused ---------------------------+
 *                                                  ^ pause: queued, delayed
 *
 * It must not know what a record holds, or who sent it. */
#include "trial_state.h"

#define NEVER   (-1)
#define QUEUED  TRIAL_QUEUED
#define LEASED  TRIAL_LEASED
#define RUNNING TRIAL_RUNNING
#define STOP    TRIAL_STOPPING
#define PAUSED  TRIAL_PAUSED
#define DELAYED TRIAL_DELAYED
#define DONE    TRIAL_COMPLETE
#define PRUNED  TRIAL_PRUNED
#define FAILED  TRIAL_FAILED
#define GONE    TRIAL_CANCELLED

/* A checkpoint may come before START's record: both prove that the evaluator runs. A result that is
 * adopted while the trial waits comes as adopt, then complete. */
static const int8_t next_state[DELAYED + 1][TRIAL_EVENTS] = {
    /*           grant   adopt    start    report   checkpt  stop   requeue delay    pause   queue
       complete prune  fail  cancel */
    [QUEUED] = {LEASED, RUNNING, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, PAUSED, NEVER, NEVER,
                PRUNED, FAILED, GONE},
    [LEASED] = {NEVER, NEVER, RUNNING, RUNNING, RUNNING, STOP, QUEUED, DELAYED, NEVER, NEVER, DONE,
                PRUNED, FAILED, GONE},
    [RUNNING] = {NEVER, NEVER, NEVER, RUNNING, RUNNING, STOP, QUEUED, DELAYED, NEVER, NEVER, DONE,
                 PRUNED, FAILED, GONE},
    [STOP] = {NEVER, NEVER, NEVER, STOP, STOP, STOP, NEVER, NEVER, PAUSED, NEVER, DONE, PRUNED,
              FAILED, GONE},
    [PAUSED] = {NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, QUEUED, NEVER,
                PRUNED, NEVER, GONE},
    [DELAYED] = {NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, PAUSED, QUEUED, NEVER,
                 PRUNED, FAILED, GONE},
};

int trial_next(unsigned state, enum trial_event event)
{
    if (state > TRIAL_DELAYED || event >= TRIAL_EVENTS) {
        return NEVER;
    }
    return next_state[state][event];
}
