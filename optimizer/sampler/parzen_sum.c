/* One side of one parameter's model: the sums that score candidates, and draws.
 *
 * Called by tpe_suggest.c. A sum is over all kernels, the prior's first and then from low to high
 * values always, so the bits are reproducible; the bounds say where a sum will be without making
 * it. */
#include "parzen.h"

#include <math.h>

#include "err.h"
#include "rmath.h"

#define ROUNDING 1e-9 /* relative; far more than all additions together can lose */

static void sum_prior(const struct parzen_prior *prior, const struct spots *s, double *sum)
{
    double inv = 1.0 / prior->width, rank = 0;
    struct kernels k = {&prior->mean, &inv, &rank, 1};
    for (size_t i = 0; i < s->n; i++)
        sum[i] = 0;
    kernels_sum(&k, (struct ramp){1, 0}, s, sum);
    for (size_t i = 0; i < s->n; i++)
        sum[i] *= prior->weight;
}

void parzen_sum(const struct parzen *p, const struct parzen_prior *prior, const struct spots *s,
                double *sum)
{
    struct kernels all = {p->mean, p->inv, p->rank, p->n};
    sum_prior(prior, s, sum);
    kernels_sum(&all, ramp_of(p->n), s, sum);
}

void parzen_bounds(const struct parzen *p, const struct parzen_prior *prior, const struct spots *s,
                   double *least, double *most)
{
    REQUIRE(p->measured);
    const struct clusters *c = &p->clusters;
    struct kernels singles = clusters_singles(c);
    sum_prior(prior, s, least);
    kernels_sum(&singles, ramp_of(p->n), s, least);
    for (size_t i = 0; i < s->n; i++) {
        double about = s->cells ? clusters_in(c, s->lo[i], s->hi[i]) : clusters_at(c, s->lo[i]);
        double error = clusters_error(c, s, i), sure = about > error ? about - error : 0;
        most[i] = (least[i] + about + error) * (1 + ROUNDING);
        least[i] = (least[i] + sure) * (1 - ROUNDING);
    }
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
