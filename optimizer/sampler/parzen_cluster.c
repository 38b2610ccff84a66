/* Clusters of kernels of one width: their moments, and the sum estimated from them.
 *
 * Called by parzen.c and parzen_sum.c. In widths of its kernels, a cluster spans at most 2 RADIUS;
 * with s = the spot's distance from its centre and u = a kernel's, the Taylor series about u = 0 is
 *   bell(s - u)  = bell(s) sum_j u^j / j! He_j(s),            He the Hermite polynomials,
 * so the moments sum_k w_k u_k^j / j! give the sum over the cluster by Clenshaw's scheme. By
 * Cramer's inequality, |He_n bell| <= 1.0865 sqrt(n!), the terms from CLUSTER_TERMS = 10 on come to
 * 4.8e-8 of the weight at most. What is more than REACH away is left out: under 3.6e-8 of it. Cells
 * use the integral of the same series, with an error of 3.1e-8, or, when they are narrow, the
 * density at two Gauss nodes, with 7e-8 more (cell^4 / 4320 times 3, the greatest fourth
 * derivative, for a cell of 0.1).
 * Nothing here decides anything alone: the caller leaves room for the error. */
#include "parzen_cluster.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "kernels_lanes.h"

#define RADIUS 0.390625 /* widths; buckets of 1/128 of the range, when the width is 1/100 */
#define REACH  6.25
#define ERROR  1.6e-7                 /* all of the above, and rounding */
#define NARROW 0.1                    /* widths; cells below use two nodes */
#define NODE   0.28867513459481288225 /* 1 / (2 sqrt 3): from the middle, in widths of the cell */
#define FEW    12                     /* kernels in a cluster; fewer are not worth vectors */

static const double over_factorial[CLUSTER_TERMS] = {
    1.0,       1.0,       1.0 / 2,    1.0 / 6,     1.0 / 24,
    1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880};

void clusters_fini(struct clusters *c)
{
    free(c->columns);
    free(c->singles);
    memset(c, 0, sizeof *c);
}

struct kernels clusters_singles(const struct clusters *c)
{
    return (struct kernels){c->singles, c->singles + c->singles_cap,
                            c->singles + 2 * (size_t)c->singles_cap, c->n_singles};
}

INLINE double total(const vec *s)
{
    const vec v = *s;
    return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7]));
}

/* ---- building ---- */

/* Some of the kernels, about a centre. */
struct group {
    const double *mean, *inv, *rank;
    size_t n;
    struct ramp w;
    double centre, width_inv;
};

/* Those of eight kernels from the i-th on, but for the first `skip`. */
INLINE void add_moments(vec *moment, const struct group *g, size_t i, uint64_t skip)
{
    const ivec lane = {0, 1, 2, 3, 4, 5, 6, 7};
    vec mean, inv, weight;
    memcpy(&mean, g->mean + i, sizeof mean);
    memcpy(&inv, g->inv + i, sizeof inv);
    memcpy(&weight, g->rank + i, sizeof weight);
    weight = weight * g->w.b + g->w.a;
    vec one = (vec){0} + 1.0, width = (vec){0} + g->width_inv;
    ivec less, ours;
    less_lanes(&less, &weight, &one);
    same_lanes(&ours, &inv, &width);
    ours &= ((lane - skip) >> 63) - 1;
    pick_lanes(&weight, &less, &weight, &one);
    vec term = (vec)((ivec)weight & ours), u = (mean - g->centre) * g->width_inv;
    for (int j = 0; j < CLUSTER_TERMS; j++) {
        moment[j] += term;
        term *= u;
    }
}

/* The last eight overlap those before when they do not fill a vector. */
INLINE void sum_moments(const struct group *g, double *moment)
{
    vec m[CLUSTER_TERMS] = {{0}};
    size_t i = 0;
    for (; i + LANES <= g->n; i += LANES)
        add_moments(m, g, i, 0);
    if (i < g->n)
        add_moments(m, g, g->n - LANES, LANES - (g->n - i));
    for (int j = 0; j < CLUSTER_TERMS; j++)
        moment[j] = total(&m[j]);
}

/* Kernels one by one, lanes being powers of u: a vector of few kernels would be mostly empty. */
INLINE void sum_powers(const struct group *g, double *moment)
{
    const ivec lane = {0, 1, 2, 3, 4, 5, 6, 7};
    const ivec odd = (ivec)((lane & 1) != 0), pair = (ivec)((lane & 2) != 0),
               high = (ivec)(lane > 3);
    vec low = {0}, rest = {0};
    const vec one = {1, 1, 1, 1, 1, 1, 1, 1};
    for (size_t i = 0; i < g->n; i++) {
        if (g->inv[i] != g->width_inv)
            continue;
        double u = (g->mean[i] - g->centre) * g->width_inv, w = ramp_at(g->w, g->rank[i]);
        double u2 = u * u, u4 = u2 * u2;
        vec a = one * u, b = one * u2, c = one * (u4 * w), weight = one * w;
        pick_lanes(&a, &odd, &a, &one);
        pick_lanes(&b, &pair, &b, &one);
        pick_lanes(&c, &high, &c, &weight);
        a = a * b * c;
        low += a;
        rest += a * (u4 * u4);
    }
    memcpy(moment, &low, sizeof low);
    memcpy(moment + LANES, &rest, (CLUSTER_TERMS - LANES) * sizeof *moment);
}

#define VARIANT_MOMENTS(name, attribute)                                                           \
    attribute static void moments_##name(const struct group *g, double *moment)                    \
    {                                                                                              \
        if (g->n < FEW)                                                                            \
            sum_powers(g, moment);                                                                 \
        else                                                                                       \
            sum_moments(g, moment);                                                                \
    }
LANES_VARIANTS(VARIANT_MOMENTS)

/* Room for so many clusters and for a vector beyond. */
static void grow_columns(struct clusters *c, uint32_t need)
{
    if (need <= c->cap)
        return;
    uint32_t cap = c->cap ? c->cap : 64;
    while (cap < need)
        cap *= 2;
    double *columns = alloc_zero((CLUSTER_TERMS + 1) * (size_t)cap * sizeof *columns);
    for (size_t j = 0; c->columns && j <= CLUSTER_TERMS; j++)
        memcpy(columns + j * cap, c->columns + j * c->cap, c->cap * sizeof *columns);
    free(c->columns);
    c->columns = columns;
    c->cap = cap;
}

static void add_cluster(struct clusters *c, const struct group *g)
{
    double moment[CLUSTER_TERMS];
    LANES_CHOOSE(moments, g, moment);
    grow_columns(c, c->n + 1 + LANES);
    double *column = c->columns + c->n++;
    column[0] = g->centre;
    for (size_t j = 0; j < CLUSTER_TERMS; j++)
        column[(j + 1) * c->cap] = moment[j] * over_factorial[j];
    c->weight += moment[0];
}

static void add_single(struct clusters *c, const struct kernels *k, size_t i)
{
    double *at = c->singles + c->n_singles++;
    at[0] = k->mean[i];
    at[c->singles_cap] = k->inv[i];
    at[2 * (size_t)c->singles_cap] = k->rank[i];
}

/* The vector beyond the last cluster weighs nothing. */
static void clear_beyond(struct clusters *c)
{
    grow_columns(c, c->n + LANES);
    for (size_t j = 0; j <= CLUSTER_TERMS; j++)
        memset(c->columns + j * c->cap + c->n, 0, LANES * sizeof *c->columns);
}

void clusters_build(struct clusters *c, const struct kernels *k, struct ramp w, double inv)
{
    c->n = c->n_singles = 0;
    c->weight = 0;
    c->inv = inv;
    if (c->singles_cap < k->n) {
        free(c->singles);
        c->singles_cap = (uint32_t)k->n + (uint32_t)k->n / 2;
        c->singles = alloc_array(3 * (size_t)c->singles_cap, sizeof *c->singles);
    }
    for (size_t i = 0, end; i < k->n; i = end) {
        uint32_t singles = c->n_singles;
        double limit = k->mean[i] + 2 * RADIUS / inv;
        for (end = i; end < k->n && k->mean[end] <= limit; end++)
            if (k->inv[end] != inv)
                add_single(c, k, end);
        if (end - i == c->n_singles - singles)
            continue;
        double centre = (k->mean[i] + k->mean[end - 1]) / 2;
        add_cluster(c,
                    &(struct group){k->mean + i, k->inv + i, k->rank + i, end - i, w, centre, inv});
    }
    clear_beyond(c);
}

/* ---- estimating ---- */

/* The sum of terms from..CLUSTER_TERMS - 1, each times He of its number less `from`. */
INLINE void clenshaw(vec *out, const double *moments, size_t cap, size_t from, const vec *s)
{
    vec b1 = {0}, b2 = {0};
    for (size_t j = CLUSTER_TERMS; j-- > from;) {
        vec a;
        memcpy(&a, moments + j * cap, sizeof a);
        vec b = (a - b2 * (double)(j - from + 1)) + *s * b1; /* b1 is the last to be known */
        b2 = b1;
        b1 = b;
    }
    *out = b1;
}

INLINE void add_density(vec *sum, const struct clusters *c, size_t i, double y)
{
    vec centre, he;
    memcpy(&centre, c->columns + i, sizeof centre);
    vec s = (y - centre) * c->inv, bell = s * s * -0.5;
    exp_lanes(&bell);
    clenshaw(&he, c->columns + c->cap + i, c->cap, 0, &s);
    *sum += bell * he;
}

INLINE void add_mass(vec *sum, const struct clusters *c, size_t i, double lo, double hi)
{
    const double *moments = c->columns + c->cap + i;
    vec centre, weight, tail_a, tail_b, bell_a, bell_b, he_a, he_b, whole;
    memcpy(&centre, c->columns + i, sizeof centre);
    memcpy(&weight, moments, sizeof weight);
    vec a = (lo - centre) * c->inv, b = (hi - centre) * c->inv;
    tail_lanes(&a, &tail_a, &bell_a);
    tail_lanes(&b, &tail_b, &bell_b);
    between_lanes(&whole, &a, &b, &tail_a, &tail_b);
    clenshaw(&he_a, moments, c->cap, 1, &a);
    clenshaw(&he_b, moments, c->cap, 1, &b);
    *sum += weight * whole - (bell_b * he_b - bell_a * he_a);
}

/* The first cluster whose centre is not below. */
static size_t first_cluster(const struct clusters *c, double from)
{
    size_t lo = 0, hi = c->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (c->columns[mid] < from)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

INLINE double density(const struct clusters *c, double y)
{
    vec sum = {0};
    double far = REACH / c->inv;
    for (size_t i = first_cluster(c, y - far); i < c->n && c->columns[i] <= y + far; i += LANES)
        add_density(&sum, c, i, y);
    return total(&sum) * c->inv;
}

INLINE double mass(const struct clusters *c, double lo, double hi)
{
    vec sum = {0};
    double far = REACH / c->inv;
    for (size_t i = first_cluster(c, lo - far); i < c->n && c->columns[i] <= hi + far; i += LANES)
        add_mass(&sum, c, i, lo, hi);
    return total(&sum);
}

#define VARIANT(name, attribute)                                                                   \
    attribute static double density_##name(const struct clusters *c, double y)                     \
    {                                                                                              \
        return density(c, y);                                                                      \
    }                                                                                              \
    attribute static double mass_##name(const struct clusters *c, double lo, double hi)            \
    {                                                                                              \
        return mass(c, lo, hi);                                                                    \
    }
LANES_VARIANTS(VARIANT)

double clusters_at(const struct clusters *c, double y)
{
    return LANES_CHOOSE(density, c, y);
}

double clusters_in(const struct clusters *c, double lo, double hi)
{
    double cell = hi - lo, mid = (lo + hi) / 2;
    if (cell * c->inv > NARROW)
        return LANES_CHOOSE(mass, c, lo, hi);
    return (clusters_at(c, mid - NODE * cell) + clusters_at(c, mid + NODE * cell)) / 2 * cell;
}

double clusters_error(const struct clusters *c, const struct spots *s, size_t i)
{
    double most = ERROR * c->weight;
    if (!s->cells)
        return most * c->inv;
    double cell = (s->hi[i] - s->lo[i]) * c->inv;
    return cell > NARROW ? most : most * cell;
}
