/* One run of a sampler on a function: the tuner in this process, one trial after another, or W
 * workers with lognormal durations in virtual time. */
#ifndef FARM_BENCH_SIMULATE_H
#define FARM_BENCH_SIMULATE_H

#include "functions.h"

struct simulate_run {
    const struct function *function;
    const char *sampler; /* members of the study's `sampler` beside the seed: "\"name\":\"tpe\"," */
    uint64_t seed;
    uint32_t budget, workers;
};

/* So many finished trials lie between two points of a curve; as in bench/peers. */
static inline uint32_t simulate_every(uint32_t workers)
{
    return workers > 1 ? 16 : 10;
}

/* curve[i]: noise-free value of the incumbent (of the least loss told) after (i + 1) *
 * simulate_every() finished trials, to six digits as bench/peers keeps it. cpu_us: CPU time of all
 * asks and tells. The sentence names what the study does not accept. */
err_t simulate(const struct simulate_run *run, double *curve, double *cpu_us,
               struct errmsg *em) MUST_CHECK;

#endif
