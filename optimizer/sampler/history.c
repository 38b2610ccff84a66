/* The trials of one study by column, grown by doubling.
 *
 * Owned by the tuner, read by the samplers. It knows the space only as a number of columns and
 * holds no opinion on what an outcome means to a model; that is each sampler's own. */
#include "history.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "err.h"

struct history {
    uint32_t width; /* parameters */
    uint64_t n, cap;
    uint8_t *outcome;
    double *loss;
    int64_t *step;
    double *points; /* width a trial */
    uint64_t counts[OUTCOME_COUNT];
};

struct history *history_new(const struct space *space)
{
    struct history *h = alloc_zero(sizeof *h);
    h->width = space->n;
    return h;
}

void history_free(struct history *h)
{
    if (!h)
        return;
    free(h->outcome);
    free(h->loss);
    free(h->step);
    free(h->points);
    free(h);
}

uint64_t history_count(const struct history *h)
{
    return h->n;
}

uint64_t history_outcomes(const struct history *h, enum outcome o)
{
    REQUIRE(o < OUTCOME_COUNT);
    return h->counts[o];
}

enum outcome history_outcome(const struct history *h, uint64_t trial)
{
    return trial < h->n ? (enum outcome)h->outcome[trial] : OUTCOME_NONE;
}

const double *history_point(const struct history *h, uint64_t trial)
{
    REQUIRE(history_outcome(h, trial) != OUTCOME_NONE);
    return h->points + trial * h->width;
}

double history_loss(const struct history *h, uint64_t trial)
{
    return trial < h->n ? h->loss[trial] : (double)NAN;
}

int64_t history_step(const struct history *h, uint64_t trial)
{
    return trial < h->n ? h->step[trial] : -1;
}

static void grow(struct history *h, uint64_t need)
{
    if (need <= h->cap)
        return;
    uint64_t cap = h->cap ? h->cap : 64;
    while (cap < need)
        cap *= 2;
    h->outcome = alloc_grow(h->outcome, cap, sizeof *h->outcome);
    h->loss = alloc_grow(h->loss, cap, sizeof *h->loss);
    h->step = alloc_grow(h->step, cap, sizeof *h->step);
    h->points = alloc_grow(h->points, cap, (h->width ? h->width : 1) * sizeof *h->points);
    h->cap = cap;
}

static void set_outcome(struct history *h, uint64_t trial, enum outcome o)
{
    h->counts[h->outcome[trial]]--;
    h->outcome[trial] = (uint8_t)o;
    h->counts[o]++;
}

/* Rows up to and with `trial` exist afterwards; new ones are gaps. */
static void extend(struct history *h, uint64_t trial)
{
    grow(h, trial + 1);
    for (; h->n <= trial; h->n++) {
        h->outcome[h->n] = OUTCOME_NONE;
        h->loss[h->n] = (double)NAN;
        h->step[h->n] = -1;
        h->counts[OUTCOME_NONE]++;
    }
}

void history_propose(struct history *h, uint64_t trial, const double *point)
{
    REQUIRE(trial < HISTORY_MAX_TRIALS);
    REQUIRE(history_outcome(h, trial) == OUTCOME_NONE);
    extend(h, trial);
    set_outcome(h, trial, OUTCOME_PENDING);
    if (h->width)
        memcpy(h->points + trial * h->width, point, h->width * sizeof *point);
}

void history_report(struct history *h, uint64_t trial, int64_t step, double loss)
{
    REQUIRE(history_outcome(h, trial) == OUTCOME_PENDING);
    h->step[trial] = step;
    h->loss[trial] = loss;
}

void history_finish(struct history *h, uint64_t trial, enum outcome o, double loss)
{
    REQUIRE(history_outcome(h, trial) == OUTCOME_PENDING && o > OUTCOME_PENDING);
    if (!isnan(loss))
        h->loss[trial] = loss;
    set_outcome(h, trial, o);
}

void history_retract(struct history *h, uint64_t trial)
{
    REQUIRE(trial + 1 == h->n && h->outcome[trial] == OUTCOME_PENDING);
    set_outcome(h, trial, OUTCOME_NONE);
    while (h->n > 0 && h->outcome[h->n - 1] == OUTCOME_NONE) {
        h->n--;
        h->counts[OUTCOME_NONE]--;
    }
}
