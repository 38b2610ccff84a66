/* What preset `tunefarm` knows: which trials count as what, and where they stand.
 *
 *   near     the best ranked trials, best first: the good ones and the bad ones next to them;
 *   far      the other ranked ones, in order of trial number. When there are too many, only those
 *            whose number hashes below a threshold stay, and each stands for 2^level;
 *   pending  trials without a result, in order of trial number.
 *
 * Ranked is every trial with an end of its own: complete ones by loss; then those stopped early,
 * whose loss is a bound (censored): the later their last step the better, then by loss at it; then
 * those that count as bad without an order: infinite losses, failures, and trials that were stopped
 * before they reported. Ties go to the older trial. Cancelled ones do not count. */
#ifndef FARM_OPTIMIZER_EVIDENCE_H
#define FARM_OPTIMIZER_EVIDENCE_H

#include "axis.h"
#include "history.h"
#include "roster.h"

#define EVIDENCE_NEAR 2048 /* most rows of near, and of far before it is thinned again */
#define EVIDENCE_FAR  4096

struct evidence {
    const struct space *space; /* borrowed */
    struct axis *axes;         /* one a parameter */
    struct roster near, far, pending;
    uint8_t *role; /* by trial */
    uint64_t cap;
    uint32_t ranked;   /* trials */
    uint32_t complete; /* of them with a finite loss */
    uint32_t stopped;  /* of them censored, with a loss */
    uint32_t level;    /* of thinning */
    uint32_t near_most, far_most;
    float *places; /* scratch: one row */
};

/* near_most, far_most: 0 for the defaults. */
void evidence_init(struct evidence *e, const struct space *space, uint32_t near_most,
                   uint32_t far_most);
void evidence_fini(struct evidence *e);
/* The trial's outcome changed. O(log n) comparisons, and copies of at most the rows there are. */
void evidence_observe(struct evidence *e, const struct history *h, uint32_t trial);
/* How many of near may be good: complete ones, or, as long as there are none, stopped ones. */
uint32_t evidence_rankable(const struct evidence *e);

#endif
