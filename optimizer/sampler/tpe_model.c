/* Keeps TPE's split and densities true to the history, cheaply: what an observation changes is
 * noted, and done at the next ask, one by one or, when much came at once (a restart), by building
 * anew.
 *
 * Called by tpe_hyperopt.c. Which outcome counts how is decided here and described in
 * docs/samplers.md: pending and pruned trials count with infinite loss, failed and cancelled ones
 * do not count. */
#include "tpe_model.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "err.h"

void tpe_model_init(struct tpe_model *m, const struct space *space, double gamma,
                    double prior_weight)
{
    *m = (struct tpe_model){.space = space, .gamma = gamma};
    m->densities = alloc_array(space->n ? space->n : 1, sizeof *m->densities);
    for (uint32_t i = 0; i < space->n; i++)
        tpe_dim_init(&m->densities[i].dim, &space->params[i], prior_weight);
}

void tpe_model_fini(struct tpe_model *m)
{
    for (uint32_t i = 0; i < m->space->n; i++) {
        parzen_fini(&m->densities[i].side[TPE_GOOD]);
        parzen_fini(&m->densities[i].side[TPE_BAD]);
    }
    free(m->densities);
    free(m->trials);
    free(m->changed);
}

static void extend(struct tpe_model *m, uint32_t trial)
{
    if (trial >= m->cap) {
        uint32_t cap = m->cap ? m->cap : 64;
        while (cap <= trial)
            cap *= 2;
        m->trials = alloc_grow(m->trials, cap, sizeof *m->trials);
        m->cap = cap;
    }
    for (; m->n_trials <= trial; m->n_trials++)
        m->trials[m->n_trials] =
            (struct tpe_trial){.loss = INFINITY, .is = TPE_ABSENT, .wanted = TPE_ABSENT};
}

static void note_change(struct tpe_model *m, uint32_t trial)
{
    if (m->trials[trial].listed)
        return;
    if (m->n_changed == m->cap_changed) {
        m->cap_changed = m->cap_changed ? 2 * m->cap_changed : 64;
        m->changed = alloc_grow(m->changed, m->cap_changed, sizeof *m->changed);
    }
    m->changed[m->n_changed++] = trial;
    m->trials[trial].listed = true;
}

/* Whether the outcome counts, and with which loss. */
static bool loss_of(const struct history *h, uint32_t trial, double *loss)
{
    *loss = INFINITY;
    switch (history_outcome(h, trial)) {
    case OUTCOME_PENDING:
    case OUTCOME_PRUNED:
        return true;
    case OUTCOME_COMPLETE:
        *loss = history_loss(h, trial);
        return !isnan(*loss);
    default:
        return false;
    }
}

static bool better(const struct tpe_model *m, uint32_t a, uint32_t b)
{
    double x = m->trials[a].loss, y = m->trials[b].loss;
    return x < y || (x == y && a < b);
}

static void rank_best(struct tpe_model *m, uint32_t trial)
{
    uint32_t i = m->n_best;
    while (i > 0 && better(m, trial, m->best[i - 1]))
        i--;
    if (i == TPE_MAX_GOOD)
        return;
    if (m->n_best < TPE_MAX_GOOD)
        m->n_best++;
    for (uint32_t k = m->n_best - 1; k > i; k--)
        m->best[k] = m->best[k - 1];
    m->best[i] = trial;
}

/* Takes a trial out of the densities at once: its point may be gone with it. */
static void take_out(struct tpe_model *m, uint32_t trial)
{
    struct tpe_trial *t = &m->trials[trial];
    if (t->is == TPE_ABSENT)
        return;
    for (uint32_t i = 0; i < m->space->n; i++) {
        struct tpe_density *d = &m->densities[i];
        parzen_remove(&d->side[t->is], &d->dim.prior, trial);
    }
    t->is = TPE_ABSENT;
}

void tpe_model_observe(struct tpe_model *m, const struct history *h, uint32_t trial)
{
    double loss;
    bool counts = loss_of(h, trial, &loss);
    extend(m, trial);
    struct tpe_trial *t = &m->trials[trial];
    if (counts == (bool)t->counts && (!counts || loss == t->loss))
        return;
    if (!counts) {
        m->counted--;
        t->wanted = TPE_ABSENT;
        take_out(m, trial);
    } else if (!t->counts) {
        m->counted++;
        t->wanted = TPE_BAD;
        note_change(m, trial);
    }
    t->counts = counts;
    t->loss = loss;
    if (counts && loss < INFINITY)
        rank_best(m, trial);
}

/* The best trials of finite loss, then, while they are too few, those of infinite loss in order of
 * number. */
static uint32_t choose_good(const struct tpe_model *m, uint32_t *good)
{
    double wanted = ceil(m->gamma * sqrt((double)m->counted));
    uint32_t n = wanted < TPE_MAX_GOOD ? (uint32_t)wanted : TPE_MAX_GOOD;
    n = n < m->counted ? n : m->counted;
    uint32_t have = n < m->n_best ? n : m->n_best;
    for (uint32_t i = 0; i < have; i++)
        good[i] = m->best[i];
    for (uint32_t i = 0; i < m->n_trials && have < n; i++)
        if (m->trials[i].counts && isinf(m->trials[i].loss) && m->trials[i].loss > 0)
            good[have++] = i;
    return have;
}

static void split(struct tpe_model *m)
{
    uint32_t good[TPE_MAX_GOOD], n = choose_good(m, good);
    for (uint32_t i = 0; i < m->n_good; i++) {
        struct tpe_trial *t = &m->trials[m->good[i]];
        t->wanted = t->counts ? TPE_BAD : TPE_ABSENT;
        note_change(m, m->good[i]);
    }
    for (uint32_t i = 0; i < n; i++) {
        m->trials[good[i]].wanted = TPE_GOOD;
        note_change(m, good[i]);
        m->good[i] = good[i];
    }
    m->n_good = n;
}

static void put_in(struct tpe_model *m, const struct history *h, uint32_t trial, uint8_t side)
{
    const double *point = history_point(h, trial);
    for (uint32_t i = 0; i < m->space->n; i++) {
        struct tpe_density *d = &m->densities[i];
        if (!isnan(point[i]))
            parzen_insert(&d->side[side], &d->dim.prior, tpe_dim_place(&d->dim, point[i]), trial);
    }
    m->trials[trial].is = side;
}

static void set_side(struct tpe_model *m, const struct history *h, uint32_t param, uint8_t side,
                     double *values, uint32_t *trials)
{
    struct tpe_density *d = &m->densities[param];
    uint32_t n = 0;
    for (uint32_t t = 0; t < m->n_trials; t++) {
        if (m->trials[t].wanted != side)
            continue;
        double v = history_point(h, t)[param];
        if (isnan(v))
            continue;
        values[n] = tpe_dim_place(&d->dim, v);
        trials[n++] = t;
    }
    parzen_set(&d->side[side], &d->dim.prior, values, trials, n);
}

static void build_anew(struct tpe_model *m, const struct history *h)
{
    double *values = alloc_array(m->n_trials, sizeof *values);
    uint32_t *trials = alloc_array(m->n_trials, sizeof *trials);
    for (uint32_t i = 0; i < m->space->n; i++) {
        set_side(m, h, i, TPE_GOOD, values, trials);
        set_side(m, h, i, TPE_BAD, values, trials);
    }
    for (uint32_t t = 0; t < m->n_trials; t++)
        m->trials[t].is = m->trials[t].wanted;
    free(values);
    free(trials);
}

void tpe_model_sync(struct tpe_model *m, const struct history *h)
{
    split(m);
    bool many = m->n_changed > 2 * TPE_MAX_GOOD + 16 + m->n_trials / 64;
    if (many)
        build_anew(m, h);
    for (uint32_t i = 0; i < m->n_changed; i++) {
        uint32_t trial = m->changed[i];
        struct tpe_trial *t = &m->trials[trial];
        t->listed = false;
        if (t->is == t->wanted)
            continue;
        take_out(m, trial);
        if (t->wanted != TPE_ABSENT)
            put_in(m, h, trial, t->wanted);
    }
    m->n_changed = 0;
    for (uint32_t i = 0; i < m->space->n; i++)
        if (m->densities[i].dim.kind != TPE_CATEGORY)
            for (int side = TPE_GOOD; side <= TPE_BAD; side++)
                parzen_measure(&m->densities[i].side[side], &m->densities[i].dim.prior);
}
