/* The value range of a parameter in equal buckets, shared by the upkeep and the sums of an
 * estimator. A parameter without bounds has its range four prior widths to both sides; what is
 * beyond belongs to the end buckets. */
#ifndef FARM_OPTIMIZER_PARZEN_BUCKET_H
#define FARM_OPTIMIZER_PARZEN_BUCKET_H

#include <math.h>

#include "parzen.h"

static inline double parzen_from(const struct parzen_prior *prior)
{
    return isfinite(prior->low) ? prior->low : prior->mean - 4 * prior->width;
}

static inline double parzen_bucket_width(const struct parzen_prior *prior)
{
    double to = isfinite(prior->high) ? prior->high : prior->mean + 4 * prior->width;
    return (to - parzen_from(prior)) / PARZEN_BUCKETS;
}

static inline uint32_t parzen_bucket(const struct parzen_prior *prior, double v)
{
    double b = (v - parzen_from(prior)) / parzen_bucket_width(prior);
    return !(b > 0) ? 0 : b >= PARZEN_BUCKETS - 1 ? PARZEN_BUCKETS - 1 : (uint32_t)b;
}

#endif
