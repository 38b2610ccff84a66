/* Candidates and their choice, parameter by parameter.
 *
 * Called by tpe_hyperopt.c; only reads the densities. Only which candidate has the greatest l / g
 * matters, so constant factors are left out (parzen.h) and g is mostly not summed: bounds of g
 * bound the ratios, and a candidate that cannot reach what another has for certain is out. When one
 * is left, it is the one; when more are, their ratios are computed in full. The choice is the one
 * that scoring all of them would make. */
#include "tpe_suggest.h"

#include <math.h>

/* Distinct candidates, in the order drawn: a rounded value drawn a second time cannot be the first
 * of the best. */
struct candidates {
    uint32_t n, index[TPE_MAX_CANDIDATES]; /* among those given */
    double lo[TPE_MAX_CANDIDATES], hi[TPE_MAX_CANDIDATES];
    double good[TPE_MAX_CANDIDATES];                            /* l */
    double least[TPE_MAX_CANDIDATES], most[TPE_MAX_CANDIDATES]; /* bounds of g, then of l / g */
};

static struct spots spots_of(const struct tpe_density *d, const struct candidates *c)
{
    return (struct spots){c->lo, c->hi, c->n, d->dim.kind == TPE_CELL};
}

static bool seen_before(const double *values, uint32_t n, double v)
{
    for (uint32_t k = 0; k < n; k++)
        if (values[k] == v)
            return true;
    return false;
}

static void collect(const struct tpe_density *d, struct candidates *c, const double *y, uint32_t n)
{
    double *values = c->good; /* not needed for that yet */
    c->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        bool cell = d->dim.kind == TPE_CELL;
        double v = cell ? tpe_dim_value(&d->dim, y[i]) : y[i];
        if (seen_before(values, c->n, v))
            continue;
        c->index[c->n] = i;
        c->lo[c->n] = c->hi[c->n] = v;
        if (cell)
            tpe_dim_cell(&d->dim, v, &c->lo[c->n], &c->hi[c->n]);
        values[c->n++] = v;
    }
}

/* Keeps those whose ratio may be the greatest. */
static void rule_out(const struct tpe_density *d, struct candidates *c)
{
    struct spots s = spots_of(d, c);
    parzen_bounds(&d->side[TPE_BAD], &d->dim.prior, &s, c->least, c->most);
    double sure = -1;
    for (uint32_t i = 0; i < c->n; i++) {
        double ratio = c->good[i] / c->most[i];
        sure = ratio > sure ? ratio : sure;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        if (c->good[i] / c->least[i] < sure)
            continue;
        c->index[n] = c->index[i];
        c->lo[n] = c->lo[i];
        c->hi[n] = c->hi[i];
        c->good[n++] = c->good[i];
    }
    c->n = n;
}

static uint32_t first_of_greatest(const struct tpe_density *d, struct candidates *c)
{
    struct spots s = spots_of(d, c);
    double best = -1, *bad = c->most;
    uint32_t chosen = c->index[0]; /* stays if every ratio is NaN: nothing tells them apart */
    parzen_sum(&d->side[TPE_BAD], &d->dim.prior, &s, bad);
    for (uint32_t i = 0; i < c->n; i++) {
        double ratio = c->good[i] / bad[i];
        if (ratio > best) {
            best = ratio;
            chosen = c->index[i];
        }
    }
    return chosen;
}

uint32_t tpe_choose(const struct tpe_density *d, const double *y, uint32_t n)
{
    struct candidates c;
    collect(d, &c, y, n);
    struct spots s = spots_of(d, &c);
    parzen_sum(&d->side[TPE_GOOD], &d->dim.prior, &s, c.good);
    if (d->side[TPE_BAD].n > PARZEN_FEW)
        rule_out(d, &c);
    return c.n == 1 ? c.index[0] : first_of_greatest(d, &c);
}

/* A category: an observed one by its weight, else one from the prior. */
static double draw_category(const struct tpe_density *d, struct rng *r)
{
    const struct parzen *good = &d->side[TPE_GOOD];
    double u = rng_unit(r), from_prior = rng_unit(r);
    uint32_t i = parzen_pick(good, d->dim.categories * d->dim.prior.weight, u);
    return i < good->n ? good->mean[i] : param_from_unit(d->dim.param, from_prior);
}

static double choose_category(const struct tpe_density *d, uint32_t n, struct rng *r)
{
    double best = -1, chosen = d->dim.param->low, tried[TPE_MAX_CANDIDATES];
    uint32_t n_tried = 0;
    for (uint32_t k = 0; k < n; k++) {
        double v = draw_category(d, r), pseudo = tpe_dim_pseudo(&d->dim, v);
        uint32_t i = 0;
        while (i < n_tried && tried[i] != v)
            i++;
        if (i < n_tried)
            continue;
        tried[n_tried++] = v;
        double q = (parzen_weight_of(&d->side[TPE_GOOD], v) + pseudo) /
                   (parzen_weight_of(&d->side[TPE_BAD], v) + pseudo);
        if (q > best) {
            best = q;
            chosen = v;
        }
    }
    return chosen;
}

double tpe_suggest(const struct tpe_density *d, uint32_t n, struct rng *r)
{
    if (d->dim.kind == TPE_CATEGORY)
        return choose_category(d, n, r);
    double y[TPE_MAX_CANDIDATES];
    for (uint32_t i = 0; i < n; i++)
        y[i] = parzen_draw(&d->side[TPE_GOOD], &d->dim.prior, r);
    return tpe_dim_value(&d->dim, y[tpe_choose(d, y, n)]);
}
