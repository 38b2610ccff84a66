/* Places on the sides of the unit cube. Used by evidence.c (trials), candidate.c (what is drawn)
 * and acquisition.c (the prior of a category); what a width is, is bandwidth.c's affair. */
#include "axis.h"

#include <math.h>

#include "rmath.h"

void axis_init(struct axis *a, const struct param *p)
{
    double n = param_cardinality(p);
    *a = (struct axis){.param = p, .kind = AXIS_NUMBER};
    if (n == 1) {
        a->kind = AXIS_CONSTANT;
    } else if (p->kind == PARAM_CHOICE || p->unordered) {
        a->kind = AXIS_CATEGORY;
        a->categories = n;
    } else {
        param_scale_bounds(p, &a->low, &a->high);
        a->lattice = n > 0 || p->round > 0;
        a->half = n > 0 ? 0.5 / n : 0;
    }
}

double axis_place(const struct axis *a, double value)
{
    const struct param *p = a->param;
    if (a->kind == AXIS_CONSTANT)
        return 0;
    if (a->kind == AXIS_CATEGORY)
        return p->kind == PARAM_CHOICE ? value : value - p->low;
    if (p->scale == SCALE_LOG && !(value > 0))
        return 0; /* rounded down to nothing */
    double s = param_to_scale(p, value);
    if (p->prior == PRIOR_NORMAL)
        return r_norm_cdf((s - p->mu) / p->sigma);
    double u = (s - a->low) / (a->high - a->low);
    return u > 0 ? (u < 1 ? u : 1) : 0;
}

double axis_value(const struct axis *a, double u)
{
    return param_from_unit(a->param, u);
}

double axis_prior(const struct axis *a, double category)
{
    const struct param *p = a->param;
    if (p->kind == PARAM_CHOICE && p->weighted)
        return p->options[(uint32_t)category].weight;
    return 1 / a->categories;
}
