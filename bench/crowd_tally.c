/* The histogram's buckets: 32 of equal width to each power of two. */
#include "crowd_tally.h"

#define FINE 5 /* bits */

unsigned crowd_bucket(uint64_t us)
{
    if (us < 1u << FINE)
        return (unsigned)us;
    unsigned power = 63u - (unsigned)__builtin_clzll(us);
    unsigned b =
        ((power - FINE + 1) << FINE) + (unsigned)(us >> (power - FINE) & ((1u << FINE) - 1));
    return b < CROWD_BUCKETS ? b : CROWD_BUCKETS - 1;
}

uint64_t crowd_bucket_us(unsigned bucket)
{
    if (bucket < 1u << FINE)
        return bucket;
    unsigned shift = (bucket >> FINE) - 1;
    uint64_t first = ((UINT64_C(1) << FINE) + (bucket & ((1u << FINE) - 1))) << shift;
    return first + (UINT64_C(1) << shift) - 1;
}
