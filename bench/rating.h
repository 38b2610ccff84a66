/* From best-so-far curves to figures, with the rules of bench/peers/report.py: medians of regret
 * over seeds, floors, geometric means of ratios, bootstrap intervals. Pure. */
#ifndef FARM_BENCH_RATING_H
#define FARM_BENCH_RATING_H

#include <stdbool.h>
#include <stddef.h>

/* Regrets of one sampler on one function, one a run. */
struct rating_sample {
    double *v;
    size_t n;
};
/* One function: the sampler that is judged, and the one it is compared with. */
struct rating_pair {
    struct rating_sample own, reference;
    double floor; /* lesser medians count as this */
};
struct rating_mean {
    double mean;      /* geometric, of the ratios of medians; NaN of no function */
    double low, high; /* 5 and 95 % of it when the runs are drawn anew with repetition */
};

double rating_median(const double *v, size_t n); /* NaN of none */
double rating_ratio(const struct rating_pair *p);
struct rating_mean rating_geometric_mean(const struct rating_pair *pairs, size_t n);

#endif
