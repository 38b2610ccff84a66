/* One parameter: which kind it is, its bounds and what modifies it.
 *
 * Two tables drive it: kinds (float, int, choice, ...; a parameter has exactly one) and modifiers
 * (log, step, ...), with which kinds each goes. Called by space_parse.c. Leaves the condition for
 * space_when.c and nested parameters for its caller. docs/study-file.md has the same tables for
 * people. */
#include <json.h>
#include <math.h>

#include "json.h"
#include "nearest.h"
#include "space_build.h"

#define FLOAT_MAX_BOUND     1e300
#define INT_MAX_BOUND       1e15
#define MAX_GRID            2147483648.0 /* values of a float's grid */
#define MAX_STEPS_FROM_ZERO 1e12 /* bound / step: beyond it grid values would not be distinct */
#define FAR_SIGMAS          10.0 /* no quantile of 53 bits is farther from mu */
#define MAX_LN              690.0

enum modifier_bit {
    MOD_LOG = 1,
    MOD_STEP = 2,
    MOD_ROUND = 4,
    MOD_UNORDERED = 8,
    MOD_WEIGHTS = 16,
    MOD_INT = 32,
    MOD_WHEN = 64,
};

struct prior_reader {
    struct arena *arena;
    struct draft *d;
    struct nested *nested;
    uint32_t *n_nested;
    bool has_step;
};
struct kind {
    const char *name;
    unsigned modifiers;
    err_t (*parse)(struct prior_reader *r, struct json_object *v, const struct at *at);
};
struct modifier {
    const char *name;
    unsigned bit;
    err_t (*parse)(struct prior_reader *r, struct json_object *v, const struct at *at);
};

static err_t take_pair(const struct at *at, struct json_object *v, double bound, bool whole,
                       const char *example, double out[2])
{
    size_t n = 0;
    err_t e = take_list(at, v, 2, 2, example, &n);
    for (size_t i = 0; i < 2 && e == ERR_OK; i++) {
        struct at here = at_item(at, i);
        struct json_object *x = json_object_array_get_idx(v, i);
        e = whole ? take_whole(&here, x, -bound, bound, &out[i])
                  : take_f64(&here, x, -bound, bound, &out[i]);
    }
    return e;
}

static err_t take_bounds(struct prior_reader *r, struct json_object *v, const struct at *at,
                         double bound, bool whole, const char *example)
{
    double pair[2] = {0, 0};
    char brief[BRIEF_SIZE];
    err_t e = take_pair(at, v, bound, whole, example, pair);
    if (e != ERR_OK)
        return e;
    if (pair[0] > pair[1])
        return at_fault(at, ERR_INVALID, "%s: the lower bound comes first", value_brief(v, brief));
    r->d->p.low = pair[0];
    r->d->p.high = pair[1];
    return ERR_OK;
}

static err_t parse_float(struct prior_reader *r, struct json_object *v, const struct at *at)
{
    r->d->p.kind = PARAM_FLOAT;
    return take_bounds(r, v, at, FLOAT_MAX_BOUND, false, "[1e-5, 1]");
}

static err_t parse_int(struct prior_reader *r, struct json_object *v, const struct at *at)
{
    r->d->p.kind = PARAM_INT;
    r->d->p.step = 1;
    return take_bounds(r, v, at, INT_MAX_BOUND, true, "[1, 8]");
}

static err_t parse_randint(struct prior_reader *r, struct json_object *v, const struct at *at)
{
    struct param *p = &r->d->p;
    p->kind = PARAM_INT;
    p->step = 1;
    p->unordered = true;
    err_t e = ERR_OK;
    if (value_is_number(v)) {
        e = take_whole(at, v, 1, INT_MAX_BOUND, &p->high);
    } else {
        e = take_bounds(r, v, at, INT_MAX_BOUND, true, "[0, 8] (8 excluded), or a number");
        if (e == ERR_OK && p->low == p->high)
            e = at_fault(at, ERR_INVALID, "holds no value: the upper bound is excluded");
    }
    p->high -= 1;
    return e;
}

static err_t parse_gauss(struct prior_reader *r, struct json_object *v, const struct at *at,
                         enum param_scale scale)
{
    struct param *p = &r->d->p;
    double pair[2] = {0, 0};
    err_t e = take_pair(at, v, FLOAT_MAX_BOUND, false, "[0, 1] (mean, standard deviation)", pair);
    if (e != ERR_OK)
        return e;
    if (!(pair[1] > 0))
        return at_fault(at, ERR_INVALID, "the standard deviation must be above 0");
    if (scale == SCALE_LOG && fabs(pair[0]) + FAR_SIGMAS * pair[1] > MAX_LN)
        return at_fault(at, ERR_INVALID,
                        "too wide: these are mean and standard deviation of ln x, and e to that "
                        "power would not be a number");
    p->kind = PARAM_FLOAT;
    p->prior = PRIOR_NORMAL;
    p->scale = scale;
    p->mu = pair[0];
    p->sigma = pair[1];
    p->low = -INFINITY;
    p->high = INFINITY;
    return ERR_OK;
}

static err_t parse_normal(struct prior_reader *r, struct json_object *v, const struct at *at)
{
    return parse_gauss(r, v, at, SCALE_LINEAR);
}

static err_t parse_lognormal(struct prior_reader *r, struct json_object *v, const struct at *at)
{
    return parse_gauss(r, v, at, SCALE_LOG);
}

static err_t parse_choice(struct prior_reader *r, struct json_object *v, const struct at *at)
{
    return choice_options(r->arena, v, at, r->d, r->nested, r->n_nested);
}

static err_t parse_value(struct prior_reader *r, struct json_object *v, const struct at *at)
{
    return choice_constant(r->arena, v, at, r->d);
}

static const struct kind kinds[] = {
    {"float", MOD_LOG | MOD_STEP | MOD_ROUND | MOD_WHEN, parse_float},
    {"int", MOD_LOG | MOD_STEP | MOD_ROUND | MOD_UNORDERED | MOD_WHEN, parse_int},
    {"choice", MOD_WEIGHTS | MOD_WHEN, parse_choice},
    {"normal", MOD_ROUND | MOD_INT | MOD_WHEN, parse_normal},
    {"lognormal", MOD_ROUND | MOD_INT | MOD_WHEN, parse_lognormal},
    {"randint", MOD_WHEN, parse_randint},
    {"value", MOD_WHEN, parse_value},
};
#define N_KINDS    (sizeof kinds / sizeof kinds[0])
#define KIND_NAMES "float, int, choice, normal, lognormal, randint, value"

static err_t parse_log(struct prior_reader *r, struct json_object *v, const struct at *at)
{
    struct param *p = &r->d->p;
    char brief[BRIEF_SIZE];
    if (json_object_is_type(v, json_type_boolean)) {
        p->scale = json_object_get_boolean(v) ? SCALE_LOG : SCALE_LINEAR;
    } else if (json_object_is_type(v, json_type_string) &&
               strcmp(json_object_get_string(v), "reverse") == 0) {
        if (p->kind != PARAM_FLOAT)
            return at_fault(at, ERR_INVALID, "reverse goes only with float");
        p->scale = SCALE_REVERSE_LOG;
    } else {
        return at_fault(at, ERR_INVALID, "%s is none of true, false, reverse",
                        value_brief(v, brief));
    }
    if (p->scale == SCALE_LOG && !(p->low > 0))
        return at_fault(at, ERR_INVALID, "the lower bound must be above 0 for a logarithmic scale");
    return ERR_OK;
}

static err_t take_quantum(struct prior_reader *r, struct json_object *v, const struct at *at,
                          double *out)
{
    const struct param *p = &r->d->p;
    err_t e = p->kind == PARAM_INT ? take_whole(at, v, 0, INT_MAX_BOUND, out)
                                   : take_f64(at, v, 0, FLOAT_MAX_BOUND, out);
    if (e == ERR_OK && !(*out > 0))
        e = at_fault(at, ERR_INVALID, "must be above 0");
    if (e == ERR_OK && p->scale == SCALE_REVERSE_LOG)
        e = at_fault(at, ERR_INVALID, "does not go with log: reverse");
    return e;
}

static err_t parse_step(struct prior_reader *r, struct json_object *v, const struct at *at)
{
    struct param *p = &r->d->p;
    double step = 0;
    err_t e = take_quantum(r, v, at, &step);
    if (e != ERR_OK)
        return e;
    if (step > p->high - p->low)
        return at_fault(at, ERR_INVALID, "%g is greater than the whole range", step);
    if (p->kind == PARAM_FLOAT && ((p->high - p->low) / step > MAX_GRID ||
                                   fmax(fabs(p->low), fabs(p->high)) / step > MAX_STEPS_FROM_ZERO))
        return at_fault(at, ERR_LIMIT, "%g gives too many values; at most 2^31 are allowed", step);
    p->step = step;
    r->has_step = true;
    return ERR_OK;
}

static double farthest(const struct param *p)
{
    if (p->prior != PRIOR_NORMAL)
        return fmax(fabs(p->low), fabs(p->high));
    return p->scale == SCALE_LOG ? 1 : fabs(p->mu) + FAR_SIGMAS * p->sigma;
}

static err_t parse_round(struct prior_reader *r, struct json_object *v, const struct at *at)
{
    struct param *p = &r->d->p;
    err_t e = take_quantum(r, v, at, &p->round);
    if (e != ERR_OK)
        return e;
    if (r->has_step)
        return at_fault(at, ERR_INVALID, "does not go with step");
    if (farthest(p) / p->round > MAX_STEPS_FROM_ZERO)
        return at_fault(at, ERR_LIMIT, "%g is too fine for these bounds", p->round);
    p->step = 0;
    return ERR_OK;
}

static err_t parse_unordered(struct prior_reader *r, struct json_object *v, const struct at *at)
{
    struct param *p = &r->d->p;
    err_t e = take_bool(at, v, &p->unordered);
    if (e == ERR_OK && p->unordered && (r->has_step || p->round > 0 || p->scale != SCALE_LINEAR))
        e = at_fault(at, ERR_INVALID, "does not go with log, step or round");
    return e;
}

static err_t parse_weights(struct prior_reader *r, struct json_object *v, const struct at *at)
{
    return choice_weights(v, at, r->d);
}

static err_t parse_whole(struct prior_reader *r, struct json_object *v, const struct at *at)
{
    struct param *p = &r->d->p;
    bool whole = false;
    err_t e = take_bool(at, v, &whole);
    if (e != ERR_OK || !whole)
        return e;
    if (!(p->round >= 1) || p->round != floor(p->round))
        return at_fault(at, ERR_INVALID, "needs a whole number for round, such as round: 1");
    p->kind = PARAM_INT;
    return ERR_OK;
}

static err_t parse_when(struct prior_reader *r, struct json_object *v, const struct at *at)
{
    if (!v)
        return at_fault(at, ERR_INVALID, "empty; expected a condition such as {opt: [sgd, adam]}");
    struct buf path;
    buf_init(&path, 0);
    at_write(at, &path);
    r->d->when = v;
    r->d->when_path = arena_dup(r->arena, buf_str(&path));
    buf_fini(&path);
    return r->d->when_path.p ? ERR_OK : at_nomem(at);
}

/* In the order in which they are read: each may rely on those above. */
static const struct modifier modifiers[] = {
    {"log", MOD_LOG, parse_log},
    {"step", MOD_STEP, parse_step},
    {"round", MOD_ROUND, parse_round},
    {"unordered", MOD_UNORDERED, parse_unordered},
    {"weights", MOD_WEIGHTS, parse_weights},
    {"int", MOD_INT, parse_whole},
    {"when", MOD_WHEN, parse_when},
};
#define N_MODIFIERS (sizeof modifiers / sizeof modifiers[0])

/* What others call it. */
static const struct {
    const char *name, *ours;
} elsewhere[] = {
    {"uniform", "{float: [0, 1]}"},
    {"loguniform", "{float: [1e-5, 1], log: true}"},
    {"quniform", "{float: [0, 1], round: 0.1}"},
    {"qloguniform", "{float: [1, 100], log: true, round: 1}"},
    {"uniformint", "{int: [1, 8], round: 1}"},
    {"qnormal", "{normal: [0, 1], round: 0.5}"},
    {"qlognormal", "{lognormal: [0, 1], round: 0.5}"},
    {"pchoice", "{choice: [a, b], weights: [3, 1]}"},
    {"categorical", "{choice: [a, b]}"},
};

/* `int` is a kind when it has bounds, a modifier when it is true or false. */
static bool is_modifier_int(const char *key, struct json_object *v)
{
    return strcmp(key, "int") == 0 && json_object_is_type(v, json_type_boolean);
}

static const struct kind *kind_of(const char *key, struct json_object *v)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        if (strcmp(kinds[i].name, key) == 0 && !is_modifier_int(key, v))
            return &kinds[i];
    }
    return NULL;
}

static const struct modifier *modifier_of(const char *key)
{
    for (size_t i = 0; i < N_MODIFIERS; i++) {
        if (strcmp(modifiers[i].name, key) == 0)
            return &modifiers[i];
    }
    return NULL;
}

static err_t refuse_member(const struct at *at, const char *key)
{
    const char *names[N_KINDS + N_MODIFIERS + 1] = {NULL};
    size_t n = 0;
    for (size_t i = 0; i < N_KINDS; i++)
        names[n++] = kinds[i].name;
    for (size_t i = 0; i < N_MODIFIERS; i++)
        names[n++] = modifiers[i].name;
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        if (strcmp(key, elsewhere[i].name) == 0)
            return at_fault(at, ERR_INVALID, "unknown member; it is written %s here",
                            elsewhere[i].ours);
    }
    const char *near = nearest_name(str_of(key), names);
    if (near)
        return at_fault(at, ERR_INVALID, "unknown member; did you mean \"%s\"?", near);
    return at_fault(at, ERR_INVALID, "unknown member; a parameter is one of " KIND_NAMES);
}

static err_t find_kind(struct json_object *v, const struct at *at, const struct kind **out)
{
    const struct kind *kind = NULL;
    json_object_object_foreach(v, key, value)
    {
        struct at here = at_key(at, key);
        const struct kind *k = kind_of(key, value);
        if (k && kind)
            return at_fault(&here, ERR_INVALID, "stands beside %s; a parameter has one of them",
                            kind->name);
        if (k)
            kind = k;
        else if (!modifier_of(key))
            return refuse_member(&here, key);
    }
    *out = kind;
    if (!kind)
        return at_fault(at, ERR_INVALID,
                        "says no values; expected one of " KIND_NAMES
                        ", as in {float: [1e-5, 1], log: true}");
    return ERR_OK;
}

static err_t read_modifiers(struct prior_reader *r, const struct kind *kind, struct json_object *v,
                            const struct at *at)
{
    for (size_t i = 0; i < N_MODIFIERS; i++) {
        struct json_object *value = NULL;
        const struct modifier *m = &modifiers[i];
        if (!json_object_object_get_ex(v, m->name, &value) || kind_of(m->name, value) == kind)
            continue;
        struct at here = at_key(at, m->name);
        err_t e = kind->modifiers & m->bit
                      ? m->parse(r, value, &here)
                      : at_fault(&here, ERR_INVALID, "does not go with %s", kind->name);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static err_t refuse_shorthand(struct json_object *v, const struct at *at)
{
    char brief[BRIEF_SIZE];
    value_brief(v, brief);
    if (json_object_is_type(v, json_type_array))
        return at_fault(at, ERR_INVALID,
                        "%s is not a parameter; write {choice: %s} for a choice or "
                        "{float: [low, high]} for a range",
                        brief, brief);
    return at_fault(at, ERR_INVALID,
                    "%s is not a parameter; write {value: %s} for a constant or "
                    "{float: [low, high]} for a range",
                    brief, brief);
}

/* The upper bound becomes the last value of the grid, so that nobody has to ask again whether it is
 * on the grid; as written, if it is there but for rounding. */
static void end_on_grid(struct param *p)
{
    double steps = floor((p->high - p->low) / p->step + 1e-9);
    double last = p->low + steps * p->step;
    if (fabs(last - p->high) > 1e-9 * p->step)
        p->high = last;
}

err_t prior_parse(struct arena *arena, struct json_object *v, const struct at *at, struct draft *d,
                  struct nested *nested, uint32_t *n_nested)
{
    struct prior_reader r = {.arena = arena, .d = d, .nested = nested, .n_nested = n_nested};
    if (!json_object_is_type(v, json_type_object))
        return refuse_shorthand(v, at);
    const struct kind *kind = NULL;
    err_t e = find_kind(v, at, &kind);
    if (e != ERR_OK || !kind)
        return e;
    struct json_object *value = NULL;
    (void)json_object_object_get_ex(v, kind->name, &value);
    struct at here = at_key(at, kind->name);
    e = kind->parse(&r, value, &here);
    if (e == ERR_OK)
        e = read_modifiers(&r, kind, v, at);
    if (e == ERR_OK && d->p.step > 0)
        end_on_grid(&d->p);
    return e;
}
