/* Widths of the kernels. Called by tpe_tunefarm.c at every proposal: there are few good trials, so
 * this costs less than keeping it up to date would. */
#include "bandwidth.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "rmath.h"

#define LEAST_SPREAD 1e-3   /* of the range; the cloud of good trials is never taken for thinner */
#define LEAST_WIDTH  2e-4   /* keeps factors within what product_kernel.h allows */
#define MOST_WIDTH   0.3183 /* 1 / pi: a kernel's greatest value is that of the prior */

void bandwidth_init(struct bandwidth *b, uint32_t axes)
{
    *b = (struct bandwidth){0};
    b->good = alloc_array(axes + 1, sizeof *b->good);
    b->bad = alloc_array(axes + 1, sizeof *b->bad);
}

void bandwidth_fini(struct bandwidth *b)
{
    free(b->good);
    free(b->bad);
}

/* The best counts most: ln(n + 1) - ln(rank), as the recombination weights of CMA-ES (Hansen). */
static void weigh(struct bandwidth *b, uint32_t n)
{
    double sum = 0, top = r_log(n + 1.0);
    for (uint32_t i = 0; i < n; i++)
        sum += b->weight[i] = top - r_log(i + 1.0);
    for (uint32_t i = 0; i < n; i++)
        b->weight[i] *= n / sum;
    b->n_good = n;
}

/* Weighted moments of the good trials that have the axis. */
struct moments {
    double variance, effective;
};

static struct moments measure(const struct bandwidth *b, const float *place)
{
    double w = 0, w2 = 0, mean = 0, var = 0;
    for (uint32_t i = 0; i < b->n_good; i++) {
        if (place[i] < 0)
            continue;
        w += b->weight[i];
        w2 += b->weight[i] * b->weight[i];
        mean += b->weight[i] * (double)place[i];
    }
    if (!(w > 0))
        return (struct moments){0, 0};
    mean /= w;
    for (uint32_t i = 0; i < b->n_good; i++) {
        double d = (double)place[i] - mean;
        if (place[i] >= 0)
            var += b->weight[i] * d * d;
    }
    return (struct moments){var / w, w * w / w2};
}

static double numbers_of_good(const struct bandwidth *b, const struct evidence *e)
{
    double n = 0;
    for (uint32_t a = 0; a < e->space->n; a++) {
        const float *place = roster_column(&e->near, a);
        for (uint32_t i = 0; e->axes[a].kind == AXIS_NUMBER && i < b->n_good; i++)
            n += place[i] >= 0;
    }
    return n / b->n_good;
}

static double width_of(const struct bandwidth_rule *rule, const struct axis *axis, struct moments m,
                       double dimensions)
{
    double s2 = (m.effective * m.variance + rule->spread / 12) / (m.effective + rule->spread);
    double scott = r_pow(m.effective + 1, -1 / (dimensions + 4));
    double h = rule->width * sqrt(s2 + LEAST_SPREAD * LEAST_SPREAD) * scott;
    return h > axis->half ? h : axis->half;
}

static double limited(double h)
{
    return h > LEAST_WIDTH ? (h < MOST_WIDTH ? h : MOST_WIDTH) : LEAST_WIDTH;
}

void bandwidth_fit(struct bandwidth *b, const struct bandwidth_rule *rule, const struct evidence *e,
                   uint32_t n_good)
{
    weigh(b, n_good);
    double dimensions = numbers_of_good(b, e);
    for (uint32_t a = 0; a < e->space->n; a++) {
        if (e->axes[a].kind != AXIS_NUMBER)
            continue;
        struct moments m = measure(b, roster_column(&e->near, a));
        double h = width_of(rule, &e->axes[a], m, dimensions);
        b->good[a] = limited(h);
        b->bad[a] = limited(b->good[a] * rule->bad);
    }
    uint32_t n_bad = e->ranked - n_good + e->pending.n;
    b->swap_good = rule->category / n_good;
    b->swap_bad = rule->category / (n_bad ? n_bad : 1);
}
