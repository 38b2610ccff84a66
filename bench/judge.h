/* From best-so-far curves to figures, with the rules of bench/peers/report.py: medians of regret
 * over seeds, floors, geometric means of ratios, bootstrap intervals. Pure. */
#ifndef FARM_BENCH_JUDGE_H
#define FARM_BENCH_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

/* Regrets of one sampler on one function, one a run. */
struct judge_sample {
    double *v;
    size_t n;
};
/* One function: the sampler that is judged, and the one it is compared with. */
struct judge_pair {
    struct judge_sample own, reference;
    double floor; /* lesser medians count as this */
};
struct judge_mean {
    double mean;      /* geometric, of the ratios of medians; NaN of no function */
    double low, high; /* 5 and 95 % of it when the runs are drawn anew with repetition */
};

double judge_median(const double *v, size_t n); /* NaN of none */
double judge_ratio(const struct judge_pair *p);
struct judge_mean judge_geometric_mean(const struct judge_pair *pairs, size_t n);

#endif
