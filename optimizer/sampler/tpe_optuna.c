/* The preset `optuna` of tpe: the tree-structured Parzen estimator as Optuna reads it, in the
 * versions 5.0 and 4.9. Settings and the walk through the space.
 *
 * Parameters that all finished trials had in common are drawn together, others one by one, parents
 * before children. The model behind it is optuna_model.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "json.h"
#include "optuna_model.h"
#include "settings.h"
#include "tpe_presets.h"

struct optuna {
    struct sampler base;
    struct optuna_model model;
    double startup, candidates;
    uint64_t seed;
    bool maximize;
    double *drawn;    /* scratch of a proposal: the values of the blocks drawn so far */
    bool *block_done; /* and which those are; by block */
};

/* The defaults are those of Optuna 5.0, or of 4.9 for generation 4. */
static err_t read_switches(struct optuna_config *c, const struct sampler_config *config,
                           double generation, struct errmsg *em)
{
    bool group = false;
    c->constant_liar = generation >= 5;
    c->magic_clip = true;
    err_t e = settings_switch(config, "group", &group, em);
    bool multivariate = group || generation >= 5;
    e = e ? e : settings_switch(config, "multivariate", &multivariate, em);
    e = e ? e : settings_switch(config, "constant_liar", &c->constant_liar, em);
    e = e ? e : settings_switch(config, "magic_clip", &c->magic_clip, em);
    e = e ? e : settings_switch(config, "endpoints", &c->endpoints, em);
    if (e)
        return e;
    if (group && !multivariate)
        return errmsg_set(em, ERR_INVALID, "sampler.group: needs sampler.multivariate");
    c->joining = group ? JOIN_ALIKE : multivariate ? JOIN_COMMON : JOIN_NOTHING;
    c->common_width = multivariate && generation < 5;
    return ERR_OK;
}

static err_t read_settings(struct optuna *o, struct optuna_config *c,
                           const struct sampler_config *config, struct errmsg *em)
{
    double generation = 5;
    o->startup = 10;
    o->candidates = 24;
    c->gamma = 0.1;
    c->prior_weight = 1;
    const struct setting rows[] = {
        {"generation", 4, 5, true, &generation},
        {"n_startup", 1, 1e6, true, &o->startup},
        {"candidates", 1, OPTUNA_MAX_CANDIDATES, true, &o->candidates},
        {"gamma", 1e-6, 1, false, &c->gamma},
        {"prior_weight", 1e-3, 1000, false, &c->prior_weight},
        {"multivariate", 0, 0, false, NULL},
        {"constant_liar", 0, 0, false, NULL},
        {"group", 0, 0, false, NULL},
        {"magic_clip", 0, 0, false, NULL},
        {"endpoints", 0, 0, false, NULL},
    };
    err_t e = settings_read(config, rows, sizeof rows / sizeof *rows, em);
    return e ? e : read_switches(c, config, generation, em);
}

static err_t optuna_create(struct sampler **out, const struct space *space,
                           const struct sampler_config *config, bool maximize, struct errmsg *em)
{
    struct optuna *o = alloc_zero(sizeof *o);
    struct optuna_config c = {0};
    err_t e = read_settings(o, &c, config, em);
    if (e) {
        free(o);
        return e;
    }
    o->base.ops = &tpe_optuna;
    o->seed = config->seed;
    o->maximize = maximize;
    o->drawn = alloc_array(space->n + 1, sizeof *o->drawn);
    o->block_done = alloc_array(space->n + 1, sizeof *o->block_done);
    optuna_model_init(&o->model, space, &c);
    *out = &o->base;
    return ERR_OK;
}

static void optuna_destroy(struct sampler *s)
{
    struct optuna *o = (struct optuna *)s;
    optuna_model_fini(&o->model);
    free(o->drawn);
    free(o->block_done);
    free(o);
}

static void optuna_observe(struct sampler *s, const struct history *h, uint64_t trial)
{
    struct optuna *o = (struct optuna *)s;
    optuna_model_observe(&o->model, h, (uint32_t)trial);
}

static void explain(const struct optuna *o, bool startup, struct buf *why)
{
    const struct optuna_model *m = &o->model;
    struct jsonw w;
    jsonw_init(&w, why);
    jsonw_object(&w);
    jsonw_kstr(&w, "sampler", STR("tpe"));
    jsonw_kstr(&w, "preset", STR("optuna"));
    jsonw_ku64(&w, "trials", m->counted);
    if (startup) {
        jsonw_kstr(&w, "how", STR("startup"));
    } else {
        jsonw_kstr(&w, "how", STR("model"));
        jsonw_ku64(&w, "blocks", m->n_blocks);
        jsonw_ku64(&w, "good", m->n_good);
        const struct rank *worst = &m->ranking.best[m->n_good - 1];
        if (worst->class == RANK_COMPLETE && isfinite(worst->loss)) /* in the metric's own sign */
            jsonw_kf64(&w, "good_to", o->maximize ? -worst->loss : worst->loss);
    }
    jsonw_end(&w);
}

/* The parameter's value, drawn together with all of its block when it is the block's first. */
static double from_block(struct optuna *o, uint32_t param, struct rng *r)
{
    uint32_t k = o->model.block_of[param];
    if (k == PARTITION_CONSTANT)
        return param_from_unit(&o->model.space->params[param], rng_unit(r));
    if (!o->block_done[k])
        optuna_model_suggest(&o->model.blocks[k], (uint32_t)o->candidates, r, o->drawn);
    o->block_done[k] = true;
    return o->drawn[param];
}

static enum suggest_result optuna_suggest(struct sampler *s, const struct history *h, uint64_t draw,
                                          double *point, struct buf *why)
{
    struct optuna *o = (struct optuna *)s;
    const struct space *space = o->model.space;
    bool startup = (double)o->model.counted < o->startup;
    struct rng r;
    rng_seed_at(&r, o->seed, draw);
    if (!startup)
        optuna_model_sync(&o->model, h);
    memset(o->block_done, 0, space->n * sizeof *o->block_done);
    for (uint32_t i = 0; i < space->n; i++) {
        point[i] = (double)NAN;
        if (space_active(space, i, point))
            point[i] =
                startup ? param_from_unit(&space->params[i], rng_unit(&r)) : from_block(o, i, &r);
    }
    explain(o, startup, why);
    return SUGGEST_OK;
}

const struct sampler_ops tpe_optuna = {
    .name = "optuna",
    .about = "parameters together, as in Optuna",
    .create = optuna_create,
    .destroy = optuna_destroy,
    .observe = optuna_observe,
    .suggest = optuna_suggest,
};
