/* Candidates and their choice, parameter by parameter.
 *
 * Called by tpe.c; only reads the densities. Only which candidate has the greatest l / g matters,
 * so constant factors are left out (parzen.h) and most candidates are never scored in full: g is at
 * least what its nearest kernels make, which bounds l / g from above, and a candidate whose bound
 * is below the best ratio found cannot win. The choice is the one that scoring all of them would
 * make. */
#include "tpe_suggest.h"

#include <math.h>

struct candidate {
    double y; /* in the scale; of a cell the value it rounds to */
    struct parzen_spot spot;
    double good;  /* l */
    double bound; /* of l / g, from above; after scoring the ratio itself */
    bool scored, repeated;
};

static double ratio(const struct tpe_density *d, const struct candidate *c)
{
    return c->good / parzen_sum(&d->side[TPE_BAD], &d->dim.prior, &c->spot);
}

static void score(const struct tpe_density *d, struct candidate *c)
{
    const struct parzen *bad = &d->side[TPE_BAD];
    c->good = parzen_sum(&d->side[TPE_GOOD], &d->dim.prior, &c->spot);
    c->scored = bad->n <= PARZEN_FEW;
    c->bound = c->scored ? ratio(d, c) : c->good / parzen_bound(bad, &d->dim.prior, &c->spot);
}

/* The unscored candidate with the greatest bound, or n. */
static uint32_t most_promising(const struct candidate *v, uint32_t n)
{
    uint32_t best = n;
    for (uint32_t i = 0; i < n; i++)
        if (!v[i].scored && !v[i].repeated && (best == n || v[i].bound > v[best].bound))
            best = i;
    return best;
}

static uint32_t best_candidate(const struct tpe_density *d, struct candidate *v, uint32_t n)
{
    double best = -1;
    for (uint32_t i = 0; i < n; i++)
        if (v[i].scored && v[i].bound > best)
            best = v[i].bound;
    for (;;) {
        uint32_t i = most_promising(v, n);
        if (i == n || v[i].bound < best)
            break;
        v[i].bound = ratio(d, &v[i]);
        v[i].scored = true;
        best = v[i].bound > best ? v[i].bound : best;
    }
    for (uint32_t i = 0; i < n; i++)
        if (v[i].scored && v[i].bound == best)
            return i;
    return 0; /* every ratio is NaN: nothing tells the candidates apart */
}

/* A rounded value drawn a second time cannot be the first of the best. */
static bool seen_before(const struct candidate *v, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (v[k].y == v[i].y)
            return true;
    return false;
}

static void prepare(const struct tpe_density *d, struct candidate *v, uint32_t i, double y)
{
    struct candidate *c = &v[i];
    *c = (struct candidate){.y = y};
    if (d->dim.kind == TPE_CELL) {
        double lo, hi;
        c->y = tpe_dim_value(&d->dim, y);
        c->repeated = seen_before(v, i);
        if (c->repeated)
            return;
        tpe_dim_cell(&d->dim, c->y, &lo, &hi);
        c->spot = parzen_cell(&d->dim.prior, lo, hi);
    } else {
        c->spot = parzen_point(&d->dim.prior, y);
    }
    score(d, c);
}

uint32_t tpe_choose(const struct tpe_density *d, const double *y, uint32_t n)
{
    struct candidate v[TPE_MAX_CANDIDATES];
    for (uint32_t i = 0; i < n; i++)
        prepare(d, v, i, y[i]);
    return best_candidate(d, v, n);
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
