/* One side (good or bad) of one parameter's model: upkeep. The sums over it stand in parzen_sum.c.
 *
 * Called by tpe_model.c alone. Insertion keeps the arrays sorted and recomputes only the widths
 * that change: those of the neighbours, or all while the least width still falls with the number of
 * observations. It knows neither trials' losses nor the space. */
#include "parzen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

#define LEAST_FRACTION 100.0 /* no kernel is narrower than the prior's width over this */

void parzen_fini(struct parzen *p)
{
    free(p->mean);
    free(p->inv);
    free(p->rank);
    free(p->trial);
    clusters_fini(&p->clusters);
    memset(p, 0, sizeof *p);
}

static void grow(struct parzen *p, uint32_t need)
{
    if (need <= p->cap)
        return;
    uint32_t cap = p->cap ? p->cap : 32;
    while (cap < need)
        cap *= 2;
    p->mean = alloc_grow(p->mean, cap, sizeof *p->mean);
    p->inv = alloc_grow(p->inv, cap, sizeof *p->inv);
    p->rank = alloc_grow(p->rank, cap, sizeof *p->rank);
    p->trial = alloc_grow(p->trial, cap, sizeof *p->trial);
    p->cap = cap;
}

/* First index whose (mean, trial) is not below. */
static uint32_t place(const struct parzen *p, double value, uint32_t trial)
{
    uint32_t lo = 0, hi = p->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (p->mean[mid] < value || (p->mean[mid] == value && p->trial[mid] < trial))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static double least_width(const struct parzen *p, const struct parzen_prior *prior)
{
    double parts = (double)p->n + 2.0; /* 1 + the number of components */
    return prior->width / (parts < LEAST_FRACTION ? parts : LEAST_FRACTION);
}

/* The greater of the distances to the neighbours; the prior stands before the first mean that is
 * not below its own. */
static double gap(const struct parzen *p, const struct parzen_prior *prior, uint32_t i)
{
    double x = p->mean[i], m0 = prior->mean;
    if (p->n == 1)
        return prior->width / 2;
    double left = -1, right = -1;
    bool prior_left = x >= m0 && (i == 0 || p->mean[i - 1] < m0);
    bool prior_right = x < m0 && (i + 1 == p->n || p->mean[i + 1] >= m0);
    if (prior_left)
        left = x - m0;
    else if (i > 0)
        left = x - p->mean[i - 1];
    if (prior_right)
        right = m0 - x;
    else if (i + 1 < p->n)
        right = p->mean[i + 1] - x;
    return left > right ? left : right;
}

static void set_width(struct parzen *p, const struct parzen_prior *prior, uint32_t i, double least)
{
    double w = gap(p, prior, i);
    w = w < least ? least : w > prior->width ? prior->width : w;
    p->inv[i] = 1.0 / w;
}

/* Widths of observations first..last (clipped to what there is). */
static void refresh(struct parzen *p, const struct parzen_prior *prior, uint32_t first,
                    uint32_t last)
{
    double least = least_width(p, prior);
    for (uint32_t i = first; i <= last && i < p->n; i++)
        set_width(p, prior, i, least);
}

/* After a change at index i of an array that has (or had) n observations at most. */
static void refresh_near(struct parzen *p, const struct parzen_prior *prior, uint32_t i, uint32_t n)
{
    p->measured = false;
    if ((double)n + 2.0 <= LEAST_FRACTION || n <= 2)
        refresh(p, prior, 0, p->n);
    else
        refresh(p, prior, i > 0 ? i - 1 : 0, i + 1);
}

/* The new one's rank; makes room for it among the others. */
static uint32_t age_rank(struct parzen *p, uint32_t trial)
{
    uint32_t older = 0;
    for (uint32_t i = 0; i < p->n; i++)
        older += p->trial[i] < trial;
    if (older < p->n)
        for (uint32_t i = 0; i < p->n; i++)
            p->rank[i] += p->trial[i] > trial;
    return older;
}

static void open_gap(struct parzen *p, uint32_t i)
{
    size_t tail = p->n - i;
    memmove(p->mean + i + 1, p->mean + i, tail * sizeof *p->mean);
    memmove(p->inv + i + 1, p->inv + i, tail * sizeof *p->inv);
    memmove(p->rank + i + 1, p->rank + i, tail * sizeof *p->rank);
    memmove(p->trial + i + 1, p->trial + i, tail * sizeof *p->trial);
    p->n++;
}

static void close_gap(struct parzen *p, uint32_t i)
{
    size_t tail = p->n - i - 1;
    memmove(p->mean + i, p->mean + i + 1, tail * sizeof *p->mean);
    memmove(p->inv + i, p->inv + i + 1, tail * sizeof *p->inv);
    memmove(p->rank + i, p->rank + i + 1, tail * sizeof *p->rank);
    memmove(p->trial + i, p->trial + i + 1, tail * sizeof *p->trial);
    p->n--;
}

void parzen_insert(struct parzen *p, const struct parzen_prior *prior, double value, uint32_t trial)
{
    grow(p, p->n + 1);
    uint32_t i = place(p, value, trial);
    uint32_t rank = age_rank(p, trial);
    open_gap(p, i);
    p->mean[i] = value;
    p->trial[i] = trial;
    p->rank[i] = rank;
    refresh_near(p, prior, i, p->n);
}

void parzen_remove(struct parzen *p, const struct parzen_prior *prior, uint32_t trial)
{
    uint32_t i = 0;
    while (i < p->n && p->trial[i] != trial)
        i++;
    if (i == p->n)
        return;
    double rank = p->rank[i];
    close_gap(p, i);
    for (uint32_t k = 0; k < p->n; k++)
        p->rank[k] -= p->rank[k] > rank;
    refresh_near(p, prior, i, p->n + 1);
}

struct observation {
    double value;
    uint32_t trial, rank;
};

static int by_value(const void *x, const void *y)
{
    const struct observation *a = x, *b = y;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->trial > b->trial) - (a->trial < b->trial);
}

void parzen_set(struct parzen *p, const struct parzen_prior *prior, const double *values,
                const uint32_t *trials, uint32_t n)
{
    struct observation *v = alloc_array(n ? n : 1, sizeof *v);
    for (uint32_t i = 0; i < n; i++)
        v[i] = (struct observation){values[i], trials[i], i};
    qsort(v, n, sizeof *v, by_value);
    grow(p, n);
    p->n = n;
    for (uint32_t i = 0; i < n; i++) {
        p->mean[i] = v[i].value;
        p->trial[i] = v[i].trial;
        p->rank[i] = v[i].rank;
    }
    free(v);
    p->measured = false;
    refresh(p, prior, 0, n);
}

void parzen_measure(struct parzen *p, const struct parzen_prior *prior)
{
    if (p->measured || p->n <= PARZEN_FEW)
        return;
    struct kernels all = {p->mean, p->inv, p->rank, p->n};
    clusters_build(&p->clusters, &all, ramp_of(p->n), 1.0 / least_width(p, prior));
    p->measured = true;
}
