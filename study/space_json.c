/* Points as JSON objects: which parameters are active, writing them, reading and checking them.
 *
 * Called by the optimizer (writes), the trial-worker (checks what it is granted), spec_parse.c and
 * the command enqueue (complete known points). What is written here is what the user's program
 * reads; the broker never looks into it. */
#include "space.h"

#include <endian.h>
#include <json.h>
#include <math.h>
#include <stdio.h>

#include "hash.h"
#include "json.h"
#include "nearest.h"
#include "rng.h"
#include "space_build.h"

#define TOLERANCE 1e-9 /* of a step */

static bool test_holds(const struct param_test *t, const double *point)
{
    double v = point[t->parent]; /* NaN, when inactive, equals nothing */
    for (uint32_t i = 0; i < t->n; i++) {
        if (v == t->values[i])
            return true;
    }
    return false;
}

bool space_active(const struct space *s, uint32_t i, const double *point)
{
    const struct param *p = &s->params[i];
    for (uint32_t c = 0; c < p->n_cases; c++) {
        uint32_t t = 0;
        while (t < p->cases[c].n && test_holds(&p->cases[c].tests[t], point))
            t++;
        if (t == p->cases[c].n)
            return true;
    }
    return p->n_cases == 0;
}

void param_value_text(const struct param *p, double value, struct buf *out)
{
    char text[32];
    if (p->kind == PARAM_CHOICE)
        buf_add_str(out, p->options[(uint32_t)value].text);
    else
        buf_add(out, text, json_format_f64(text, value));
}

void space_write(const struct space *s, const double *point, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct param *p = &s->params[i];
        if (isnan(point[i]))
            continue;
        jsonw_key(&w, p->name);
        if (p->kind == PARAM_CHOICE)
            jsonw_raw(&w, p->options[(uint32_t)point[i]].json);
        else
            jsonw_f64(&w, point[i]);
    }
    jsonw_end(&w);
}

static err_t fault_option(const struct param *p, struct json_object *v, const struct at *at)
{
    char brief[BRIEF_SIZE];
    struct buf known;
    buf_init(&known, 0);
    for (uint32_t i = 0; i < p->n_options && known.n < 200; i++) {
        buf_addz(&known, i > 0 ? ", " : "");
        buf_add_str(&known, p->options[i].json);
    }
    err_t e = at_fault(at, ERR_INVALID, "%s is none of its options: %s%s", value_brief(v, brief),
                       buf_z(&known), known.n < 200 ? "" : ", ...");
    buf_fini(&known);
    return e;
}

static bool in_bounds(const struct param *p, double x)
{
    if (p->prior == PRIOR_NORMAL)
        return p->scale != SCALE_LOG || x > 0 || (x == 0 && p->round > 0);
    double low = p->low, high = p->high;
    double slack = TOLERANCE * (p->step > 0 ? p->step : p->round);
    if (p->round > 0) {
        low = param_legal(p, low);
        high = param_legal(p, high);
    }
    return x >= low - slack && x <= high + slack;
}

static err_t fault_bounds(const struct param *p, double x, const struct at *at)
{
    char text[32], low[32], high[32];
    json_format_f64(text, x);
    if (p->prior == PRIOR_NORMAL)
        return at_fault(at, ERR_INVALID, "%s is not above 0", text);
    json_format_f64(low, param_legal(p, p->low));
    json_format_f64(high, param_legal(p, p->high));
    return at_fault(at, ERR_INVALID, "%s is out of bounds; expected %s to %s", text, low, high);
}

static err_t fault_between(double x, double legal, const struct at *at)
{
    char text[32], near[32];
    json_format_f64(text, x);
    json_format_f64(near, legal);
    return at_fault(at, ERR_INVALID, "%s is not one of its values; the nearest is %s", text, near);
}

static err_t read_number(const struct param *p, struct json_object *v, const struct at *at,
                         double *out)
{
    double x = 0;
    err_t e = take_f64(at, v, -INFINITY, INFINITY, &x);
    if (e != ERR_OK)
        return e;
    if (!in_bounds(p, x))
        return fault_bounds(p, x, at);
    double legal = param_legal(p, x);
    double quantum = p->step > 0 ? p->step : p->round;
    if (fabs(legal - x) > TOLERANCE * quantum)
        return fault_between(x, legal, at);
    *out = legal;
    return ERR_OK;
}

static err_t read_value(const struct param *p, struct json_object *v, const struct at *at,
                        double *out)
{
    if (p->kind != PARAM_CHOICE)
        return read_number(p, v, at, out);
    int i = choice_find(p, v, false);
    if (i < 0)
        return fault_option(p, v, at);
    *out = i;
    return ERR_OK;
}

static err_t refuse_unknown(const struct space *s, struct json_object *params, const struct at *at)
{
    if (!params)
        return ERR_OK;
    json_object_object_foreach(params, key, value)
    {
        (void)value;
        if (space_find(s, str_of(key)) >= 0)
            continue;
        struct at here = at_key(at, key);
        const char *names[SPACE_MAX_PARAMS + 1];
        for (uint32_t k = 0; k < s->n; k++)
            names[k] = s->params[k].name.p;
        names[s->n] = NULL;
        const char *near = nearest_name(str_of(key), names);
        if (near)
            return at_fault(&here, ERR_INVALID,
                            "the space has no such parameter; did you mean \"%s\"?", near);
        return at_fault(&here, ERR_INVALID, "the space has no such parameter");
    }
    return ERR_OK;
}

/* All names are known: refuses those of inactive parameters, and a short name beside the qualified
 * one. */
static err_t refuse_surplus(const struct space *s, struct json_object *params, const double *point,
                            const struct at *at)
{
    if (!params)
        return ERR_OK;
    json_object_object_foreach(params, key, value)
    {
        (void)value;
        struct at here = at_key(at, key);
        int i = space_find(s, str_of(key));
        const struct param *p = &s->params[i];
        if (isnan(point[i]))
            return at_fault(&here, ERR_INVALID, "not active at this point; leave it out");
        if (!str_is(p->name, key) && json_object_object_get_ex(params, p->name.p, NULL))
            return at_fault(&here, ERR_INVALID, "stands twice, here and as \"%s\"", p->name.p);
    }
    return ERR_OK;
}

static err_t refuse_group(struct json_object *params, const struct at *at)
{
    char brief[BRIEF_SIZE];
    if (!params || json_object_is_type(params, json_type_object))
        return ERR_OK;
    return at_fault(at, ERR_INVALID, "%s is not a group of parameters", value_brief(params, brief));
}

/* The value of a parameter under either name. */
static bool given(const struct param *p, struct json_object *params, struct json_object **v)
{
    return json_object_object_get_ex(params, p->name.p, v) ||
           json_object_object_get_ex(params, p->short_name.p, v);
}

err_t space_read(const struct space *s, struct json_object *params, double *point,
                 struct errmsg *em)
{
    struct at at = at_root(em, STR(""));
    err_t e = refuse_group(params, &at);
    if (e == ERR_OK)
        e = refuse_unknown(s, params, &at);
    for (uint32_t i = 0; i < s->n && e == ERR_OK; i++) {
        const struct param *p = &s->params[i];
        struct json_object *v = NULL;
        point[i] = NAN;
        if (!space_active(s, i, point))
            continue;
        struct at here = at_key(&at, p->name.p);
        if (!given(p, params, &v))
            return at_fault(&here, ERR_INVALID,
                            "missing; every parameter that is active needs a value");
        e = read_value(p, v, &here, &point[i]);
    }
    return e == ERR_OK ? refuse_surplus(s, params, point, &at) : e;
}

/* The first parameter that is not given although p depends on it; NULL if there is a case of p for
 * which all are there. */
static const struct param *lacks(const struct space *s, const struct param *p,
                                 struct json_object *params)
{
    const struct param *first = NULL;
    for (uint32_t c = 0; c < p->n_cases; c++) {
        const struct param *missing = NULL;
        for (uint32_t t = 0; t < p->cases[c].n && !missing; t++) {
            const struct param *parent = &s->params[p->cases[c].tests[t].parent];
            missing = given(parent, params, NULL) ? NULL : parent;
        }
        if (!missing)
            return NULL;
        first = first ? first : missing;
    }
    return first;
}

static err_t read_given(const struct space *s, struct json_object *params, double *point,
                        const struct at *at)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < s->n && e == ERR_OK; i++) {
        const struct param *p = &s->params[i];
        struct json_object *v = NULL;
        struct at here = at_key(at, p->name.p);
        point[i] = NAN;
        if (!given(p, params, &v))
            continue;
        const struct param *parent = lacks(s, p, params);
        if (parent)
            return at_fault(&here, ERR_INVALID, "depends on %s; give that too", parent->name.p);
        e = read_value(p, v, &here, &point[i]);
    }
    return e;
}

/* The given values in the space's own spelling decide about the others. */
static void draw_missing(const struct space *s, struct json_object *params, uint64_t turn,
                         double *point)
{
    struct buf text;
    struct rng r;
    uint64_t seed;
    buf_init(&text, 0);
    space_write(s, point, &text);
    struct digest d = hash_bytes(buf_str(&text));
    buf_fini(&text);
    memcpy(&seed, d.b, sizeof seed);
    rng_seed_at(&r, le64toh(seed), turn);
    for (uint32_t i = 0; i < s->n; i++) {
        if (!space_active(s, i, point))
            point[i] = NAN;
        else if (!given(&s->params[i], params, NULL))
            point[i] = param_from_unit(&s->params[i], rng_unit(&r));
    }
}

err_t space_complete(const struct space *s, struct json_object *params, uint64_t turn,
                     double *point, struct errmsg *em)
{
    struct at at = at_root(em, STR(""));
    err_t e = refuse_group(params, &at);
    if (e == ERR_OK)
        e = refuse_unknown(s, params, &at);
    if (e == ERR_OK)
        e = read_given(s, params, point, &at);
    if (e != ERR_OK)
        return e;
    draw_missing(s, params, turn, point);
    return refuse_surplus(s, params, point, &at);
}
