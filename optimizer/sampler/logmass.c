/* ln(Phi(b) - Phi(a)), eight cells at a time.
 *
 * Called by mixture_log.c; lanes are cells. A mass is e^c v: c is the greatest part of the
 * exponent, so that v has no need of more than a double's range, however far in the tail the cell
 * is. A narrow cell is integrated, because the difference of two tails would cancel. */
#include "logmass.h"

#include "kernels_lanes.h"

_Static_assert(LOGMASS_CELLS == LANES, "a vector has a lane a cell");

#define HALF_LN_2PI 0x1.d67f1c864beb5p-1
#define NARROW      0.5 /* width times the distance of the farther edge, or times 1 if that is more */

/* Gauss and Legendre's rule of eight points about the middle; the bell's value there is e^c. */
INLINE void integrate(const vec *a, const vec *b, vec *c, vec *v)
{
    static const double rule[4][2] = {{0.18343464249564980494, 0.36268378337836198297},
                                      {0.52553240991632898582, 0.31370664587788728734},
                                      {0.79666647741362673959, 0.22238103445337447054},
                                      {0.96028985649753623168, 0.10122853629037625915}};
    vec half = (*b - *a) * 0.5, middle = *a + half, sum = {0};
    for (int i = 0; i < 4; i++) {
        vec u = half * rule[i][0], left = u * (u * -0.5 - middle), right = u * (middle - u * 0.5);
        exp_lanes(&left);
        exp_lanes(&right);
        sum += (left + right) * rule[i][1];
    }
    *c = middle * middle * -0.5;
    *v = half * sum;
}

/* From the tails. Both edges on one side: the nearer one's bell is e^c. */
INLINE void from_tails(const vec *a, const vec *b, vec *c, vec *v)
{
    vec x = (vec)((ivec)*a & (UINT64_MAX >> 1)), y = (vec)((ivec)*b & (UINT64_MAX >> 1));
    vec near, far, tail_near, tail_far, none = {0}, opposite = -(*a * *b);
    ivec first, apart;
    less_lanes(&first, &x, &y);
    positive_lanes(&apart, &opposite);
    pick_lanes(&near, &first, &x, &y);
    pick_lanes(&far, &first, &y, &x);
    scaled_tail_lanes(&near, &tail_near);
    scaled_tail_lanes(&far, &tail_far);
    vec falls = (near - far) * (near + far) * 0.5, top = near * near * -0.5, bell = top;
    exp_lanes(&falls);
    exp_lanes(&bell);
    vec one_side = tail_near - tail_far * falls;
    vec both = LANES_SQRT_2PI - (tail_near + tail_far * falls) * bell;
    pick_lanes(v, &apart, &both, &one_side);
    pick_lanes(c, &apart, &none, &top);
}

INLINE uint64_t any(const ivec *mask)
{
    uint64_t bits = 0;
    for (int i = 0; i < LANES; i++)
        bits |= (*mask)[i];
    return bits;
}

INLINE void log_mass(const vec *a, const vec *b, vec *out)
{
    vec x = (vec)((ivec)*a & (UINT64_MAX >> 1)), y = (vec)((ivec)*b & (UINT64_MAX >> 1));
    vec far, one = (vec){0} + 1.0, limit = (vec){0} + NARROW, c = {0}, v = {0}, wide_c, wide_v;
    ivec first, wide;
    less_lanes(&first, &y, &x);
    pick_lanes(&far, &first, &x, &y);
    less_lanes(&first, &far, &one);
    pick_lanes(&far, &first, &one, &far);
    vec size = (*b - *a) * far;
    less_lanes(&wide, &limit, &size);
    ivec narrow = ~wide;
    if (any(&narrow))
        integrate(a, b, &c, &v);
    if (any(&wide)) {
        from_tails(a, b, &wide_c, &wide_v);
        pick_lanes(&c, &narrow, &c, &wide_c);
        pick_lanes(&v, &narrow, &v, &wide_v);
    }
    log_lanes(&v);
    *out = c + (v - HALF_LN_2PI);
}

INLINE void table_all(const struct logmass_kernels *k, const double *lo, const double *hi,
                      double *out)
{
    vec low, high, ln;
    memcpy(&low, lo, sizeof low);
    memcpy(&high, hi, sizeof high);
    for (size_t i = 0; i < k->n; i++) {
        double mean = k->mean[k->rows[i]], inv = k->inv[k->rows[i]];
        vec a = (low - mean) * inv, b = (high - mean) * inv;
        log_mass(&a, &b, &ln);
        ln += k->add[k->rows[i]];
        memcpy(out + i * LANES, &ln, sizeof ln);
    }
}

#define VARIANT(name, attribute)                                                                   \
    attribute static void table_##name(const struct logmass_kernels *k, const double *lo,          \
                                       const double *hi, double *out)                              \
    {                                                                                              \
        table_all(k, lo, hi, out);                                                                 \
    }
LANES_VARIANTS(VARIANT)

void logmass_table(const struct logmass_kernels *k, const double *lo, const double *hi, double *out)
{
    LANES_CHOOSE(table, k, lo, hi, out);
}
