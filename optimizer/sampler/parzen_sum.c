/* One side of one parameter's model: the sums that score a candidate, and draws.
 *
 * Called by tpe_suggest.c for every candidate, so it looks only at what counts. The prior's kernel
 * spans the whole range and is always there; a kernel so far away that, even if all were like it,
 * they could not change the last bit of the prior's term, is left out. Buckets tell which those are
 * without a look at each. Sums run from low to high values always, so the bits are reproducible. */
#include "parzen.h"

#include <math.h>

#include "parzen_bucket.h"
#include "rmath.h"

#define SQRT_2PI   2.506628274631000502
#define LN_2_POW53 36.7368005696771
#define FEW        64 /* so many observations are summed without a look at where they are */
#define NEAR       12 /* buckets that a lower bound takes; they span some nine least widths */
#define SLACK      (1.0 - 1e-9) /* for rounding in a lower bound */

/* The interval a sum is about: one point, or the cell of a rounded value. */
struct spot {
    double lo, hi;
    bool cell;
};

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
static double wide_cells(struct kernels k, struct ramp w, struct spot s)
{
    double sum = 0;
    for (size_t i = 0; i < k.n;) {
        double weight = 0, mean = k.mean[i], inv = k.inv[i];
        for (; i < k.n && k.mean[i] == mean && k.inv[i] == inv; i++)
            weight += ramp_at(w, k.rank[i]);
        sum += weight * mass((s.lo - mean) * inv, (s.hi - mean) * inv);
    }
    return sum * SQRT_2PI;
}

static double sum_range(struct kernels k, struct ramp w, struct spot s, double greatest_inv)
{
    if (k.n == 0)
        return 0;
    if (!s.cell)
        return kernels_density(k, w, s.lo);
    if ((s.hi - s.lo) * greatest_inv <= KERNELS_CELL_MAX)
        return kernels_cell(k, w, s.lo, s.hi, greatest_inv);
    return wide_cells(k, w, s);
}

static double prior_term(const struct parzen_prior *prior, struct spot s)
{
    double inv = 1.0 / prior->width, z = (s.lo - prior->mean) * inv;
    if (!s.cell)
        return prior->weight * inv * r_exp(-0.5 * z * z);
    return prior->weight * SQRT_2PI * mass(z, (s.hi - prior->mean) * inv);
}

/* The distance in widths from which on kernels cannot count; see above. */
static double reach_of(const struct parzen *p, const struct parzen_prior *prior, struct spot s)
{
    double far = s.hi - prior->mean > prior->mean - s.lo ? s.hi - prior->mean : prior->mean - s.lo;
    double z = far / prior->width;
    double margin = LN_2_POW53 + r_log(100.0 * (double)(p->n + 1) / prior->weight);
    return sqrt(z * z + 2.0 * (margin > LN_2_POW53 ? margin : LN_2_POW53));
}

static double greatest_inv(const struct parzen *p, const struct parzen_prior *prior)
{
    double parts = (double)p->n + 2.0;
    return (parts < 100.0 ? parts : 100.0) / prior->width;
}

/* Whether a bucket is near enough to count. The end buckets hold what lies beyond the range, so
 * they end nowhere. */
static bool counts(const struct parzen *p, uint32_t b, double from, double pitch, struct spot s,
                   double reach)
{
    double lo = from + pitch * b, hi = lo + pitch, far = reach * p->widest[b];
    if (s.lo > hi)
        return s.lo - hi <= far || b + 1 == PARZEN_BUCKETS;
    return s.hi >= lo || lo - s.hi <= far || b == 0;
}

static double sum_buckets(const struct parzen *p, const struct parzen_prior *prior, struct spot s)
{
    double reach = reach_of(p, prior, s), sum = 0, inv = greatest_inv(p, prior);
    double first = parzen_from(prior), pitch = parzen_bucket_width(prior);
    struct ramp w = ramp_of(p->n);
    uint32_t from = 0, to = 0; /* a run of buckets that count */
    for (uint32_t b = 0; b < PARZEN_BUCKETS; b++) {
        if (p->start[b] == p->start[b + 1] || !counts(p, b, first, pitch, s, reach))
            continue;
        if (p->start[b] != to) {
            sum += sum_range(range(p, from, to), w, s, inv);
            from = p->start[b];
        }
        to = p->start[b + 1];
    }
    return sum + sum_range(range(p, from, to), w, s, inv);
}

static double sum_all(const struct parzen *p, const struct parzen_prior *prior, struct spot s)
{
    double prior_part = prior_term(prior, s);
    if (p->n <= FEW)
        return prior_part + sum_range(range(p, 0, p->n), ramp_of(p->n), s, greatest_inv(p, prior));
    return prior_part + sum_buckets(p, prior, s);
}

static double lower_bound(const struct parzen *p, const struct parzen_prior *prior, struct spot s)
{
    double mid = (s.lo + s.hi) / 2, width = s.hi - s.lo, pitch = parzen_bucket_width(prior);
    uint32_t b = parzen_bucket(prior, mid);
    b = b < NEAR / 2 ? 0 : b - NEAR / 2;
    b = b < PARZEN_BUCKETS - NEAR ? b : PARZEN_BUCKETS - NEAR;
    struct moments m = {.centre = parzen_bucket_centre(prior, b), .pitch = pitch};
    for (int j = 0; j < KERNELS_MOMENTS; j++)
        m.column[j] = p->moment[j] + b;
    struct ramp w = ramp_of(p->n);
    double newest =
        w.a + w.b * p->n; /* the bound has no min(.., 1): the whole ramp is scaled below it */
    if (newest > 1) {
        w.a /= newest;
        w.b /= newest;
    }
    double near = kernels_bound(&m, NEAR, w, mid, width);
    return (prior_term(prior, s) + (s.cell ? near * width : near)) * SLACK;
}

double parzen_density(const struct parzen *p, const struct parzen_prior *prior, double y)
{
    return sum_all(p, prior, (struct spot){y, y, false});
}

double parzen_cell(const struct parzen *p, const struct parzen_prior *prior, double lo, double hi)
{
    return sum_all(p, prior, (struct spot){lo, hi, true});
}

double parzen_density_bound(const struct parzen *p, const struct parzen_prior *prior, double y)
{
    return lower_bound(p, prior, (struct spot){y, y, false});
}

double parzen_cell_bound(const struct parzen *p, const struct parzen_prior *prior, double lo,
                         double hi)
{
    return lower_bound(p, prior, (struct spot){lo, hi, true});
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
