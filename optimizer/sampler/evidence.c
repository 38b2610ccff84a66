/* The sets of trials behind the densities, kept up to date event by event.
 *
 * Called by tpe_tunefarm.c. The sets are a function of the trials' ends alone, not of their order:
 * near holds the first ranks, and the level of far is the least at which the others fit, since a
 * trial never leaves far again. Only if an ended trial changes once more (no farm does that) is
 * everything counted anew. */
#include "evidence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

enum role { ROLE_NONE, ROLE_PENDING, ROLE_RANKED };
enum class { CLASS_COMPLETE, CLASS_STOPPED, CLASS_BAD };

struct rank {
    enum class class;
    int64_t step;
    double loss;
    uint32_t trial;
};

void evidence_init(struct evidence *e, const struct space *space, uint32_t near_most,
                   uint32_t far_most)
{
    *e = (struct evidence){.space = space,
                           .near_most = near_most ? near_most : EVIDENCE_NEAR,
                           .far_most = far_most ? far_most : EVIDENCE_FAR};
    e->axes = alloc_array(space->n + 1, sizeof *e->axes);
    e->places = alloc_array(space->n + 1, sizeof *e->places);
    for (uint32_t i = 0; i < space->n; i++)
        axis_init(&e->axes[i], &space->params[i]);
    roster_init(&e->near, space->n);
    roster_init(&e->far, space->n);
    roster_init(&e->pending, space->n);
}

void evidence_fini(struct evidence *e)
{
    roster_fini(&e->near);
    roster_fini(&e->far);
    roster_fini(&e->pending);
    free(e->axes);
    free(e->places);
    free(e->role);
}

static struct rank rank_of(const struct history *h, uint32_t trial)
{
    struct rank r = {CLASS_BAD, 0, 0, trial};
    enum outcome o = history_outcome(h, trial);
    double loss = history_loss(h, trial);
    if (!isfinite(loss) || (o != OUTCOME_COMPLETE && o != OUTCOME_PRUNED))
        return r;
    r.loss = loss;
    r.class = o == OUTCOME_COMPLETE ? CLASS_COMPLETE : CLASS_STOPPED;
    r.step = o == OUTCOME_PRUNED ? history_step(h, trial) : 0;
    return r;
}

static bool before(const struct rank *a, const struct rank *b)
{
    if (a->class != b->class)
        return a->class < b->class;
    if (a->step != b->step)
        return a->step > b->step;
    return a->loss != b->loss ? a->loss < b->loss : a->trial < b->trial;
}

/* Every number's bits are mixed (SplitMix64's finaliser), so that those kept are a fair sample. */
static int keeps(uint32_t trial, uint32_t level)
{
    uint64_t z = trial + UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return level == 0 || z >> (64 - level) == 0;
}

static void add_far(struct evidence *e, uint32_t trial)
{
    if (!keeps(trial, e->level))
        return;
    roster_insert(&e->far, roster_find(&e->far, trial), trial, e->places);
    while (e->far.n > e->far_most)
        roster_filter(&e->far, keeps, ++e->level);
}

static void count(struct evidence *e, enum class class)
{
    e->ranked++;
    e->complete += class == CLASS_COMPLETE;
    e->stopped += class == CLASS_STOPPED;
}

static uint32_t place_in_near(const struct evidence *e, const struct history *h,
                              const struct rank *r)
{
    uint32_t lo = 0, hi = e->near.n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        struct rank other = rank_of(h, e->near.trial[mid]);
        if (before(&other, r))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void add_ranked(struct evidence *e, const struct history *h, uint32_t trial)
{
    struct rank r = rank_of(h, trial);
    count(e, r.class);
    uint32_t at = place_in_near(e, h, &r);
    if (at < e->near_most)
        roster_insert(&e->near, at, trial, e->places);
    else
        add_far(e, trial);
    if (e->near.n > e->near_most) {
        uint32_t last = e->near.trial[e->near.n - 1];
        roster_get(&e->near, e->near.n - 1, e->places);
        roster_remove(&e->near, e->near.n - 1);
        add_far(e, last);
    }
}

static void place(struct evidence *e, const struct history *h, uint32_t trial)
{
    const double *point = history_point(h, trial);
    for (uint32_t i = 0; i < e->space->n; i++)
        e->places[i] = isnan(point[i]) ? ROSTER_ABSENT : (float)axis_place(&e->axes[i], point[i]);
}

static enum role role_of(const struct history *h, uint64_t trial)
{
    switch (history_outcome(h, trial)) {
    case OUTCOME_PENDING:
        return ROLE_PENDING;
    case OUTCOME_COMPLETE:
    case OUTCOME_PRUNED:
    case OUTCOME_FAILED:
        return ROLE_RANKED;
    default:
        return ROLE_NONE;
    }
}

static void add(struct evidence *e, const struct history *h, uint32_t trial, enum role role)
{
    e->role[trial] = (uint8_t)role;
    if (role == ROLE_NONE)
        return;
    place(e, h, trial);
    if (role == ROLE_RANKED)
        add_ranked(e, h, trial);
    else
        roster_insert(&e->pending, roster_find(&e->pending, trial), trial, e->places);
}

static void count_anew(struct evidence *e, const struct history *h)
{
    e->near.n = e->far.n = e->pending.n = 0;
    e->ranked = e->complete = e->stopped = e->level = 0;
    for (uint64_t t = 0; t < e->cap; t++)
        add(e, h, (uint32_t)t, role_of(h, t));
}

static void grow(struct evidence *e, uint64_t trial)
{
    if (trial < e->cap)
        return;
    uint64_t cap = e->cap ? e->cap : 64;
    while (cap <= trial)
        cap *= 2;
    e->role = alloc_grow(e->role, cap, sizeof *e->role);
    memset(e->role + e->cap, ROLE_NONE, (cap - e->cap) * sizeof *e->role);
    e->cap = cap;
}

void evidence_observe(struct evidence *e, const struct history *h, uint32_t trial)
{
    grow(e, trial);
    enum role is = (enum role)e->role[trial], wanted = role_of(h, trial);
    if (is == ROLE_RANKED) {
        count_anew(e, h);
        return;
    }
    if (is == wanted)
        return;
    if (is == ROLE_PENDING)
        roster_remove(&e->pending, roster_find(&e->pending, trial));
    add(e, h, trial, wanted);
}

uint32_t evidence_rankable(const struct evidence *e)
{
    uint32_t n = e->complete ? e->complete : e->stopped;
    return n < e->near.n ? n : e->near.n;
}
