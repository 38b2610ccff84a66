/* Hypercubes: strata, the independence of arguments, and the same again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "latin.h"

static double unit(uint64_t seed, uint64_t draw, uint32_t param, uint32_t n)
{
    struct rng r;
    rng_seed_at(&r, seed, draw);
    return latin_unit(seed, draw, param, n, &r);
}

static uint32_t stratum(uint64_t seed, uint64_t draw, uint32_t param, uint32_t n)
{
    double u = unit(seed, draw, param, n);
    assert_true(u >= 0 && u < 1);
    return (uint32_t)(u * n);
}

static void every_stratum_once_in_a_cube(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= LATIN_MOST; n++)
        for (uint64_t cube = 0; cube < 20; cube++)
            for (uint32_t param = 0; param < 512; param += 73) {
                uint64_t seen = 0;
                for (uint32_t k = 0; k < n; k++)
                    seen |= UINT64_C(1) << stratum(9, cube * n + k, param, n);
                assert_true(seen == (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1));
            }
}

/* Orders of parameters, cubes and seeds have nothing to do with each other: two of them agree in
 * one place of n on average. */
static void orders_are_unrelated(void **state)
{
    (void)state;
    enum { N = 10, CUBES = 2000 };
    uint32_t params = 0, cubes = 0, seeds = 0;
    for (uint64_t draw = 0; draw < (uint64_t)N * CUBES; draw++) {
        uint32_t s = stratum(1, draw, 0, N);
        params += s == stratum(1, draw, 1, N);
        cubes += s == stratum(1, draw + N, 0, N);
        seeds += s == stratum(2, draw, 0, N);
    }
    /* Mean 2000, standard deviation sqrt(2000). */
    assert_in_range(params, 1770, 2230);
    assert_in_range(cubes, 1770, 2230);
    assert_in_range(seeds, 1770, 2230);
}

static void it_depends_on_its_arguments_alone(void **state)
{
    (void)state;
    for (uint64_t draw = 0; draw < 100; draw++)
        for (uint32_t param = 0; param < 5; param++)
            assert_true(unit(3, draw, param, 10) == unit(3, draw, param, 10));
    assert_true(unit(3, UINT64_MAX, 511, 64) < 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stratum_once_in_a_cube),
        cmocka_unit_test(orders_are_unrelated),
        cmocka_unit_test(it_depends_on_its_arguments_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
