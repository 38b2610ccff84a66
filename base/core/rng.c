/* xoshiro256** with SplitMix64 seeding; the constants are those of the published algorithms
 * (Blackman and Vigna, 2018; Steele, Lea and Flood, 2014).
 *
 * Samplers draw from here and from nowhere else, so that a study repeats. Integer arithmetic only
 * up to the last conversion, which is exact. */
#include "rng.h"

#include <sys/random.h>

#include "err.h"

static uint64_t splitmix_next(uint64_t *state)
{
    uint64_t x = (*state += UINT64_C(0x9e3779b97f4a7c15));
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* SplitMix64 is a bijection of a counter: four values in a row are never all zero. */
void rng_seed(struct rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix_next(&seed);
}

/* The seed is scrambled before the index is mixed in, so that (seed, index) and (seed + 1, index -
 * 1) are unrelated. */
void rng_seed_at(struct rng *r, uint64_t seed, uint64_t index)
{
    uint64_t a = seed, b = index ^ UINT64_C(0xd1b54a32d192ed03);
    uint64_t mixed = splitmix_next(&a);
    mixed = (mixed ^ splitmix_next(&b)) + splitmix_next(&a);
    rng_seed(r, mixed);
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

double rng_unit(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

double rng_open(struct rng *r)
{
    return ((double)(rng_u64(r) >> 12) + 0.5) * 0x1p-52;
}

/* Values below 2^64 mod n are thrown away: what is left divides evenly. */
uint64_t rng_below(struct rng *r, uint64_t n)
{
    REQUIRE(n > 0);
    uint64_t least = (0 - n) % n;
    uint64_t x;
    do
        x = rng_u64(r);
    while (x < least);
    return x % n;
}

double rng_between(struct rng *r, double lo, double hi)
{
    double u = rng_unit(r);
    double v = lo * (1 - u) + hi * u;
    if (v >= hi && hi > lo)
        v = lo; /* rounding reached the open end */
    return v < lo ? lo : v;
}

void rng_seed_random(struct rng *r)
{
    uint64_t seed;
    REQUIRE(getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed);
    rng_seed(r, seed);
}
