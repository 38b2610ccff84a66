/* Spaces and specs from YAML, for the tests of study. */
#include "study_fixture.h"

#include <json.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "json.h"
#include "yaml.h"

static void to_json(const char *yaml, struct buf *out)
{
    struct errmsg em = {{0}};
    buf_init(out, 0);
    if (yaml_to_json(str_of(yaml), "test", out, NULL, &em) != ERR_OK)
        fail_msg("%s", em.text);
}

static err_t parse_space(const char *yaml, struct space **out, struct errmsg *em)
{
    struct buf json;
    struct json_object *v = NULL;
    to_json(yaml, &json);
    assert_int_equal(json_parse(buf_str(&json), JSON_STRICT, &v, NULL), ERR_OK);
    err_t e = space_parse(v, out, em);
    json_object_put(v);
    buf_fini(&json);
    return e;
}

struct space *fixture_space(const char *yaml)
{
    struct errmsg em = {{0}};
    struct space *s = NULL;
    if (parse_space(yaml, &s, &em) != ERR_OK)
        fail_msg("%s", em.text);
    return s;
}

void fixture_sentence(const char *actual, const char *expected)
{
    size_t n = strlen(expected);
    if (n > 3 && strcmp(expected + n - 3, "...") == 0 && strncmp(actual, expected, n - 3) == 0)
        return;
    assert_string_equal(actual, expected);
}

void fixture_space_fault(const char *yaml, const char *sentence)
{
    struct errmsg em = {{0}};
    struct space *s = NULL;
    err_t e = parse_space(yaml, &s, &em);
    space_free(s);
    if (e == ERR_OK)
        fail_msg("accepted: %s", yaml);
    assert_true(e == ERR_INVALID || e == ERR_LIMIT);
    assert_null(s);
    fixture_sentence(em.text, sentence);
}

static err_t parse_spec(const char *yaml, struct spec **out, struct errmsg *em)
{
    struct buf json;
    to_json(yaml, &json);
    err_t e = spec_parse(buf_str(&json), out, em);
    buf_fini(&json);
    return e;
}

struct spec *fixture_spec(const char *yaml)
{
    struct errmsg em = {{0}};
    struct spec *s = NULL;
    if (parse_spec(yaml, &s, &em) != ERR_OK)
        fail_msg("%s", em.text);
    return s;
}

void fixture_spec_fault(const char *yaml, const char *sentence)
{
    struct errmsg em = {{0}};
    struct spec *s = NULL;
    err_t e = parse_spec(yaml, &s, &em);
    spec_free(s);
    if (e == ERR_OK)
        fail_msg("accepted: %s", yaml);
    assert_true(e == ERR_INVALID || e == ERR_LIMIT);
    assert_null(s);
    fixture_sentence(em.text, sentence);
}

#define FRAME "study: s\nspace: {lr: {float: [0, 1]}, act: {choice: [relu, tanh]}}\n"

static void frame(const char *yaml, struct buf *out)
{
    buf_init(out, 0);
    buf_addz(out, FRAME);
    buf_addz(out, yaml);
}

struct spec *fixture_spec_with(const char *yaml)
{
    struct buf b;
    frame(yaml, &b);
    struct spec *s = fixture_spec(buf_z(&b));
    buf_fini(&b);
    return s;
}

void fixture_spec_with_fault(const char *yaml, const char *sentence)
{
    struct buf b;
    frame(yaml, &b);
    fixture_spec_fault(buf_z(&b), sentence);
    buf_fini(&b);
}

void fixture_draw(const struct space *s, struct rng *r, double *point)
{
    for (uint32_t i = 0; i < s->n; i++) {
        point[i] = NAN;
        if (space_active(s, i, point))
            point[i] = param_from_unit(&s->params[i], rng_unit(r));
    }
}

bool fixture_read(const struct space *s, const char *json, double *point, struct errmsg *em)
{
    struct json_object *v = NULL;
    assert_int_equal(json_parse(str_of(json), JSON_STRICT, &v, NULL), ERR_OK);
    err_t e = space_read(s, v, point, em);
    json_object_put(v);
    return e == ERR_OK;
}
