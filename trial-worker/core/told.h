/* This worker's counters, and what of them the broker knows. */
#ifndef FARM_TRIAL_WORKER_TOLD_H
#define FARM_TRIAL_WORKER_TOLD_H

#include "counter.h"
#include "message.h"

struct arena;
struct told {
    struct counters now, sent, known; /* counted; in the last BEAT; acknowledged */
    uint64_t beat;                    /* number of that BEAT */
};

/* Those that the broker does not know yet, to go with this BEAT. In the arena; NULL and 0 when it
 * refuses. */
const struct count *told_news(struct told *t, uint64_t beat, struct arena *a, uint32_t *n);
void told_acked(struct told *t, uint64_t beat);
void told_forget(struct told *t); /* a new session: another broker may be there */

#endif
