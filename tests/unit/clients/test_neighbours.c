/* Distances between points, and the nearest of many. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "neighbours.h"
#include "spec.h"

static const char text[] =
    "{\"study\":\"s\",\"objective\":{},\"space\":{\"x\":{\"float\":[0,10]},"
    "\"lr\":{\"float\":[1e-4,1],\"log\":true},\"k\":{\"randint\":5},\"one\":{\"int\":[3,3]},"
    "\"n\":{\"normal\":[0,2]},\"act\":{\"choice\":[\"a\",{\"b\":{\"y\":{\"float\":[0,1]}}}]}}}";

static struct spec *parse(void)
{
    struct spec *s = NULL;
    struct errmsg em = {""};
    if (spec_parse(str_of(text), &s, &em))
        fail_msg("%s", em.text);
    return s;
}

static const struct param *param(const struct spec *s, const char *name)
{
    int i = space_find(s->space, str_of(name));
    assert_true(i >= 0);
    return &s->space->params[i];
}

static void each_parameter_in_its_own_scale(void **state)
{
    (void)state;
    struct spec *s = parse();
    assert_true(fabs(neighbours_apart(param(s, "x"), 2, 4.5) - 0.25) < 1e-12);
    assert_true(fabs(neighbours_apart(param(s, "lr"), 1e-4, 1e-2) - 0.5) < 1e-12);
    assert_true(fabs(neighbours_apart(param(s, "n"), 0, 2) - 0.25) < 1e-12);
    assert_true(neighbours_apart(param(s, "n"), -100, 100) == 1);
    assert_true(neighbours_apart(param(s, "k"), 1, 2) == 1);
    assert_true(neighbours_apart(param(s, "act"), 0, 1) == 1);
    assert_true(neighbours_apart(param(s, "act"), 1, 1) == 0);
    assert_true(neighbours_apart(param(s, "one"), 3, 3) == 0);
    assert_true(neighbours_apart(param(s, "y"), NAN, 0.5) == 1);
    assert_true(neighbours_apart(param(s, "y"), NAN, NAN) == 0);
    spec_free(s);
}

static void offer(struct neighbours *all, uint64_t trial, const char *params)
{
    struct neighbour n = {.trial = trial, .state = "complete", .loss = (double)trial};
    assert_true(neighbours_offer(all, &n, str_of(params)));
}

#define HERE "{\"x\":5,\"lr\":0.01,\"k\":1,\"one\":3,\"n\":0,\"act\":\"a\"}"

static void the_nearest_three_come_first(void **state)
{
    (void)state;
    struct spec *s = parse();
    struct neighbours all;
    uint32_t params[2];
    double point[8] = {0};
    struct neighbour none = {.trial = 9};
    for (uint32_t i = 0; i < s->space->n; i++)
        point[i] = NAN;
    point[space_find(s->space, STR("x"))] = 5;
    point[space_find(s->space, STR("lr"))] = 0.01;
    point[space_find(s->space, STR("k"))] = 1;
    point[space_find(s->space, STR("one"))] = 3;
    point[space_find(s->space, STR("n"))] = 0;
    point[space_find(s->space, STR("act"))] = 0;
    neighbours_init(&all, s->space, point);
    offer(&all, 0, "{\"x\":9,\"lr\":1,\"k\":2,\"one\":3,\"n\":1,\"act\":\"b\",\"y\":0.5}");
    offer(&all, 1, "{\"x\":6,\"lr\":0.01,\"k\":1,\"one\":3,\"n\":0,\"act\":\"a\"}");
    offer(&all, 2, HERE);
    offer(&all, 3, "{\"x\":4,\"lr\":0.01,\"k\":1,\"one\":3,\"n\":0,\"act\":\"a\"}");
    offer(&all, 4, HERE);
    assert_false(neighbours_offer(&all, &none, STR("{\"x\":11}")));
    assert_false(neighbours_offer(&all, &none, STR("no JSON")));
    assert_int_equal(all.n, 3);
    assert_int_equal(all.v[0].trial, 2);
    assert_int_equal(all.v[1].trial, 4);
    assert_int_equal(all.v[2].trial, 1);
    assert_true(all.v[0].distance == 0);
    assert_true(fabs(all.v[2].distance - 0.1 / sqrt(6)) < 1e-12);
    assert_int_equal(neighbours_differences(&all, 0, params, 2), 0);
    assert_int_equal(neighbours_differences(&all, 2, params, 2), 1);
    assert_int_equal(params[0], space_find(s->space, STR("x")));
    neighbours_fini(&all);
    neighbours_init(&all, s->space, point);
    offer(&all, 0, "{\"x\":9,\"lr\":0.02,\"k\":2,\"one\":3,\"n\":1,\"act\":\"a\"}");
    assert_int_equal(neighbours_differences(&all, 0, params, 2), 2);
    assert_int_equal(params[0], space_find(s->space, STR("k")));
    assert_int_equal(params[1], space_find(s->space, STR("x")));
    neighbours_fini(&all);
    spec_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_parameter_in_its_own_scale),
        cmocka_unit_test(the_nearest_three_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
