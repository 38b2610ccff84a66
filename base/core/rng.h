/* A seedable, splittable generator: xoshiro256** (Blackman and Vigna, 2018), seeded through
 * SplitMix64. The same seed gives the same stream on every build and machine. Not for secrets. */
#ifndef FARM_BASE_RNG_H
#define FARM_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
/* A stream that depends on (seed, index) alone, so that draw number k is the same whatever came
 * before it. */
void rng_seed_at(struct rng *r, uint64_t seed, uint64_t index);
uint64_t rng_u64(struct rng *r);
double rng_unit(struct rng *r);                /* uniform in [0, 1), 53 bits */
double rng_open(struct rng *r);                /* uniform in (0, 1): never 0, never 1 */
uint64_t rng_below(struct rng *r, uint64_t n); /* uniform in [0, n), n > 0, without bias */
double rng_between(struct rng *r, double lo, double hi); /* uniform in [lo, hi) */
/* Seeds from the operating system; for backoff jitter and ids, never for proposals. */
void rng_seed_random(struct rng *r);

#endif
