/* The preset `hyperopt` of tpe: the tree-structured Parzen estimator with Hyperopt's semantics
 * (Bergstra and others, 2011). Settings and the walk through the space.
 *
 * Every parameter is drawn on its own, parents before children, so only parameters of the chosen
 * branch are drawn. The model behind it is tpe_model.c, one parameter's choice tpe_suggest.c;
 * neither knows the other parameters. */
#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "json.h"
#include "settings.h"
#include "tpe_presets.h"
#include "tpe_suggest.h"

struct hyperopt {
    struct sampler base;
    struct tpe_model model;
    double startup, candidates, gamma, prior_weight;
    uint64_t seed;
    bool maximize;
};

static err_t read_settings(struct hyperopt *t, const struct sampler_config *config,
                           struct errmsg *em)
{
    t->startup = 20;
    t->candidates = 24;
    t->gamma = 0.25;
    t->prior_weight = 1;
    const struct setting rows[] = {
        {"n_startup", 1, 1e6, true, &t->startup},
        {"candidates", 1, TPE_MAX_CANDIDATES, true, &t->candidates},
        {"gamma", 1e-3, 100, false, &t->gamma},
        {"prior_weight", 1e-3, 1000, false, &t->prior_weight},
    };
    return settings_read(config, rows, sizeof rows / sizeof *rows, em);
}

static err_t hyperopt_create(struct sampler **out, const struct space *space,
                             const struct sampler_config *config, bool maximize, struct errmsg *em)
{
    struct hyperopt *t = alloc_zero(sizeof *t);
    err_t e = read_settings(t, config, em);
    if (e) {
        free(t);
        return e;
    }
    t->base.ops = &tpe_hyperopt;
    t->seed = config->seed;
    t->maximize = maximize;
    tpe_model_init(&t->model, space, t->gamma, t->prior_weight);
    *out = &t->base;
    return ERR_OK;
}

static void hyperopt_destroy(struct sampler *s)
{
    struct hyperopt *t = (struct hyperopt *)s;
    tpe_model_fini(&t->model);
    free(t);
}

static void hyperopt_observe(struct sampler *s, const struct history *h, uint64_t trial)
{
    struct hyperopt *t = (struct hyperopt *)s;
    tpe_model_observe(&t->model, h, (uint32_t)trial);
}

static void explain(const struct hyperopt *t, bool startup, struct buf *why)
{
    const struct tpe_model *m = &t->model;
    struct jsonw w;
    jsonw_init(&w, why);
    jsonw_object(&w);
    jsonw_kstr(&w, "sampler", STR("tpe"));
    jsonw_kstr(&w, "preset", STR("hyperopt"));
    jsonw_ku64(&w, "trials", m->counted);
    if (startup) {
        jsonw_kstr(&w, "how", STR("startup"));
    } else {
        jsonw_kstr(&w, "how", STR("model"));
        jsonw_ku64(&w, "good", m->n_good);
        double worst = m->trials[m->good[m->n_good - 1]].loss;
        if (isfinite(worst)) /* in the metric's own sign again */
            jsonw_kf64(&w, "good_to", t->maximize ? -worst : worst);
    }
    jsonw_end(&w);
}

static enum suggest_result hyperopt_suggest(struct sampler *s, const struct history *h,
                                            uint64_t draw, double *point, struct buf *why)
{
    struct hyperopt *t = (struct hyperopt *)s;
    struct tpe_model *m = &t->model;
    bool startup = (double)m->counted < t->startup;
    struct rng r;
    rng_seed_at(&r, t->seed, draw);
    if (!startup)
        tpe_model_sync(m, h);
    for (uint32_t i = 0; i < m->space->n; i++) {
        point[i] = (double)NAN;
        if (!space_active(m->space, i, point))
            continue;
        point[i] = startup ? param_from_unit(&m->space->params[i], rng_unit(&r))
                           : tpe_suggest(&m->densities[i], (uint32_t)t->candidates, &r);
    }
    explain(t, startup, why);
    return SUGGEST_OK;
}

const struct sampler_ops tpe_hyperopt = {
    .name = "hyperopt",
    .about = "every parameter on its own, as in Hyperopt",
    .create = hyperopt_create,
    .destroy = hyperopt_destroy,
    .observe = hyperopt_observe,
    .suggest = hyperopt_suggest,
};
