/* The widths of the kernels of preset `tunefarm`, from the spread of the good trials.
 *
 * On each axis, with the good trials that have it weighted by rank, n_e their effective number:
 *   s^2 = (n_e var + c / 12) / (n_e + c)   (1 / 12: the variance of the prior, as c trials' worth)
 *   h   = b s (n_e + 1)^(-1 / (D + 4))     (Scott's rule; D: how many numbers a good trial has)
 * but at least half a cell of a lattice, and never flatter than the prior. All good kernels of an
 * axis have that width, so an axis that does not matter, on which the good trials lie anywhere,
 * takes no part in the comparison; and the widths shrink with the good trials' cloud, without a
 * limit that a range would set. The bad kernels are narrower by a constant: where no trial was yet,
 * the good density's tails then reach further than the bad one's, and the ratio of both asks for a
 * look. */
#ifndef FARM_OPTIMIZER_BANDWIDTH_H
#define FARM_OPTIMIZER_BANDWIDTH_H

#include "evidence.h"

#define GOOD_MOST 64

struct bandwidth_rule {
    double width;    /* b */
    double bad;      /* width of a bad kernel beside a good one */
    double spread;   /* c */
    double category; /* prior's trials' worth in the kernel of a category */
};
struct bandwidth {
    uint32_t n_good;
    double weight[GOOD_MOST];   /* of the good trials, best first; they sum to n_good */
    double *good, *bad;         /* widths, by axis */
    double swap_good, swap_bad; /* a category's kernel is (same + swap prior) / (1 + swap) */
};

void bandwidth_init(struct bandwidth *b, uint32_t axes);
void bandwidth_fini(struct bandwidth *b);
/* The first n_good rows of e->near are good, 1 <= n_good <= GOOD_MOST. */
void bandwidth_fit(struct bandwidth *b, const struct bandwidth_rule *rule, const struct evidence *e,
                   uint32_t n_good);

#endif
