/* The generator: fixed streams, independence of draws, ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdbool.h>
#include <cmocka.h>

#include "rng.h"

static void test_streams_are_fixed(void **state)
{
    (void)state;
    /* SplitMix64 from 0 begins with these (its authors' reference); xoshiro256** takes them as its
     * state. */
    struct rng r;
    rng_seed(&r, 0);
    assert_true(r.s[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(r.s[1] == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(r.s[2] == UINT64_C(0x06c45d188009454f));
    assert_true(r.s[3] == UINT64_C(0xf88bb8a8724c81ec));
    r = (struct rng){{1, 2, 3, 4}};
    assert_true(rng_u64(&r) == 11520);
    assert_true(rng_u64(&r) == 0);
    assert_true(rng_u64(&r) == 1509978240);
    assert_true(rng_u64(&r) == 1215971899390074240);
}

static void test_seed_at_depends_on_both(void **state)
{
    (void)state;
    struct rng a, b;
    rng_seed_at(&a, 7, 100);
    rng_seed_at(&b, 7, 100);
    assert_true(rng_u64(&a) == rng_u64(&b));
    uint64_t seen[400];
    int n = 0;
    for (uint64_t seed = 0; seed < 20; seed++)
        for (uint64_t index = 0; index < 20; index++) {
            rng_seed_at(&a, seed, index);
            seen[n] = rng_u64(&a);
            for (int i = 0; i < n; i++)
                assert_true(seen[i] != seen[n]);
            n++;
        }
}

static void test_ranges(void **state)
{
    (void)state;
    struct rng r;
    double sum = 0, squares = 0;
    int counts[6] = {0};
    rng_seed(&r, 3);
    for (int i = 0; i < 100000; i++) {
        double u = rng_unit(&r), o = rng_open(&r), x = rng_between(&r, -2, 3);
        assert_true(u >= 0 && u < 1 && o > 0 && o < 1 && x >= -2 && x < 3);
        sum += u;
        squares += u * u;
        counts[rng_below(&r, 6)]++;
        assert_int_equal(rng_below(&r, 1), 0);
    }
    assert_true(fabs(sum / 100000 - 0.5) < 0.005);
    assert_true(fabs(squares / 100000 - 1.0 / 3) < 0.005);
    for (int i = 0; i < 6; i++)
        assert_in_range(counts[i], 16100, 17250);
    assert_true(rng_between(&r, 1, 1) == 1);
    double next = nextafter(1.0, 2.0);
    for (int i = 0; i < 1000; i++)
        assert_true(rng_between(&r, 1, next) == 1);
}

static void test_random_seeds_differ(void **state)
{
    (void)state;
    struct rng a, b;
    rng_seed_random(&a);
    rng_seed_random(&b);
    assert_true(rng_u64(&a) != rng_u64(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_are_fixed),
        cmocka_unit_test(test_seed_at_depends_on_both),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_random_seeds_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
