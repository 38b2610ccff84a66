/* The mapping of a parameter to a distribution of Hyperopt's TPE.
 *
 * Used by tpe_model.c, optuna_model.c (where observations stand), tpe_suggest.c and mixture_*.c
 * (what a candidate is). Parameters with `round` are Hyperopt's q types as they are. Grids (`step`)
 * have no counterpart there: they are rounded types whose bounds lie half a step outside the grid,
 * so that the end points have a full cell. */
#include "tpe_dim.h"

#include <math.h>

#define LEAST_LOG 1e-12 /* Hyperopt's smallest argument of a logarithm */

/* Edges of the outermost cells of a grid. A lower edge that has no logarithm moves to half the
 * lowest value; an upper one beyond the pole of a reverse logarithm to half the way there. */
static void grid_edges(struct tpe_dim *d, const struct param *p)
{
    double top = isfinite(p->high) ? param_legal(p, p->high) : p->high;
    d->edge_low = p->low - d->half;
    d->edge_high = top + d->half;
    if (p->scale == SCALE_LOG && !(d->edge_low > p->low / 2))
        d->edge_low = p->low > 0 ? p->low / 2 : 0;
    if (p->scale == SCALE_REVERSE_LOG) {
        double room = (p->high - p->low) * 1e-4 / 2;
        d->edge_high = d->edge_high < top + room ? d->edge_high : top + room;
    }
}

static double to_scale(const struct param *p, double value)
{
    if (p->scale == SCALE_LOG && !(value > LEAST_LOG))
        value = LEAST_LOG;
    return isinf(value) ? value : param_to_scale(p, value);
}

static void bound(struct tpe_dim *d, const struct param *p, double low, double high)
{
    if (p->prior == PRIOR_NORMAL) {
        d->prior.mean = p->mu;
        d->prior.width = p->sigma;
        d->prior.low = -INFINITY;
        d->prior.high = INFINITY;
        return;
    }
    d->prior.low = to_scale(p, low);
    d->prior.high = to_scale(p, high);
    d->prior.mean = (d->prior.low + d->prior.high) / 2;
    d->prior.width = d->prior.high - d->prior.low;
}

void tpe_dim_init(struct tpe_dim *d, const struct param *p, double prior_weight)
{
    *d = (struct tpe_dim){.param = p, .prior.weight = prior_weight};
    if (p->kind == PARAM_CHOICE || p->unordered) {
        d->kind = TPE_CATEGORY;
        d->categories = p->kind == PARAM_CHOICE ? (double)p->n_options : param_cardinality(p);
        d->prior.low = p->low;
        d->prior.high = p->high + 1;
        d->prior.mean = p->low;
        d->prior.width = p->high - p->low + 1;
        return;
    }
    d->kind = p->step > 0 || p->round > 0 ? TPE_CELL : TPE_POINT;
    d->half = (p->round > 0 ? p->round : p->step) / 2;
    d->edge_low = p->low;
    d->edge_high = p->high;
    if (!(p->round > 0) && p->step > 0)
        grid_edges(d, p);
    bound(d, p, d->edge_low, d->edge_high);
}

double tpe_dim_place(const struct tpe_dim *d, double value)
{
    if (d->kind == TPE_CATEGORY)
        return value;
    if (d->param->scale == SCALE_LOG && d->kind == TPE_CELL && value < d->edge_low)
        value = d->edge_low; /* rounding took it below the bound, to 0 maybe */
    return to_scale(d->param, value);
}

double tpe_dim_value(const struct tpe_dim *d, double y)
{
    return param_legal(d->param, param_from_scale(d->param, y));
}

void tpe_dim_cell(const struct tpe_dim *d, double value, double *lo, double *hi)
{
    double u = value + d->half, v = value - d->half;
    u = u < d->edge_high ? u : d->edge_high;
    v = v > d->edge_low ? v : d->edge_low;
    *lo = to_scale(d->param, v);
    *hi = to_scale(d->param, u);
}

double tpe_dim_pseudo(const struct tpe_dim *d, double value)
{
    const struct param *p = d->param;
    if (p->kind == PARAM_CHOICE && p->weighted)
        return d->categories * d->prior.weight * p->options[(uint32_t)value].weight;
    return d->prior.weight;
}
