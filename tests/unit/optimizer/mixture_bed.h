/* A space, its parameters' mapping and one mixture over all of them, for the tests of mixture. */
#ifndef FARM_TESTS_MIXTURE_BED_H
#define FARM_TESTS_MIXTURE_BED_H

#include <json-c/json.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "json.h"
#include "mixture.h"
#include "rmath.h"

#define MOST     8
#define FLOAT    "\"x\":{\"float\":[0,10]}"
#define LOG      "\"x\":{\"float\":[1e-3,1],\"log\":true}"
#define STEP     "\"x\":{\"int\":[0,10],\"step\":2}"
#define INT      "\"x\":{\"int\":[1,10],\"log\":true}"
#define THREE    "\"c\":{\"choice\":[\"a\",\"b\",\"c\"]}"
#define COUNT(a) (sizeof(a) / sizeof *(a))

struct bed {
    struct space *space;
    struct tpe_dim dims[MOST];
    const struct tpe_dim *list[MOST];
    struct mixture_shape shape;
    struct mixture mixture;
};

static inline void open_bed(struct bed *b, const char *members)
{
    struct json_object *v = NULL;
    struct errmsg em = {""};
    char text[2048];
    *b = (struct bed){0};
    snprintf(text, sizeof text, "{%s}", members);
    assert_int_equal(json_parse(str_of(text), JSON_STRICT, &v, &em), ERR_OK);
    if (space_parse(v, &b->space, &em))
        fail_msg("%s", em.text);
    json_object_put(v);
    for (uint32_t d = 0; d < b->space->n; d++) {
        tpe_dim_init(&b->dims[d], &b->space->params[d], 1);
        b->list[d] = &b->dims[d];
    }
    b->shape = (struct mixture_shape){
        .dims = b->list, .n_dims = b->space->n, .prior_weight = 1, .magic_clip = true};
    mixture_init(&b->mixture, &b->shape);
}

static inline void close_bed(struct bed *b)
{
    mixture_fini(&b->mixture, &b->shape);
    space_free(b->space);
}

static inline void insert(struct bed *b, uint32_t trial, const double *point)
{
    double y[MOST];
    for (uint32_t d = 0; d < b->shape.n_dims; d++)
        y[d] = tpe_dim_place(&b->dims[d], point[d]);
    mixture_insert(&b->mixture, &b->shape, y, trial);
}

/* Observations of the first parameter; the others' stand behind it. */
static inline void observe(struct bed *b, uint32_t n, const double *points)
{
    for (uint32_t i = 0; i < n; i++)
        insert(b, i, points + (size_t)i * b->shape.n_dims);
    mixture_settle(&b->mixture, &b->shape);
}

static inline void assert_near(double got, double expected, double error)
{
    if (!(fabs(got - expected) <= error))
        fail_msg("%.15g, expected %.15g", got, expected);
}

static inline void assert_widths(struct bed *b, uint32_t n, const double *expected)
{
    for (uint32_t i = 0; i < n; i++)
        assert_near(1.0 / b->mixture.columns[0].inv[i], expected[i], 1e-6);
}

static inline void assert_density(struct bed *b, uint32_t n, const double *values,
                                  const double *expected, double error)
{
    double got[32];
    mixture_log_density(&b->mixture, &b->shape, values, n, got);
    for (uint32_t i = 0; i < n; i++)
        assert_near(got[i], expected[i], error);
}

#endif
