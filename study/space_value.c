/* Values of one parameter: its scale, the legal value nearest to any number, quantiles of its
 * prior.
 *
 * Everything a sampler computes passes through here, so only rmath and exact operations are used:
 * the same bits on every machine. Called by the samplers and by space_json.c. Knows nothing of
 * conditions. */
#include "space.h"

#include <float.h>
#include <math.h>

#include "rmath.h"
#include "rng.h"

#define REVERSE_MARGIN 1e-4
#define FLOAT_LIMIT    1e300
#define INT_LIMIT      1e15
#define UNIT_LEAST                                                                                 \
    5.551115123125783e-17 /* 2^-54: as near to 0 and 1 as a quantile of a normal may be */

static double clip(double x, double low, double high)
{
    if (x < low)
        return low;
    return x > high ? high : x;
}

/* The pole of SCALE_REVERSE_LOG. A range without width has none of its own. */
static double pole(const struct param *p)
{
    double width = p->high - p->low;
    return p->high + (width > 0 ? width : fmax(fabs(p->high), 1.0)) * REVERSE_MARGIN;
}

double param_to_scale(const struct param *p, double value)
{
    if (p->scale == SCALE_LOG)
        return r_log(value);
    return p->scale == SCALE_REVERSE_LOG ? -r_log(pole(p) - value) : value;
}

double param_from_scale(const struct param *p, double s)
{
    if (p->scale == SCALE_LOG)
        return r_exp(s);
    return p->scale == SCALE_REVERSE_LOG ? pole(p) - r_exp(-s) : s;
}

bool param_is_log(const struct param *p)
{
    return p->scale != SCALE_LINEAR;
}

void param_scale_bounds(const struct param *p, double *lo, double *hi)
{
    if (p->kind == PARAM_CHOICE || p->prior == PRIOR_NORMAL) {
        *lo = p->kind == PARAM_CHOICE ? 0 : -(double)INFINITY;
        *hi = p->kind == PARAM_CHOICE ? (double)p->n_options : (double)INFINITY;
        return;
    }
    double low = p->low - p->step / 2;
    if (p->scale == SCALE_LOG && low < p->low / 2)
        low = p->low / 2;
    *lo = param_to_scale(p, low);
    *hi = param_to_scale(p, p->high + p->step / 2);
}

static double grid_last(const struct param *p)
{
    return rint((p->high - p->low) / p->step);
}

static double grid_value(const struct param *p, double k)
{
    return k == grid_last(p) ? p->high : p->low + k * p->step;
}

static double rounded(double x, double q)
{
    double k = x / q;
    if (fabs(k) < 4503599627370496.0) /* beyond it every double is whole */
        x = rint(k) * q;
    return x + 0.0; /* -0 becomes 0 */
}

double param_cardinality(const struct param *p)
{
    if (p->kind == PARAM_CHOICE)
        return p->n_options;
    if (p->prior == PRIOR_NORMAL)
        return 0;
    if (p->step > 0)
        return grid_last(p) + 1;
    if (p->round > 0)
        return rint(p->high / p->round) - rint(p->low / p->round) + 1;
    return p->low == p->high ? 1 : 0;
}

static double clip_unbounded(const struct param *p, double value)
{
    double limit = p->kind == PARAM_INT ? INT_LIMIT : FLOAT_LIMIT;
    if (p->scale == SCALE_LOG)
        return clip(value, p->round > 0 ? 0 : DBL_MIN, limit);
    return clip(value, -limit, limit);
}

double param_legal(const struct param *p, double value)
{
    if (isnan(value))
        return param_from_unit(p, 0.5);
    if (p->kind == PARAM_CHOICE)
        return clip(rint(value), 0, p->n_options - 1.0);
    value = p->prior == PRIOR_NORMAL ? clip_unbounded(p, value) : clip(value, p->low, p->high);
    if (p->step > 0)
        return grid_value(p, clip(rint((value - p->low) / p->step), 0, grid_last(p)));
    return p->round > 0 ? rounded(value, p->round) : value;
}

static double choice_from_unit(const struct param *p, double u)
{
    if (!p->weighted)
        return clip(floor(u * p->n_options), 0, p->n_options - 1.0);
    double sum = 0;
    uint32_t last = 0;
    for (uint32_t i = 0; i < p->n_options; i++) {
        if (!(p->options[i].weight > 0))
            continue;
        last = i;
        sum += p->options[i].weight;
        if (u < sum)
            return i;
    }
    return last; /* the sum may stay below 1 by rounding */
}

double param_from_unit(const struct param *p, double u)
{
    if (p->kind == PARAM_CHOICE)
        return choice_from_unit(p, u);
    if (p->prior == PRIOR_NORMAL) {
        double z = r_norm_inv(clip(u, UNIT_LEAST, 1 - 2 * UNIT_LEAST));
        return param_legal(p, param_from_scale(p, p->mu + p->sigma * z));
    }
    if (p->low == p->high)
        return param_legal(p, p->low);
    if (p->step > 0 && p->scale == SCALE_LINEAR)
        return grid_value(p, clip(floor(u * (grid_last(p) + 1)), 0, grid_last(p)));
    double lo, hi;
    param_scale_bounds(p, &lo, &hi);
    return param_legal(p, param_from_scale(p, lo + u * (hi - lo)));
}

void space_draw(const struct space *s, struct rng *r, double *point)
{
    for (uint32_t i = 0; i < s->n; i++) {
        point[i] = (double)NAN;
        if (space_active(s, i, point))
            point[i] = param_from_unit(&s->params[i], rng_unit(r));
    }
}
