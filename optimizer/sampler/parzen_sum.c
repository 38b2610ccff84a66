/* One side of one parameter's model: the sums that score a candidate, and draws.
 *
 * Called by tpe_suggest.c for every candidate, so it looks only at what counts. The prior's kernel
 * spans the whole range and is always there; a kernel so far away that, even if all were like it,
 * they could not change the last bit of the prior's term, is left out. Buckets tell which those are
 * without a look at each. Sums run from low to high values always, so the bits are reproducible. */
#include "parzen.h"

#include <math.h>
#include <string.h>

#include "err.h"
#include "parzen_bucket.h"
#include "rmath.h"

#define SQRT_2PI   2.506628274631000502
#define LN_2_POW53 36.7368005696771
#define SLACK      (1.0 - 1e-9)       /* for rounding in a lower bound */
#define FINE       (3 * PARZEN_BLOCK) /* buckets that a lower bound takes singly */

static struct kernels range(const struct parzen *p, uint32_t from, uint32_t to)
{
    return (struct kernels){p->mean + from, p->inv + from, p->rank + from, to - from};
}

static double mass(double lo, double hi)
{
    if (lo > 0) /* the difference is taken in the lower tail, where it is exact */
        return r_norm_cdf(-lo) - r_norm_cdf(-hi);
    return r_norm_cdf(hi) - r_norm_cdf(lo);
}

/* Cells wider than the quadrature is made for: two values of Phi for each group of equal kernels.
 */
static double wide_cells(struct kernels k, struct ramp w, const struct parzen_spot *s, double reach)
{
    double sum = 0;
    for (size_t i = 0; i < k.n;) {
        double weight = 0, mean = k.mean[i], inv = k.inv[i];
        for (; i < k.n && k.mean[i] == mean && k.inv[i] == inv; i++)
            weight += ramp_at(w, k.rank[i]);
        double lo = (s->lo - mean) * inv, hi = (s->hi - mean) * inv;
        if (lo <= reach && hi >= -reach)
            sum += weight * mass(lo, hi);
    }
    return sum * SQRT_2PI;
}

static double sum_range(struct kernels k, struct ramp w, const struct parzen_spot *s,
                        double greatest_inv, double reach)
{
    if (k.n == 0)
        return 0;
    if (!s->cell)
        return kernels_density(k, w, s->lo);
    if ((s->hi - s->lo) * greatest_inv <= KERNELS_CELL_MAX)
        return kernels_cell(k, w, s->lo, s->hi, greatest_inv);
    return wide_cells(k, w, s, reach);
}

struct parzen_spot parzen_point(const struct parzen_prior *prior, double y)
{
    double inv = 1.0 / prior->width, z = (y - prior->mean) * inv;
    return (struct parzen_spot){y, y, false, prior->weight * inv * r_exp(-0.5 * z * z)};
}

struct parzen_spot parzen_cell(const struct parzen_prior *prior, double lo, double hi)
{
    double inv = 1.0 / prior->width;
    double m = mass((lo - prior->mean) * inv, (hi - prior->mean) * inv);
    return (struct parzen_spot){lo, hi, true, prior->weight * SQRT_2PI * m};
}

/* The distance in widths from which on kernels cannot count; see above. */
static double reach_of(const struct parzen *p, const struct parzen_prior *prior,
                       const struct parzen_spot *s)
{
    double far =
        s->hi - prior->mean > prior->mean - s->lo ? s->hi - prior->mean : prior->mean - s->lo;
    double z = far / prior->width;
    double margin = LN_2_POW53 + r_log(100.0 * (double)(p->n + 1) / prior->weight);
    return sqrt(z * z + 2.0 * (margin > LN_2_POW53 ? margin : LN_2_POW53));
}

static double greatest_inv(const struct parzen *p, const struct parzen_prior *prior)
{
    double parts = (double)p->n + 2.0;
    return (parts < 100.0 ? parts : 100.0) / prior->width;
}

/* Whether kernels of buckets first..last may count: they are within reach, or lie without end
 * beyond the range. */
static bool counts(const struct parzen_spot *s, double lo, double hi, double far, bool lowest,
                   bool highest)
{
    if (s->lo > hi)
        return s->lo - hi <= far || highest;
    return s->hi >= lo || lo - s->hi <= far || lowest;
}

/* The observations in buckets that count, in runs. */
struct run {
    const struct parzen *p;
    const struct parzen_spot *s;
    struct ramp w;
    double inv, reach, sum;
    uint32_t from, to;
};

static void flush(struct run *r)
{
    r->sum += sum_range(range(r->p, r->from, r->to), r->w, r->s, r->inv, r->reach);
}

static void add_block(struct run *r, uint32_t block, double lo, double pitch)
{
    for (uint32_t b = block * PARZEN_BLOCK; b < (block + 1) * PARZEN_BLOCK; b++, lo += pitch) {
        if (r->p->start[b] == r->p->start[b + 1] ||
            !counts(r->s, lo, lo + pitch, r->reach * r->p->widest[b], b == 0,
                    b + 1 == PARZEN_BUCKETS))
            continue;
        if (r->p->start[b] != r->to) {
            flush(r);
            r->from = r->p->start[b];
        }
        r->to = r->p->start[b + 1];
    }
}

static double sum_buckets(const struct parzen *p, const struct parzen_prior *prior,
                          const struct parzen_spot *s)
{
    double reach = reach_of(p, prior, s), from = parzen_from(prior),
           pitch = parzen_bucket_width(prior);
    struct run r = {
        .p = p, .s = s, .w = ramp_of(p->n), .inv = greatest_inv(p, prior), .reach = reach};
    for (uint32_t k = 0; k < PARZEN_BLOCKS; k++) {
        double lo = from + pitch * (k * PARZEN_BLOCK);
        if (p->start[k * PARZEN_BLOCK] != p->start[(k + 1) * PARZEN_BLOCK] &&
            counts(s, lo, lo + pitch * PARZEN_BLOCK, reach * p->block_widest[k], k == 0,
                   k + 1 == PARZEN_BLOCKS))
            add_block(&r, k, lo, pitch);
    }
    flush(&r);
    return r.sum;
}

double parzen_sum(const struct parzen *p, const struct parzen_prior *prior,
                  const struct parzen_spot *s)
{
    if (p->n <= PARZEN_FEW)
        return s->prior + sum_range(range(p, 0, p->n), ramp_of(p->n), s, greatest_inv(p, prior),
                                    s->cell ? reach_of(p, prior, s) : 0);
    REQUIRE(p->measured);
    return s->prior + sum_buckets(p, prior, s);
}

/* Three blocks around the spot bucket by bucket, the others whole. */
double parzen_bound(const struct parzen *p, const struct parzen_prior *prior,
                    const struct parzen_spot *s)
{
    REQUIRE(p->measured);
    double mid = (s->lo + s->hi) / 2, width = s->hi - s->lo, pitch = parzen_bucket_width(prior);
    double from = parzen_from(prior), rest[KERNELS_MOMENTS][PARZEN_BLOCKS];
    uint32_t k = parzen_bucket(prior, mid) / PARZEN_BLOCK;
    k = k == 0 ? 0 : k - 1;
    k = k < PARZEN_BLOCKS - 3 ? k : PARZEN_BLOCKS - 3;
    memcpy(rest, p->coarse, sizeof rest);
    struct moments fine = {.centre = from + pitch * (k * PARZEN_BLOCK + 0.5), .pitch = pitch};
    struct moments coarse = {.centre = from + pitch * (PARZEN_BLOCK / 2.0),
                             .pitch = pitch * PARZEN_BLOCK};
    for (int j = 0; j < KERNELS_MOMENTS; j++) {
        rest[j][k] = rest[j][k + 1] = rest[j][k + 2] = 0;
        fine.column[j] = p->moment[j] + k * PARZEN_BLOCK;
        coarse.column[j] = rest[j];
    }
    double sum =
        kernels_bound(&fine, FINE, mid, width) + kernels_bound(&coarse, PARZEN_BLOCKS, mid, width);
    return (s->prior + (s->cell ? sum * width : sum)) * SLACK;
}

/* First index whose mean is not below the value. */
static uint32_t first_not_below(const struct parzen *p, double value)
{
    uint32_t lo = 0, hi = p->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (p->mean[mid] < value)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

double parzen_weight_of(const struct parzen *p, double value)
{
    struct ramp w = ramp_of(p->n);
    double sum = 0;
    for (uint32_t i = first_not_below(p, value); i < p->n && p->mean[i] == value; i++)
        sum += ramp_at(w, p->rank[i]);
    return sum;
}

uint32_t parzen_pick(const struct parzen *p, double prior_weight, double u)
{
    struct ramp w = ramp_of(p->n);
    double total = prior_weight;
    for (uint32_t i = 0; i < p->n; i++)
        total += ramp_at(w, p->rank[i]);
    double left = u * total - prior_weight;
    if (left < 0)
        return p->n;
    for (uint32_t i = 0; i < p->n; i++) {
        left -= ramp_at(w, p->rank[i]);
        if (left < 0)
            return i;
    }
    return p->n; /* rounding at u next to 1 */
}

/* A standard normal number by Marsaglia's polar method; the second of the pair is not kept, so that
 * every draw stands alone. */
static double normal(struct rng *r)
{
    for (;;) {
        double x = 2 * rng_unit(r) - 1, y = 2 * rng_unit(r) - 1, s = x * x + y * y;
        if (s > 0 && s < 1)
            return x * sqrt(-2 * r_log(s) / s);
    }
}

double parzen_draw(const struct parzen *p, const struct parzen_prior *prior, struct rng *r)
{
    for (;;) {
        uint32_t i = parzen_pick(p, prior->weight, rng_unit(r));
        double y =
            i == p->n ? prior->mean + prior->width * normal(r) : p->mean[i] + normal(r) / p->inv[i];
        if (y >= prior->low && y < prior->high)
            return y;
    }
}
