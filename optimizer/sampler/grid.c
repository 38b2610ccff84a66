/* Every point of the cartesian product, once: the first parameter varies slowest; parameters of a
 * branch count only within it. Numbers without a finite set of values are cut into `points`.
 *
 * A point is skipped if a trial has it, whoever proposed it and however it ended. The search for
 * the next free point begins behind the ones known to be taken, so an ask is cheap; what is taken
 * is a set of digests of the points. */
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "cartesian.h"
#include "json.h"
#include "rmath.h"
#include "samplers.h"
#include "settings.h"
#include "taken.h"

#define MAX_POINTS 10000 /* of one parameter, by `points` */

struct grid {
    struct sampler base;
    const struct space *space;
    struct cartesian next; /* at the first point not known to be taken */
    double *point;         /* scratch of suggest */
    bool ended;            /* no point is behind `next` */
    struct taken taken;
};

/* Equal parts of the scale with both ends; of a prior without ends the middles of parts of equal
 * mass. */
static double cut(const struct param *p, uint32_t k, uint32_t n)
{
    if (p->prior == PRIOR_NORMAL)
        return param_from_unit(p, (k + 0.5) / n);
    if (n == 1)
        return param_from_unit(p, 0.5);
    double lo = param_to_scale(p, p->low), hi = param_to_scale(p, p->high);
    double s = k + 1 == n ? hi : lo + (hi - lo) * k / (n - 1);
    return param_legal(p, param_from_scale(p, s));
}

static void cut_axis(struct ladder *a, const struct param *p, uint32_t n)
{
    a->values = alloc_array(n, sizeof *a->values);
    a->n = 0;
    for (uint32_t k = 0; k < n; k++) {
        double v = cut(p, k, n);
        if (a->n == 0 || a->values[(size_t)a->n - 1] != v)
            a->values[(size_t)a->n++] = v;
    }
}

static err_t read_count(struct json_object *v, const char *where, uint32_t *n, struct errmsg *em)
{
    *n = 0;
    if (!v)
        return ERR_OK;
    int64_t k = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;
    if (k < 1 || k > MAX_POINTS)
        return errmsg_set(em, ERR_INVALID, "%s: expected a whole number from 1 to %d", where,
                          MAX_POINTS);
    *n = (uint32_t)k;
    return ERR_OK;
}

/* Every name in `points` is a number of the space. */
static err_t check_names(const struct space *space, struct json_object *points, struct errmsg *em)
{
    json_object_object_foreach(points, key, value)
    {
        (void)value;
        int i = space_find(space, str_of(key));
        if (i < 0)
            return errmsg_set(em, ERR_INVALID,
                              "sampler.points.%.64s: the space has no such parameter", key);
        if (space->params[i].kind == PARAM_CHOICE)
            return errmsg_set(
                em, ERR_INVALID,
                "sampler.points.%.64s: a choice is taken whole; expected a number's name", key);
    }
    return ERR_OK;
}

static err_t points_of(const struct grid *g, struct json_object *points, uint32_t i, uint32_t *n,
                       struct errmsg *em)
{
    const struct param *p = &g->space->params[i];
    char where[200];
    snprintf(where, sizeof where, "sampler.points");
    struct json_object *v = points;
    if (json_object_is_type(points, json_type_object)) {
        v = NULL;
        json_object_object_foreach(points, key, value)
        {
            if (space_find(g->space, str_of(key)) == (int)i)
                v = value;
        }
        snprintf(where, sizeof where, "sampler.points." STR_FMT,
                 (int)(p->name.n < 128 ? p->name.n : 128), p->name.p);
    } else if (param_cardinality(p) > 0) {
        v = NULL; /* one number for all is for those that have no values of their own */
    }
    err_t e = read_count(v, where, n, em);
    if (!e && *n == 0 && param_cardinality(p) == 0)
        e = errmsg_set(em, ERR_INVALID,
                       "sampler.points: the grid needs a number of points for " STR_FMT
                       ", which is continuous, as in points: {" STR_FMT ": 5}",
                       STR_ARG(p->name), STR_ARG(p->name));
    return e;
}

static err_t make_axes(struct grid *g, struct json_object *points, struct errmsg *em)
{
    if (json_object_is_type(points, json_type_object)) {
        err_t e = check_names(g->space, points, em);
        if (e)
            return e;
    }
    for (uint32_t i = 0; i < g->space->n; i++) {
        const struct param *p = &g->space->params[i];
        uint32_t n = 0;
        err_t e = points_of(g, points, i, &n, em);
        if (e)
            return e;
        if (p->kind != PARAM_CHOICE && n > 0 &&
            (g->next.ladders[i].n == 0 || n < g->next.ladders[i].n))
            cut_axis(&g->next.ladders[i], p, n);
    }
    return ERR_OK;
}

static void grid_destroy(struct sampler *s)
{
    struct grid *g = (struct grid *)s;
    cartesian_fini(&g->next);
    free(g->point);
    taken_fini(&g->taken);
    free(g);
}

static err_t grid_create(struct sampler **out, const struct space *space,
                         const struct sampler_config *config, bool maximize, struct errmsg *em)
{
    (void)maximize;
    static const char *const presets[] = {NULL};
    static const struct setting rows[] = {{"points", 0, 0, false, NULL}};
    err_t e = settings_preset(config, presets, em);
    if (!e)
        e = settings_read(config, rows, 1, em);
    if (e)
        return e;
    struct grid *g = alloc_zero(sizeof *g);
    *g = (struct grid){.base = {&sampler_grid}, .space = space};
    cartesian_init(&g->next, space);
    g->point = alloc_array(space->n + 1, sizeof *g->point);
    taken_init(&g->taken, space->n);
    e = make_axes(g, json_get(config->options, "points"), em);
    if (e) {
        grid_destroy(&g->base);
        return e;
    }
    *out = &g->base;
    return ERR_OK;
}

static void grid_observe(struct sampler *s, const struct history *h, uint64_t trial)
{
    struct grid *g = (struct grid *)s;
    if (!taken_observe(&g->taken, h, trial))
        return;
    cartesian_rewind(&g->next); /* a point became free */
    g->ended = false;
}

static enum suggest_result grid_suggest(struct sampler *s, const struct history *h, uint64_t draw,
                                        double *point, struct buf *why)
{
    (void)h;
    (void)draw;
    struct grid *g = (struct grid *)s;
    while (!g->ended) {
        cartesian_point(&g->next, g->point);
        if (!taken_has(&g->taken, g->point)) {
            memcpy(point, g->point, g->space->n * sizeof *point);
            buf_addz(why, "{\"sampler\":\"grid\"}");
            return SUGGEST_OK;
        }
        g->ended = !cartesian_advance(&g->next, g->point);
    }
    return SUGGEST_EXHAUSTED;
}

const struct sampler_ops sampler_grid = {
    .name = "grid",
    .about = "every point of a grid, once, in order",
    .create = grid_create,
    .destroy = grid_destroy,
    .observe = grid_observe,
    .suggest = grid_suggest,
};
