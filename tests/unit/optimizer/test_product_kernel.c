/* Sums of product kernels against the definition in double precision, and the code for each width
 * of vectors against the others. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "product_kernel_paths.h"
#include "rng.h"

#define WIDTH 24
#define ROWS  1000

struct sum {
    struct roster rows;
    float weight[ROWS + ROSTER_LANES];
    struct factor factors[WIDTH];
    uint32_t n, n_factors;
};

/* Axis a: a number that all have, one that some have, a category, by a mod 3. */
static enum factor_kind kind_of(uint32_t a)
{
    return a % 3 == 0 ? FACTOR_NUMBER : a % 3 == 1 ? FACTOR_SOMETIMES : FACTOR_CATEGORY;
}

static float place_of(uint32_t a, struct rng *r)
{
    if (kind_of(a) != FACTOR_NUMBER && rng_below(r, 4) == 0)
        return ROSTER_ABSENT;
    return kind_of(a) == FACTOR_CATEGORY ? (float)rng_below(r, 3) : (float)rng_unit(r);
}

static double between(struct rng *r, double least, double most)
{
    return least * pow(most / least, rng_unit(r));
}

static void open_sum(struct sum *s, struct rng *r, double least_width)
{
    *s = (struct sum){0};
    roster_init(&s->rows, WIDTH);
    s->n = (uint32_t)rng_below(r, ROWS) + 1;
    s->n_factors = (uint32_t)rng_below(r, WIDTH + 1);
    for (uint32_t i = 0; i < s->n; i++) {
        float places[WIDTH];
        for (uint32_t a = 0; a < WIDTH; a++)
            places[a] = place_of(a, r);
        roster_insert(&s->rows, (uint32_t)rng_below(r, i + 1), i, places);
        s->weight[i] = (float)rng_below(r, 4);
    }
    for (uint32_t i = 0; i < s->n_factors; i++) {
        struct factor *f = &s->factors[i];
        f->axis = (i + 7 * s->n) % WIDTH;
        f->kind = kind_of(f->axis);
        f->at = f->kind == FACTOR_CATEGORY ? (float)rng_below(r, 3) : (float)rng_unit(r);
        f->inv = (float)(1 / between(r, least_width, 0.3));
        f->other = (float)between(r, 1, 1e5);
        f->lacks = (float)between(r, 1, 1e3);
    }
}

/* ---- the definition ---- */

static double factor_at(const struct factor *f, float place)
{
    if (f->kind != FACTOR_NUMBER && place < 0)
        return 1 / (double)f->lacks;
    if (f->kind == FACTOR_CATEGORY)
        return place == f->at ? 1 : 1 / (double)f->other;
    double z = ((double)place - (double)f->at) * (double)f->inv;
    return 1 / (1 + z * z);
}

/* What the floor may add: to each kernel at most the floor. */
static double by_definition(const struct sum *s, double *floor_adds)
{
    double total = 0;
    *floor_adds = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        double k = 1;
        for (uint32_t j = 0; j < s->n_factors; j++)
            k *= factor_at(&s->factors[j], roster_column(&s->rows, s->factors[j].axis)[i]);
        total += (double)s->weight[i] * k;
        *floor_adds += (double)s->weight[i] * (double)PRODUCT_KERNEL_LEAST;
    }
    return total;
}

static void they_are_those_of_the_definition(void **state)
{
    (void)state;
    static const double least[] = {0.1, 0.01, 2e-4};
    struct rng r;
    rng_seed(&r, 4);
    for (uint32_t turn = 0; turn < 600; turn++) {
        struct sum s;
        double floor_adds;
        open_sum(&s, &r, least[turn % 3]);
        double expected = by_definition(&s, &floor_adds);
        double got = product_kernel_sum(&s.rows, s.n, s.weight, s.factors, s.n_factors);
        if (!(fabs(got - expected) <= 1e-5 * expected + 1.001 * floor_adds))
            fail_msg("%u factors, %u rows: %.9g, expected %.9g", s.n_factors, s.n, got, expected);
        roster_fini(&s.rows);
    }
}

/* One row that is far off on n axes, as far as factors go: the product as long as it is above the
 * floor, then the floor. */
static void no_kernel_is_below_the_floor(void **state)
{
    (void)state;
    const float here[WIDTH] = {0}, weight[ROSTER_LANES] = {1};
    struct factor f[WIDTH];
    struct roster rows;
    roster_init(&rows, WIDTH);
    roster_insert(&rows, 0, 0, here);
    for (int k = 0; k <= 20; k++)
        for (uint32_t n = 0; n <= WIDTH; n++) {
            float inv = powf(5000, (float)k / 20);
            double expected = 1;
            for (uint32_t i = 0; i < n; i++) {
                f[i] = (struct factor){.axis = i, .kind = FACTOR_NUMBER, .at = 1, .inv = inv};
                expected *= factor_at(&f[i], 0);
            }
            expected = fmax(expected, (double)PRODUCT_KERNEL_LEAST);
            double got = product_kernel_sum(&rows, 1, weight, f, n);
            if (!(fabs(got - expected) <= 1e-5 * expected))
                fail_msg("%u factors of %g: %g, expected %g", n, (double)inv, got, expected);
        }
    roster_fini(&rows);
}

static void nothing_is_a_sum_of_nothing(void **state)
{
    (void)state;
    const struct factor f = {.kind = FACTOR_NUMBER, .inv = 1};
    struct roster rows;
    roster_init(&rows, 1);
    assert_true(product_kernel_sum(&rows, 0, NULL, &f, 1) == 0);
    roster_fini(&rows);
}

/* What stands behind the last row is of no matter, as long as it has no weight. */
static void the_padding_does_not_count(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 6);
    for (uint32_t turn = 0; turn < 100; turn++) {
        struct sum s;
        open_sum(&s, &r, 0.01);
        double clean = product_kernel_sum(&s.rows, s.n, s.weight, s.factors, s.n_factors);
        for (uint32_t a = 0; a < WIDTH; a++)
            for (uint32_t i = s.n; i < s.rows.cap; i++)
                s.rows.columns[a * s.rows.cap + i] = place_of(a, &r);
        assert_true(product_kernel_sum(&s.rows, s.n, s.weight, s.factors, s.n_factors) == clean);
        roster_fini(&s.rows);
    }
}

/* The bits of every variant that this processor can run. */
static void processors_agree(void **state)
{
    (void)state;
    static const double least[] = {0.1, 2e-4};
    struct rng r;
    rng_seed(&r, 5);
    for (uint32_t turn = 0; turn < 200; turn++) {
        struct sum s;
        open_sum(&s, &r, least[turn % 2]);
        double plain = product_kernel_plain(&s.rows, s.n, s.weight, s.factors, s.n_factors);
        assert_true(product_kernel_sum(&s.rows, s.n, s.weight, s.factors, s.n_factors) == plain);
#if defined(__x86_64__)
        if (__builtin_cpu_supports("avx2"))
            assert_true(product_kernel_avx2(&s.rows, s.n, s.weight, s.factors, s.n_factors) ==
                        plain);
        if (__builtin_cpu_supports("avx512dq"))
            assert_true(product_kernel_avx512(&s.rows, s.n, s.weight, s.factors, s.n_factors) ==
                        plain);
#endif
        roster_fini(&s.rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_those_of_the_definition),
        cmocka_unit_test(no_kernel_is_below_the_floor),
        cmocka_unit_test(nothing_is_a_sum_of_nothing),
        cmocka_unit_test(the_padding_does_not_count),
        cmocka_unit_test(processors_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
