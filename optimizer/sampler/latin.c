/* The stratum of a draw without a table: the permutation of a (hypercube, parameter) is made anew
 * for each question, which is cheap for so few strata. */
#include "latin.h"

#include "err.h"

double latin_unit(uint64_t seed, uint64_t draw, uint32_t param, uint32_t n, struct rng *r)
{
    REQUIRE(n >= 1 && n <= LATIN_MOST);
    uint8_t stratum[LATIN_MOST];
    uint64_t cube = draw / n;
    struct rng order;
    rng_seed_at(&order, seed ^ UINT64_C(0x1a71b10c4bc0de5), cube * 1024 + param);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = (uint32_t)rng_below(&order, i + 1);
        stratum[i] = stratum[k];
        stratum[k] = (uint8_t)i;
    }
    return (stratum[draw % n] + rng_unit(r)) / n;
}
