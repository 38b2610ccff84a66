/* The sum over kernels, eight spots at a time.
 *
 * Called by parzen_sum.c; nothing here knows what an observation is. Lanes are spots, so that the
 * order of additions within a lane is simply the order of the kernels. Cells that are narrow beside
 * a kernel are integrated by a series, because the difference of two tails would cancel. */
#include "kernels.h"

#include "kernels_lanes.h"

#define NARROW 0.125 /* half widths of a cell, in widths of the kernel */
#define SERIES 5     /* the sixth term is below 1e-16 of the first */

INLINE void add_points(vec *sum, const struct kernels *k, const struct ramp *w, const vec *y)
{
    for (size_t i = 0; i < k->n; i++) {
        double inv = k->inv[i];
        vec z = (*y - k->mean[i]) * inv;
        z = z * z * -0.5;
        exp_lanes(&z);
        *sum += z * (ramp_at(*w, k->rank[i]) * inv);
    }
}

struct cells {
    vec lo, hi, mid, half;
    double least, most; /* of half */
};

/* The bell over z +- h: 2 h bell(z) times the sum of He_2k(z) h^2k / (2k + 1)!, He the Hermite
 * polynomials of even order by their recurrence. */
INLINE void by_series(vec *out, const vec *z, const vec *h)
{
    vec q = *z * *z, h2 = *h * *h, bell = q * -0.5;
    exp_lanes(&bell);
    vec before = (vec){0} + 1.0, he = q - 1.0, power = h2 * (1.0 / 6.0), sum = he * power + 1.0;
    for (int k = 1; k < SERIES; k++) {
        vec next = (q - (4.0 * k + 1.0)) * he - before * (2.0 * k * (2.0 * k - 1.0));
        before = he;
        he = next;
        power = power * h2 * (1.0 / ((2.0 * k + 2.0) * (2.0 * k + 3.0)));
        sum += he * power;
    }
    *out = *h * bell * sum * 2.0;
}

INLINE void by_tails(vec *out, const struct cells *c, double mean, double inv)
{
    vec a = (c->lo - mean) * inv, b = (c->hi - mean) * inv, tail_a, tail_b, bell;
    tail_lanes(&a, &tail_a, &bell);
    tail_lanes(&b, &tail_b, &bell);
    between_lanes(out, &a, &b, &tail_a, &tail_b);
}

INLINE void cell_mass(vec *out, const struct cells *c, double mean, double inv)
{
    vec tails = {0};
    if (c->most * inv > NARROW)
        by_tails(&tails, c, mean, inv);
    *out = tails;
    if (c->least * inv > NARROW)
        return;
    vec z = (c->mid - mean) * inv, h = c->half * inv, limit = (vec){0} + NARROW, series;
    by_series(&series, &z, &h);
    ivec wide;
    less_lanes(&wide, &limit, &h);
    pick_lanes(out, &wide, &tails, &series);
}

INLINE void add_cells(vec *sum, const struct kernels *k, const struct ramp *w, const vec *lo,
                      const vec *hi)
{
    struct cells c = {*lo, *hi, (*lo + *hi) * 0.5, (*hi - *lo) * 0.5, 0, 0};
    c.least = c.most = c.half[0];
    for (int i = 1; i < LANES; i++) {
        c.least = c.half[i] < c.least ? c.half[i] : c.least;
        c.most = c.half[i] > c.most ? c.half[i] : c.most;
    }
    for (size_t i = 0; i < k->n; i++) {
        vec mass;
        cell_mass(&mass, &c, k->mean[i], k->inv[i]);
        *sum += mass * ramp_at(*w, k->rank[i]);
    }
}

/* n of a vector's lanes from an array; the others repeat the last, so that they cost nothing more.
 */
INLINE void load(vec *out, const double *from, size_t n)
{
    for (size_t i = 0; i < LANES; i++)
        (*out)[i] = from[i < n ? i : n - 1];
}

INLINE void sum_all(const struct kernels *k, const struct ramp *w, const struct spots *s,
                    double *sum)
{
    for (size_t i = 0; i < s->n; i += LANES) {
        size_t n = s->n - i < LANES ? s->n - i : LANES;
        vec lo, hi, v;
        load(&lo, s->lo + i, n);
        load(&v, sum + i, n);
        if (s->cells) {
            load(&hi, s->hi + i, n);
            add_cells(&v, k, w, &lo, &hi);
        } else {
            add_points(&v, k, w, &lo);
        }
        memcpy(sum + i, &v, n * sizeof *sum);
    }
}

#define VARIANT(name, attribute)                                                                   \
    attribute static void sum_##name(const struct kernels *k, const struct ramp *w,                \
                                     const struct spots *s, double *sum)                           \
    {                                                                                              \
        sum_all(k, w, s, sum);                                                                     \
    }
LANES_VARIANTS(VARIANT)

void kernels_sum(const struct kernels *k, struct ramp w, const struct spots *s, double *sum)
{
    if (k->n > 0)
        LANES_CHOOSE(sum, k, &w, s, sum);
}
