/* Points from a joint model.
 *
 * Called by optuna_model.c. A kernel's factors are cut off at the parameter's bounds, so a number
 * between 0 and 1 becomes a value by the inverse of the distribution function between them: no draw
 * is ever refused. Masses are logarithms, and always those of the nearer tail. */
#include <math.h>

#include "err.h"
#include "mixture.h"
#include "rmath.h"

/* A kernel by its weight, n = the prior. */
static uint32_t pick(const struct mixture *m, const struct mixture_shape *s, double u)
{
    struct ramp w = ramp_of(m->n);
    double left = u * mixture_weight(m, s);
    for (uint32_t i = 0; i < m->n; i++) {
        left -= ramp_at(w, i);
        if (left < 0)
            return i;
    }
    return m->n;
}

/* The quantile u of the standard normal distribution between a and b. */
static double truncated(double a, double b, double u)
{
    double log_mass = r_norm_logdiff(a, b);
    if (a < 0)
        return r_norm_inv_log(r_logaddexp(r_norm_logcdf(a), r_log(u) + log_mass));
    return -r_norm_inv_log(r_logaddexp(r_norm_logcdf(-b), r_log1p(-u) + log_mass));
}

static double draw_number(const struct tpe_dim *d, double mean, double width, double u)
{
    const struct parzen_prior *p = &d->prior;
    double y = mean + width * truncated((p->low - mean) / width, (p->high - mean) / width, u);
    y = y < p->low ? p->low : y > p->high ? p->high : y;
    return tpe_dim_value(d, y);
}

/* A row of categories is 1 at the observed one, above the prior's n + 1st part. */
static double draw_category(const struct tpe_dim *d, double observed, uint32_t n, double u)
{
    double prior = d->categories * d->prior.weight / (n + 1.0), at = u * (prior + 1);
    return at < 1 ? observed : param_from_unit(d->param, (at - 1) / prior);
}

static double draw_factor(const struct mixture *m, const struct mixture_shape *s, uint32_t dim,
                          uint32_t row, double u)
{
    const struct tpe_dim *d = s->dims[dim];
    const struct mixture_column *c = &m->columns[dim];
    if (row == m->n)
        return d->kind == TPE_CATEGORY ? param_from_unit(d->param, u)
                                       : draw_number(d, d->prior.mean, d->prior.width, u);
    return d->kind == TPE_CATEGORY ? draw_category(d, c->mean[row], m->n, u)
                                   : draw_number(d, c->mean[row], 1.0 / c->inv[row], u);
}

void mixture_draw(const struct mixture *m, const struct mixture_shape *s, struct rng *r,
                  double *values, uint32_t n)
{
    REQUIRE(m->settled);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = pick(m, s, rng_unit(r));
        for (uint32_t d = 0; d < s->n_dims; d++)
            values[(size_t)d * n + i] = draw_factor(m, s, d, row, rng_open(r));
    }
}
