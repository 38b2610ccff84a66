/* Everything that happened in a study of the library, as bytes: what is saved, and what a study is
 * put together from again. Kept in memory, a few bytes an event beside the parameters (eight bytes
 * each) and the reason. */
#ifndef FARM_LIB_TRAIL_H
#define FARM_LIB_TRAIL_H

#include "buf.h"
#include "space.h"

#define TRAIL_MAX_BYTES (1u << 30)

/* The numbers are those of the saved form: never changed, never used again. */
enum event_kind {
    EVENT_PROPOSED = 1,  /* a trial: point, why */
    EVENT_ENQUEUED = 2,  /* a known point begins to wait: point */
    EVENT_TAKEN = 3,     /* a trial: the point that has waited longest */
    EVENT_ADDED = 4,     /* a trial: point */
    EVENT_REPORTED = 5,  /* trial, step, loss */
    EVENT_FINISHED = 6,  /* trial, state, loss (of a complete one) */
    EVENT_EXHAUSTED = 7, /* an ask found that no point is left */
};
struct event {
    enum event_kind kind;
    double *point; /* NaN = inactive */
    struct str why;
    uint64_t trial;
    int64_t step;
    uint8_t state; /* enum trial_state */
    double loss;
};

struct trail {
    const struct space *space; /* borrowed */
    struct buf bytes;
    uint64_t *begins; /* by trial: where the event stands that began it */
    uint64_t n_trials, cap;
};

void trail_init(struct trail *t, const struct space *space);
void trail_fini(struct trail *t);
bool trail_full(const struct trail *t); /* then nothing more should happen */
void trail_add(struct trail *t, const struct event *e);
/* Reads the event at *at and moves *at behind it. e->point is the caller's array, which is filled
 * where the event has a point; why borrows bytes. False: malformed, or a point that is not in the
 * space. */
bool trail_read(struct str bytes, const struct space *space, size_t *at, struct event *e);
/* The reason of a trial that is there; empty if it was a known point. Borrowed until the next add.
 */
struct str trail_why(const struct trail *t, uint64_t trial);

#endif
