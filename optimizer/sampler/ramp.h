/* Hyperopt's linear forgetting: the 25 newest of n observations weigh 1, older ones a straight line
 * down to 1/n. */
#ifndef FARM_OPTIMIZER_RAMP_H
#define FARM_OPTIMIZER_RAMP_H

#include <stdint.h>

#define RAMP_FULL 25 /* newest observations of weight 1; also the most good trials there are */

/* The observation of age rank r (0 = oldest) weighs min(a + b r, 1). */
struct ramp {
    double a, b;
};

static inline struct ramp ramp_of(uint32_t n)
{
    if (n <= RAMP_FULL)
        return (struct ramp){1.0, 0.0};
    double first = 1.0 / (double)n;
    uint32_t sloped = n - RAMP_FULL;
    /* A ramp of one element is 1/n alone: the next one weighs 1 already. */
    return (struct ramp){first, sloped == 1 ? 1.0 : (1.0 - first) / (double)(sloped - 1)};
}

static inline double ramp_at(struct ramp w, double rank)
{
    double v = w.a + w.b * rank;
    return v < 1.0 ? v : 1.0;
}

#endif
