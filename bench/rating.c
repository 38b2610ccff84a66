/* The arithmetic of the quality tables. bench/peers/report.py is the original; its floors are set
 * by the caller, who knows random's medians. */
#include "rating.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "rng.h"

#define RESAMPLES 1000
#define SEED      5

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value between the neighbours of position q (n - 1), as numpy takes it; v is sorted. */
static double quantile(const double *v, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t i = (size_t)at;
    return i + 1 < n ? v[i] + (at - (double)i) * (v[i + 1] - v[i]) : v[n - 1];
}

double rating_median(const double *v, size_t n)
{
    if (n == 0)
        return (double)NAN;
    double *sorted = alloc_array(n, sizeof *sorted);
    memcpy(sorted, v, n * sizeof *v);
    qsort(sorted, n, sizeof *sorted, ascending);
    double median = quantile(sorted, n, 0.5);
    free(sorted);
    return median;
}

static double ratio(double own, double reference, double floor)
{
    return fmax(own, floor) / fmax(reference, floor);
}

double rating_ratio(const struct rating_pair *p)
{
    return ratio(rating_median(p->own.v, p->own.n), rating_median(p->reference.v, p->reference.n),
                 p->floor);
}

/* Median of as many runs drawn with repetition. */
static double median_drawn(const struct rating_sample *s, struct rng *r, double *scratch)
{
    for (size_t i = 0; i < s->n; i++)
        scratch[i] = s->v[rng_below(r, s->n)];
    return rating_median(scratch, s->n);
}

static double mean_drawn(const struct rating_pair *pairs, size_t n, struct rng *r, double *scratch)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double own = median_drawn(&pairs[i].own, r, scratch);
        double reference = median_drawn(&pairs[i].reference, r, scratch);
        sum += log(ratio(own, reference, pairs[i].floor));
    }
    return exp(sum / (double)n);
}

struct rating_mean rating_geometric_mean(const struct rating_pair *pairs, size_t n)
{
    if (n == 0)
        return (struct rating_mean){(double)NAN, (double)NAN, (double)NAN};
    double sum = 0, drawn[RESAMPLES];
    size_t most = 0;
    for (size_t i = 0; i < n; i++) {
        sum += log(rating_ratio(&pairs[i]));
        most = pairs[i].own.n > most ? pairs[i].own.n : most;
        most = pairs[i].reference.n > most ? pairs[i].reference.n : most;
    }
    double *scratch = alloc_array(most, sizeof *scratch);
    struct rng r;
    rng_seed(&r, SEED);
    for (size_t i = 0; i < RESAMPLES; i++)
        drawn[i] = mean_drawn(pairs, n, &r, scratch);
    free(scratch);
    qsort(drawn, RESAMPLES, sizeof *drawn, ascending);
    return (struct rating_mean){exp(sum / (double)n), quantile(drawn, RESAMPLES, 0.05),
                                quantile(drawn, RESAMPLES, 0.95)};
}
