/* Places on the sides of the unit cube: of every kind of parameter, there and back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "axis.h"
#include "tunefarm_bed.h"

struct one {
    struct bed bed;
    struct axis axis;
};

static void open_one(struct one *o, const char *param)
{
    char text[300];
    snprintf(text, sizeof text, "\"x\":{%s}", param);
    bed_open(&o->bed, text, NULL);
    axis_init(&o->axis, &o->bed.space->params[0]);
}

static void close_one(struct one *o)
{
    bed_close(&o->bed);
}

static const char *const numbers[] = {
    "\"float\":[-1,2]",
    "\"float\":[-1e300,1e300]",
    "\"float\":[1e-300,1e300],\"log\":true",
    "\"float\":[1e-5,1],\"log\":true",
    "\"float\":[0,0.999],\"log\":\"reverse\"",
    "\"float\":[-1e200,1e200],\"log\":\"reverse\"",
    "\"float\":[0,1],\"step\":0.25",
    "\"float\":[0.1,0.95],\"step\":0.1",
    "\"float\":[1e-3,1],\"step\":0.001,\"log\":true",
    "\"float\":[0,10],\"round\":0.3",
    "\"float\":[1,100],\"log\":true,\"round\":5",
    "\"int\":[0,1]",
    "\"int\":[-3,9],\"step\":4",
    "\"int\":[1,9]",
    "\"int\":[1,100000],\"log\":true",
    "\"int\":[16,512],\"log\":true,\"step\":16",
    "\"int\":[1,9],\"round\":2",
    "\"int\":[-1000000000000000,1000000000000000]",
    "\"normal\":[3,2]",
    "\"normal\":[-1e299,1e298]",
    "\"normal\":[0,3],\"round\":1,\"int\":true",
    "\"lognormal\":[0,1]",
    "\"lognormal\":[-600,8]",
    "\"lognormal\":[0,1],\"round\":0.5",
};
static const char *const categories[] = {
    "\"choice\":[\"a\",\"b\",\"c\"]", "\"choice\":[1,2,3],\"weights\":[0.7,0.3,0]",
    "\"int\":[4,9],\"unordered\":true", "\"randint\":[-7,3]", "\"randint\":1000000000000000"};
static const char *const constants[] = {
    "\"float\":[2,2]", "\"float\":[2,2],\"log\":true",     "\"float\":[-3,-3],\"log\":\"reverse\"",
    "\"int\":[7,7]",   "\"int\":[7,7],\"unordered\":true", "\"choice\":[\"one\"]",
    "\"value\":5",     "\"float\":[0.9,1.3],\"round\":1",  "\"float\":[1.2,1.3],\"round\":1"};

static void assert_at(const char *param, double value, double place)
{
    struct one o;
    open_one(&o, param);
    double got = axis_place(&o.axis, value);
    if (!(fabs(got - place) <= 1e-12))
        fail_msg("%s: %g at %.17g, expected %.17g", param, value, got, place);
    close_one(&o);
}

/* Quantiles of the prior, by hand. */
static void a_number_stands_at_its_quantile(void **state)
{
    (void)state;
    assert_at("\"float\":[-1,2]", -1, 0);
    assert_at("\"float\":[-1,2]", 0.5, 0.5);
    assert_at("\"float\":[-1,2]", 2, 1);
    assert_at("\"float\":[1e-4,1],\"log\":true", 1e-3, 0.25);
    assert_at("\"float\":[1e-300,1e300],\"log\":true", 1, 0.5);
    assert_at("\"float\":[-1e300,1e300]", 5e299, 0.75);
    /* c = 1 + 1e-4: halfway on the logarithm is c - sqrt(1e-4 (1 + 1e-4)). */
    assert_at("\"float\":[0,1],\"log\":\"reverse\"", 1.0001 - sqrt(1e-4 * 1.0001), 0.5);
    assert_at("\"float\":[0,1],\"log\":\"reverse\"", 1, 1);
    assert_at("\"normal\":[3,2]", 3, 0.5);
    assert_at("\"normal\":[3,2]", 5, 0.841344746068542949);
    assert_at("\"normal\":[3,2]", -1, 0.0227501319481792072);
    assert_at("\"lognormal\":[0,1]", 1, 0.5);
    assert_at("\"lognormal\":[0,1]", 2.71828182845904524, 0.841344746068542949);
}

static void values_of_a_grid_stand_in_the_middle_of_their_cells(void **state)
{
    (void)state;
    assert_at("\"int\":[1,4]", 1, 0.125);
    assert_at("\"int\":[1,4]", 4, 0.875);
    assert_at("\"int\":[0,1]", 1, 0.75);
    assert_at("\"int\":[-3,9],\"step\":4", 5, 0.625);
    assert_at("\"float\":[0,1],\"step\":0.25", 0.5, 0.5);
    assert_at("\"float\":[0.1,0.95],\"step\":0.1", 0.9, 17.0 / 18); /* 0.95 is not on the grid */
    assert_at("\"float\":[0,10],\"round\":2.5", 2.5, 0.25);         /* half cells at both ends */
    /* From half a cell below 1 to half a cell above 8. */
    assert_at("\"int\":[1,8],\"log\":true", 1, log(2) / log(17));
    assert_at("\"int\":[1,8],\"log\":true", 8, log(16) / log(17));
}

static void a_value_rounded_to_nothing_stands_at_the_end(void **state)
{
    (void)state;
    assert_at("\"lognormal\":[0,1],\"round\":5", 0, 0);
    assert_at("\"float\":[1,100],\"log\":true,\"round\":5", 0, 0);
}

static void what_a_step_is_worth(void **state)
{
    (void)state;
    static const struct {
        const char *param;
        bool lattice;
        double half;
    } cases[] = {
        {"\"float\":[0,1]", false, 0},
        {"\"normal\":[0,1]", false, 0},
        {"\"normal\":[0,1],\"round\":0.5", true, 0},
        {"\"int\":[1,4]", true, 0.125},
        {"\"float\":[0,1],\"step\":0.25", true, 0.1},
        {"\"float\":[0,10],\"round\":2.5", true, 0.1},
    };
    for (size_t i = 0; i < BED_COUNT(cases); i++) {
        struct one o;
        open_one(&o, cases[i].param);
        assert_int_equal(o.axis.kind, AXIS_NUMBER);
        assert_int_equal(o.axis.lattice, cases[i].lattice);
        assert_true(o.axis.half == cases[i].half);
        close_one(&o);
    }
}

/* From the value at a quantile to its place and back; places never fall. */
static void numbers_go_there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < BED_COUNT(numbers); i++) {
        struct one o;
        open_one(&o, numbers[i]);
        assert_int_equal(o.axis.kind, AXIS_NUMBER);
        double last_place = 0, last_value = -INFINITY;
        for (int k = 0; k <= 4000; k++) {
            double u = k / 4000.0, value = axis_value(&o.axis, u);
            double place = axis_place(&o.axis, value), again = axis_value(&o.axis, place);
            assert_true(param_legal(o.axis.param, value) == value);
            assert_true(place >= 0 && place <= 1);
            if (value < last_value || place < last_place)
                fail_msg("%s falls at %g", numbers[i], u);
            if (o.axis.lattice ? again != value : fabs(axis_place(&o.axis, again) - place) > 1e-12)
                fail_msg("%s: %.17g at %.17g is %.17g", numbers[i], value, place, again);
            if (!o.axis.lattice && k > 0 && k < 4000 && fabs(place - u) > 1e-9)
                fail_msg("%s: %.17g at %.17g, expected %g", numbers[i], value, place, u);
            last_place = place;
            last_value = value;
        }
        close_one(&o);
    }
}

static void categories_stand_at_their_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < BED_COUNT(categories); i++) {
        struct one o;
        struct rng r;
        double sum = 0;
        rng_seed(&r, 3);
        open_one(&o, categories[i]);
        assert_int_equal(o.axis.kind, AXIS_CATEGORY);
        assert_true(o.axis.categories == param_cardinality(o.axis.param));
        for (int k = 0; k < 1000; k++) {
            double value = axis_value(&o.axis, rng_unit(&r));
            double place = axis_place(&o.axis, value);
            assert_true(param_legal(o.axis.param, value) == value);
            assert_true(place >= 0 && place < o.axis.categories && place == floor(place));
            assert_true(axis_prior(&o.axis, place) > 0); /* what has no weight is not drawn */
        }
        for (int c = 0; c < 100 && c < o.axis.categories; c++)
            sum += axis_prior(&o.axis, c);
        assert_true(o.axis.categories > 100 || fabs(sum - 1) < 1e-12);
        close_one(&o);
    }
}

static void one_value_is_a_constant(void **state)
{
    (void)state;
    for (size_t i = 0; i < BED_COUNT(constants); i++) {
        struct one o;
        open_one(&o, constants[i]);
        assert_int_equal(o.axis.kind, AXIS_CONSTANT);
        double value = axis_value(&o.axis, 0.5);
        assert_true(param_legal(o.axis.param, value) == value);
        assert_true(axis_value(&o.axis, 0) == value && axis_value(&o.axis, 1) == value);
        if (!(axis_place(&o.axis, value) >= 0 && axis_place(&o.axis, value) <= 1))
            fail_msg("%s: %g at %g", constants[i], value, axis_place(&o.axis, value));
        close_one(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_stands_at_its_quantile),
        cmocka_unit_test(values_of_a_grid_stand_in_the_middle_of_their_cells),
        cmocka_unit_test(a_value_rounded_to_nothing_stands_at_the_end),
        cmocka_unit_test(what_a_step_is_worth),
        cmocka_unit_test(numbers_go_there_and_back),
        cmocka_unit_test(categories_stand_at_their_numbers),
        cmocka_unit_test(one_value_is_a_constant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
