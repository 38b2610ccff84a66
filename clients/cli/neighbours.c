/* The few nearest of many trials, offered one by one.
 *
 * Called by the command why. Knows spaces and points; nothing of where trials come from. */
#include "neighbours.h"

#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "json.h"

#define NORMAL_RANGE 4 /* standard deviations that count as the whole range of a normal prior */

void neighbours_init(struct neighbours *all, const struct space *space, const double *point)
{
    *all = (struct neighbours){.space = space, .point = point};
}

void neighbours_fini(struct neighbours *all)
{
    for (size_t i = 0; i < all->n; i++)
        free(all->v[i].point);
    all->n = 0;
}

static double range_of(const struct param *p)
{
    double low, high;
    if (p->prior == PRIOR_NORMAL)
        return NORMAL_RANGE * p->sigma;
    param_scale_bounds(p, &low, &high);
    return high - low;
}

double neighbours_apart(const struct param *p, double x, double y)
{
    if (isnan(x) || isnan(y))
        return isnan(x) == isnan(y) ? 0 : 1;
    if (x == y)
        return 0;
    if (p->kind == PARAM_CHOICE || p->unordered)
        return 1;
    double d = fabs(param_to_scale(p, x) - param_to_scale(p, y)) / range_of(p);
    return d < 1 ? d : 1; /* also what has no number there: 0 of a lognormal that is rounded */
}

/* The root of the mean square over the parameters that one of the two has. */
static double distance(const struct neighbours *all, const double *other)
{
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < all->space->n; i++) {
        double d = neighbours_apart(&all->space->params[i], all->point[i], other[i]);
        sum += d * d;
        n += !isnan(all->point[i]) || !isnan(other[i]);
    }
    return n ? sqrt(sum / n) : 0;
}

static bool before(const struct neighbour *x, const struct neighbour *y)
{
    return x->distance != y->distance ? x->distance < y->distance : x->trial < y->trial;
}

/* Takes the point, or frees it. */
static void insert(struct neighbours *all, struct neighbour trial)
{
    size_t at = all->n;
    while (at > 0 && before(&trial, &all->v[at - 1]))
        at--;
    if (at == NEIGHBOURS) {
        free(trial.point);
        return;
    }
    if (all->n == NEIGHBOURS)
        free(all->v[--all->n].point);
    memmove(&all->v[at + 1], &all->v[at], (all->n - at) * sizeof *all->v);
    all->v[at] = trial;
    all->n++;
}

bool neighbours_offer(struct neighbours *all, const struct neighbour *trial, struct str params)
{
    struct json_object *v = NULL;
    struct neighbour copy = *trial;
    copy.point = alloc_array((size_t)all->space->n + 1, sizeof *copy.point);
    bool fits = json_parse(params, JSON_NONFINITE, &v, NULL) == ERR_OK &&
                space_read(all->space, v, copy.point, NULL) == ERR_OK;
    json_object_put(v);
    if (!fits) {
        free(copy.point);
        return false;
    }
    copy.distance = distance(all, copy.point);
    insert(all, copy);
    return true;
}

size_t neighbours_differences(const struct neighbours *all, size_t i, uint32_t *params, size_t most)
{
    size_t n = 0;
    for (uint32_t k = 0; k < all->space->n; k++) {
        const struct param *p = all->space->params;
        const double *here = all->point, *there = all->v[i].point;
        double d = neighbours_apart(&p[k], here[k], there[k]);
        size_t at = n;
        while (at > 0 && d > neighbours_apart(&p[params[at - 1]], here[params[at - 1]],
                                              there[params[at - 1]]))
            at--;
        if (d <= 0 || at == most)
            continue;
        n -= n == most;
        memmove(&params[at + 1], &params[at], (n - at) * sizeof *params);
        params[at] = k;
        n++;
    }
    return n;
}
