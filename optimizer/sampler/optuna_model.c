/* Keeps the split, the blocks and the densities of Optuna's TPE true to the history. What an
 * observation changes is noted, and done at the next ask, one by one or, when much came at once (a
 * restart, or other blocks), by building anew.
 *
 * Called by tpe_optuna.c. Which outcome counts how is decided here and in optuna_ranking.c, and
 * described in docs/samplers.md. */
#include "optuna_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

void optuna_model_init(struct optuna_model *m, const struct space *space,
                       const struct optuna_config *config)
{
    *m = (struct optuna_model){.space = space, .config = *config};
    m->dims = alloc_array(space->n + 1, sizeof *m->dims);
    m->block_of = alloc_array(space->n + 1, sizeof *m->block_of);
    for (uint32_t i = 0; i < space->n; i++)
        tpe_dim_init(&m->dims[i], &space->params[i], config->prior_weight);
    optuna_partition_init(&m->partition, space, config->joining);
}

static void free_blocks(struct optuna_model *m)
{
    for (uint32_t i = 0; i < m->n_blocks; i++) {
        struct optuna_block *b = &m->blocks[i];
        mixture_fini(&b->side[OPTUNA_GOOD], &b->shape);
        mixture_fini(&b->side[OPTUNA_BAD], &b->shape);
        free(b->params);
        free(b->dims);
    }
    free(m->blocks);
    m->n_blocks = 0;
}

void optuna_model_fini(struct optuna_model *m)
{
    free_blocks(m);
    optuna_partition_fini(&m->partition);
    free(m->dims);
    free(m->block_of);
    free(m->trials);
    free(m->changed);
}

static void extend(struct optuna_model *m, uint32_t trial)
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
            (struct optuna_trial){.is = OPTUNA_ABSENT, .wanted = OPTUNA_ABSENT};
}

static void want(struct optuna_model *m, uint32_t trial, enum optuna_side side)
{
    struct optuna_trial *t = &m->trials[trial];
    t->wanted = (uint8_t)side;
    if (t->listed || t->is == t->wanted)
        return;
    if (m->n_changed == m->cap_changed) {
        m->cap_changed = m->cap_changed ? 2 * m->cap_changed : 64;
        m->changed = alloc_grow(m->changed, m->cap_changed, sizeof *m->changed);
    }
    m->changed[m->n_changed++] = trial;
    t->listed = true;
}

static void take_out(struct optuna_model *m, uint32_t trial)
{
    struct optuna_trial *t = &m->trials[trial];
    for (uint32_t i = 0; t->is != OPTUNA_ABSENT && i < m->n_blocks; i++)
        mixture_remove(&m->blocks[i].side[t->is], &m->blocks[i].shape, trial);
    t->is = OPTUNA_ABSENT;
}

void optuna_model_observe(struct optuna_model *m, const struct history *h, uint32_t trial)
{
    struct rank rank;
    extend(m, trial);
    struct optuna_trial *t = &m->trials[trial];
    if (optuna_ranking_of(h, trial, &rank)) {
        if (t->counts)
            return;
        t->counts = true;
        m->counted++;
        optuna_ranking_add(&m->ranking, &rank);
        optuna_partition_add(&m->partition, history_point(h, trial));
        want(m, trial, OPTUNA_BAD);
    } else if (history_outcome(h, trial) == OUTCOME_PENDING) {
        want(m, trial, m->config.constant_liar ? OPTUNA_BAD : OPTUNA_ABSENT);
    } else {
        t->wanted = OPTUNA_ABSENT;
        take_out(m, trial); /* at once: its point may be gone with it */
    }
}

static void split(struct optuna_model *m)
{
    double wanted = ceil(m->config.gamma * (double)m->counted);
    uint32_t n = wanted < m->ranking.n ? (uint32_t)wanted : m->ranking.n;
    for (uint32_t i = 0; i < m->n_good; i++)
        want(m, m->good[i], OPTUNA_BAD);
    for (uint32_t i = 0; i < n; i++) {
        m->good[i] = m->ranking.best[i].trial;
        want(m, m->good[i], OPTUNA_GOOD);
    }
    m->n_good = n;
}

static void init_block(struct optuna_model *m, struct optuna_block *b, uint32_t label)
{
    const uint32_t *block = m->partition.block;
    uint32_t n = 0;
    for (uint32_t i = label; i < m->space->n; i++)
        n += block[i] == label;
    b->params = alloc_array(n, sizeof *b->params);
    b->dims = alloc_array(n, sizeof *b->dims);
    b->shape = (struct mixture_shape){.dims = b->dims,
                                      .n_dims = n,
                                      .prior_weight = m->config.prior_weight,
                                      .common_width = m->config.common_width,
                                      .endpoints = m->config.endpoints,
                                      .magic_clip = m->config.magic_clip};
    for (uint32_t i = label, k = 0; i < m->space->n; i++) {
        if (block[i] != label)
            continue;
        b->params[k] = i;
        b->dims[k++] = &m->dims[i];
        m->block_of[i] = m->n_blocks;
    }
    mixture_init(&b->side[OPTUNA_GOOD], &b->shape);
    mixture_init(&b->side[OPTUNA_BAD], &b->shape);
    m->n_blocks++;
}

static void make_blocks(struct optuna_model *m)
{
    free_blocks(m);
    m->blocks = alloc_array(m->space->n + 1, sizeof *m->blocks);
    for (uint32_t i = 0; i < m->space->n; i++) {
        if (m->partition.block[i] == i)
            init_block(m, &m->blocks[m->n_blocks], i);
        else if (m->partition.block[i] == PARTITION_CONSTANT)
            m->block_of[i] = PARTITION_CONSTANT;
    }
    m->partition.changed = false;
}

/* Where the point stands in the block's scales; false: it lacks a parameter of the block. */
static bool place(const struct optuna_block *b, const double *point, double *y)
{
    for (uint32_t d = 0; d < b->shape.n_dims; d++) {
        double v = point[b->params[d]];
        if (isnan(v))
            return false;
        y[d] = tpe_dim_place(b->dims[d], v);
    }
    return true;
}

static void build_anew(struct optuna_model *m, const struct history *h, double *y)
{
    for (uint32_t i = 0; i < m->n_blocks; i++) {
        struct optuna_block *b = &m->blocks[i];
        mixture_clear(&b->side[OPTUNA_GOOD]);
        mixture_clear(&b->side[OPTUNA_BAD]);
        for (uint32_t t = 0; t < m->n_trials; t++) {
            uint8_t side = m->trials[t].wanted;
            if (side != OPTUNA_ABSENT && place(b, history_point(h, t), y))
                mixture_append(&b->side[side], &b->shape, y, t);
        }
    }
    for (uint32_t t = 0; t < m->n_trials; t++)
        m->trials[t].is = m->trials[t].wanted;
}

static void put_in(struct optuna_model *m, const struct history *h, uint32_t trial, double *y)
{
    struct optuna_trial *t = &m->trials[trial];
    for (uint32_t i = 0; i < m->n_blocks; i++) {
        struct optuna_block *b = &m->blocks[i];
        if (place(b, history_point(h, trial), y))
            mixture_insert(&b->side[t->wanted], &b->shape, y, trial);
    }
    t->is = t->wanted;
}

static void move_changed(struct optuna_model *m, const struct history *h, double *y)
{
    for (uint32_t i = 0; i < m->n_changed; i++) {
        struct optuna_trial *t = &m->trials[m->changed[i]];
        t->listed = false;
        if (t->is == t->wanted)
            continue;
        take_out(m, m->changed[i]);
        if (t->wanted != OPTUNA_ABSENT)
            put_in(m, h, m->changed[i], y);
    }
    m->n_changed = 0;
}

void optuna_model_sync(struct optuna_model *m, const struct history *h)
{
    double *y = alloc_array(m->space->n + 1, sizeof *y);
    bool anew = m->partition.changed;
    split(m);
    if (anew)
        make_blocks(m);
    if (anew || m->n_changed > 2 * RANKING_MOST + 16 + m->n_trials / 64)
        build_anew(m, h, y);
    move_changed(m, h, y);
    for (uint32_t i = 0; i < m->n_blocks; i++) {
        mixture_settle(&m->blocks[i].side[OPTUNA_GOOD], &m->blocks[i].shape);
        mixture_settle(&m->blocks[i].side[OPTUNA_BAD], &m->blocks[i].shape);
    }
    free(y);
}

uint32_t optuna_model_choose(const struct optuna_block *b, const double *values, uint32_t n)
{
    double *good = alloc_array(2 * (size_t)n, sizeof *good), *bad = good + n, best = -INFINITY;
    uint32_t chosen = 0; /* stays if nothing tells them apart */
    mixture_log_density(&b->side[OPTUNA_GOOD], &b->shape, values, n, good);
    mixture_log_density(&b->side[OPTUNA_BAD], &b->shape, values, n, bad);
    for (uint32_t i = 0; i < n; i++) {
        double ratio = good[i] - bad[i];
        if (ratio > best) {
            best = ratio;
            chosen = i;
        }
    }
    free(good);
    return chosen;
}

void optuna_model_suggest(const struct optuna_block *b, uint32_t n, struct rng *r, double *point)
{
    double *values = alloc_array((size_t)b->shape.n_dims * n, sizeof *values);
    mixture_draw(&b->side[OPTUNA_GOOD], &b->shape, r, values, n);
    uint32_t chosen = optuna_model_choose(b, values, n);
    for (uint32_t d = 0; d < b->shape.n_dims; d++)
        point[b->params[d]] = values[(size_t)d * n + chosen];
    free(values);
}
