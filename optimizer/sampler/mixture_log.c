/* The density of a joint model, eight points at a time.
 *
 * Everything is summed in logarithms: a product over hundreds of parameters leaves the range of a
 * double in both directions. Cells (rounded values, grids) come first: their masses are computed
 * once for each distinct kernel. Then all other factors are added, row by row, and the rows' terms
 * go into the sum relative to the greatest so far. Lanes are points, so that the order of additions
 * within a lane is that of the rows, whatever the width of the machine's vectors. Called by
 * optuna_model.c. */
#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "err.h"
#include "kernels_lanes.h"
#include "logmass.h"
#include "mixture.h"
#include "rmath.h"

#define ROWS 64 /* at a time: their terms stay in the processor's first cache */

/* A parameter at eight points. */
struct factor {
    enum tpe_kind kind;
    const struct mixture_column *column;
    double y[LANES];
    double hit[LANES], miss[LANES]; /* TPE_CATEGORY: ln of a row's entry if it has the category */
};
struct terms {
    struct ramp ramp;
    uint32_t n;
    const struct factor *factors;
    uint32_t n_factors;
    const double *cells; /* LANES a row: the sum over the parameters with cells; NULL: none */
    double top[LANES];   /* greatest term so far; at first the prior's */
    double sum[LANES];   /* of weight * e^(term - top) */
};

INLINE void load(vec *out, const double *from)
{
    memcpy(out, from, sizeof *out);
}

INLINE void add_points(vec *acc, const struct factor *f, uint32_t first, uint32_t n)
{
    const double *mean = f->column->mean + first, *inv = f->column->inv + first;
    const double *log_norm = f->column->log_norm + first;
    vec y;
    load(&y, f->y);
    for (uint32_t i = 0; i < n; i++) {
        vec z = (y - mean[i]) * inv[i];
        acc[i] += z * z * -0.5 + log_norm[i];
    }
}

INLINE void add_categories(vec *acc, const struct factor *f, uint32_t first, uint32_t n)
{
    const double *mean = f->column->mean + first;
    vec y, hit, miss, term;
    load(&y, f->y);
    load(&hit, f->hit);
    load(&miss, f->miss);
    for (uint32_t i = 0; i < n; i++) {
        ivec same;
        vec theirs = (vec){0} + mean[i];
        same_lanes(&same, &y, &theirs);
        pick_lanes(&term, &same, &hit, &miss);
        acc[i] += term;
    }
}

/* Adds rows first..first + n to the sums, in their order. */
INLINE void fold(const vec *acc, vec *top, vec *sum, struct ramp w, uint32_t first, uint32_t n)
{
    vec greatest = *top;
    for (uint32_t i = 0; i < n; i++) {
        ivec more;
        less_lanes(&more, &greatest, &acc[i]);
        pick_lanes(&greatest, &more, &acc[i], &greatest);
    }
    vec shrink = *top - greatest;
    exp_lanes(&shrink);
    *sum *= shrink;
    for (uint32_t i = 0; i < n; i++) {
        vec e = acc[i] - greatest;
        exp_lanes(&e);
        *sum += e * ramp_at(w, first + i);
    }
    *top = greatest;
}

INLINE void sum_all(struct terms *t)
{
    vec acc[ROWS], top, sum;
    load(&top, t->top);
    load(&sum, t->sum);
    for (uint32_t first = 0; first < t->n; first += ROWS) {
        uint32_t n = t->n - first < ROWS ? t->n - first : ROWS;
        if (t->cells)
            memcpy(acc, t->cells + (size_t)first * LANES, n * sizeof *acc);
        else
            memset(acc, 0, n * sizeof *acc);
        for (uint32_t k = 0; k < t->n_factors; k++) {
            if (t->factors[k].kind == TPE_POINT)
                add_points(acc, &t->factors[k], first, n);
            else
                add_categories(acc, &t->factors[k], first, n);
        }
        fold(acc, &top, &sum, t->ramp, first, n);
    }
    memcpy(t->top, &top, sizeof top);
    memcpy(t->sum, &sum, sizeof sum);
}

#define VARIANT(name, attribute)                                                                   \
    attribute static void sum_##name(struct terms *t)                                              \
    {                                                                                              \
        sum_all(t);                                                                                \
    }
LANES_VARIANTS(VARIANT)

static void category(struct factor *f, const struct tpe_dim *d, const double *values, uint32_t n,
                     double *prior)
{
    double all = d->categories * d->prior.weight;
    for (int i = 0; i < LANES; i++) {
        double pseudo = tpe_dim_pseudo(d, values[i]), part = pseudo / (n + 1.0);
        double total = all / (n + 1.0) + 1;
        f->y[i] = values[i];
        f->hit[i] = r_log((part + 1) / total);
        f->miss[i] = r_log(part / total);
        prior[i] += r_log(pseudo / all);
    }
}

static void point(struct factor *f, const struct tpe_dim *d, const double *values, double *prior)
{
    double mean = d->prior.mean, inv = 1.0 / d->prior.width;
    double log_norm = mixture_log_norm(d, mean, inv);
    for (int i = 0; i < LANES; i++) {
        f->y[i] = tpe_dim_place(d, values[i]);
        double z = (f->y[i] - mean) * inv;
        prior[i] += z * z * -0.5 + log_norm;
    }
}

/* A parameter with cells, into all rows at once. */
static void add_cells(const struct mixture *m, const struct mixture_column *c,
                      const struct tpe_dim *d, const double *values, double *cells, double *prior)
{
    double lo[LANES], hi[LANES], mean = d->prior.mean, inv = 1.0 / d->prior.width;
    double log_norm = mixture_log_norm(d, mean, inv), *table;
    const struct logmass_kernels rows = {c->mean, c->inv, c->log_norm, c->distinct, c->n_distinct};
    const struct logmass_kernels one = {&mean, &inv, &log_norm, &(uint32_t){0}, 1};
    table = alloc_array(c->n_distinct + 1, LANES * sizeof *table);
    for (int i = 0; i < LANES; i++)
        tpe_dim_cell(d, values[i], &lo[i], &hi[i]);
    logmass_table(&rows, lo, hi, table);
    for (size_t row = 0; row < m->n; row++) {
        const double *from = table + (size_t)c->kernel[row] * LANES;
        double *to = cells + row * LANES;
        for (int i = 0; i < LANES; i++)
            to[i] += from[i];
    }
    logmass_table(&one, lo, hi, table);
    for (int i = 0; i < LANES; i++)
        prior[i] += table[i];
    free(table);
}

/* ln of the density at eight points. */
static void eight(const struct mixture *m, const struct mixture_shape *s, const double *values,
                  double *out)
{
    struct factor *factors = alloc_array(s->n_dims, sizeof *factors);
    double *cells = NULL, weight = mixture_weight(m, s);
    struct terms t = {.ramp = ramp_of(m->n), .n = m->n, .factors = factors};
    for (uint32_t d = 0; d < s->n_dims; d++) {
        const struct tpe_dim *dim = s->dims[d];
        const double *v = values + (size_t)d * LANES;
        if (dim->kind == TPE_CELL) {
            cells = cells ? cells : alloc_array(m->n + 1, LANES * sizeof *cells);
            add_cells(m, &m->columns[d], dim, v, cells, t.top);
            continue;
        }
        struct factor *f = &factors[t.n_factors++];
        f->kind = dim->kind;
        f->column = &m->columns[d];
        if (dim->kind == TPE_CATEGORY)
            category(f, dim, v, m->n, t.top);
        else
            point(f, dim, v, t.top);
    }
    t.cells = cells;
    for (int i = 0; i < LANES; i++)
        t.sum[i] = s->prior_weight;
    LANES_CHOOSE(sum, &t);
    for (int i = 0; i < LANES; i++)
        out[i] = t.top[i] + r_log(t.sum[i] / weight);
    free(cells);
    free(factors);
}

void mixture_log_density(const struct mixture *m, const struct mixture_shape *s,
                         const double *values, uint32_t n, double *out)
{
    REQUIRE(m->settled);
    double *v = alloc_array(s->n_dims, LANES * sizeof *v), ln[LANES];
    for (uint32_t first = 0; first < n; first += LANES) {
        uint32_t here = n - first < LANES ? n - first : LANES;
        for (uint32_t d = 0; d < s->n_dims; d++)
            for (uint32_t i = 0; i < LANES; i++) /* idle lanes repeat the last point */
                v[(size_t)d * LANES + i] =
                    values[(size_t)d * n + first + (i < here ? i : here - 1)];
        eight(m, s, v, ln);
        memcpy(out + first, ln, here * sizeof *out);
    }
    free(v);
}
