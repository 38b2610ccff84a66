/* Delays with jitter. Called by the worker's core for beats, greetings and repeats; the generator
 * is passed in, so that a simulated farm repeats exactly. It must not know what is delayed. A
 * thousand workers that lose their broker together come back spread over a fifth of each delay. */
#include "backoff.h"

int64_t backoff_jitter(struct rng *r, int64_t v)
{
    return (int64_t)((double)v * rng_between(r, 0.9, 1.1));
}

int64_t backoff_delay(struct rng *r, int64_t base, int64_t most, uint32_t tries)
{
    int64_t d = base;
    while (tries-- > 0 && d < most)
        d = d > most / 2 ? most : d * 2;
    return backoff_jitter(r, d < most ? d : most);
}
