/* Runs the simulator over many seeds (SIM_SEEDS, default 300) or over one (SIM_SEED=n). A failing
 * seed prints itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sim.h"

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_seeds(void **state)
{
    (void)state;
    uint64_t first = number_from("SIM_SEED", 1);
    uint64_t n = getenv("SIM_SEED") ? 1 : number_from("SIM_SEEDS", 300);
    struct sim_result sum = {0};
    for (uint64_t seed = first; seed < first + n; seed++) {
        struct sim_result r = sim_run(seed);
        sum.steps += r.steps;
        sum.crashes += r.crashes;
        sum.disconnects += r.disconnects;
        sum.records += r.records;
    }
    print_message("%llu seeds: %llu core steps, %llu crashes, %llu broken connections, %llu "
                  "journal records\n",
                  (unsigned long long)n, (unsigned long long)sum.steps,
                  (unsigned long long)sum.crashes, (unsigned long long)sum.disconnects,
                  (unsigned long long)sum.records);
    assert_true(sum.records > n * 20);
    if (n >= 100)
        assert_true(sum.crashes > n && sum.disconnects > n);
}

static void test_same_seed_same_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct sim_result a = sim_run(seed), b = sim_run(seed);
        assert_int_equal(a.hash, b.hash);
        assert_int_equal(a.steps, b.steps);
        assert_int_equal(a.records, b.records);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_run),
        cmocka_unit_test(test_seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
