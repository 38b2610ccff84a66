/* Delays that grow and do not fall in step with those of other workers. */
#ifndef FARM_TRIAL_WORKER_BACKOFF_H
#define FARM_TRIAL_WORKER_BACKOFF_H

#include "rng.h"

/* base doubled `tries` times, at most `most`, times a factor drawn from [0.9, 1.1). All in ns, base
 * and most > 0. */
int64_t backoff_delay(struct rng *r, int64_t base, int64_t most, uint32_t tries);
/* v times a factor drawn from [0.9, 1.1). */
int64_t backoff_jitter(struct rng *r, int64_t v);

#endif
