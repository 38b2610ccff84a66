/* The walk through all points: each once, in order, all of them legal. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cartesian.h"
#include "tunefarm_bed.h"

#define MOST 600

/* In the order of the walk: a parameter that is not active comes before all values. */
static int compare(const double *a, const double *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        double x = isnan(a[i]) ? -INFINITY : a[i], y = isnan(b[i]) ? -INFINITY : b[i];
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static uint32_t walk(struct cartesian *c, double points[MOST][8])
{
    uint32_t n = 0;
    cartesian_rewind(c);
    do {
        assert_true(n < MOST);
        cartesian_point(c, points[n]);
        bed_assert_legal(c->space, points[n]);
        assert_true(n == 0 || compare(points[n - 1], points[n], c->space->n) < 0);
    } while (cartesian_advance(c, points[n++]));
    return n;
}

static void every_point_comes_once_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *space;
        uint32_t points;
    } cases[] = {
        {"\"a\":{\"choice\":[1,2,3]}", 3},
        {"\"a\":{\"choice\":[1,2,3]},\"b\":{\"int\":[-1,1]},\"c\":{\"randint\":4}", 36},
        {"\"a\":{\"int\":[1,10],\"step\":3},\"b\":{\"int\":[1,8],\"log\":true}", 32},
        {"\"a\":{\"float\":[0,1],\"step\":0.25},\"b\":{\"float\":[0,10],\"round\":2.5}", 25},
        {"\"a\":{\"float\":[-0.4,3.6],\"round\":1},\"v\":{\"value\":\"x\"}", 5},
        {"\"a\":{\"choice\":[\"p\",{\"q\":{\"n\":{\"int\":[0,4],\"step\":2}}},"
         "{\"r\":{\"t\":{\"choice\":[1,{\"2\":{\"u\":{\"randint\":3}}}]}}}]},"
         "\"k\":{\"int\":[1,4]},\"l\":{\"choice\":[7,8],\"when\":{\"k\":[2,3]}}",
         8 * (1 + 2 + 2 + 1)},
        {"\"a\":{\"float\":[2,2]},\"b\":{\"int\":[5,5]}", 1},
    };
    static double points[MOST][8];
    for (size_t i = 0; i < BED_COUNT(cases); i++) {
        struct bed b;
        struct cartesian c;
        bed_open(&b, cases[i].space, NULL);
        cartesian_init(&c, b.space);
        assert_int_equal(walk(&c, points), cases[i].points);
        assert_true(cartesian_size(&c) >= cases[i].points);
        assert_int_equal(walk(&c, points), cases[i].points); /* from the start again */
        cartesian_fini(&c);
        bed_close(&b);
    }
}

static void ladders_may_be_replaced(void **state)
{
    (void)state;
    static double points[MOST][8];
    struct bed b;
    struct cartesian c;
    bed_open(&b, "\"x\":{\"float\":[0,1]},\"k\":{\"int\":[0,1]}", NULL);
    cartesian_init(&c, b.space);
    assert_true(cartesian_size(&c) == 0);
    c.ladders[0] = (struct ladder){calloc(3, sizeof(double)), 3};
    c.ladders[0].values[1] = 0.5;
    c.ladders[0].values[2] = 0.75;
    assert_true(cartesian_size(&c) == 6);
    assert_int_equal(walk(&c, points), 6);
    assert_true(points[5][0] == 0.75 && points[5][1] == 1);
    cartesian_fini(&c);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_point_comes_once_in_order),
        cmocka_unit_test(ladders_may_be_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
