/* The preset `tunefarm` of tpe, the default: a tree-structured Parzen estimator with one joint
 * density over the tree. docs/tpe.md tells what it does, why, and what each part is worth.
 *
 * This file holds the settings and the order of things: quasi-random start, then the model, and at
 * the end of a small space the points that are left. evidence.c knows the trials, bandwidth.c the
 * widths, acquisition.c compares candidates. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition.h"
#include "alloc.h"
#include "cartesian.h"
#include "json.h"
#include "latin.h"
#include "settings.h"
#include "taken.h"
#include "tpe_presets.h"

#define MODEL_LEAST 2         /* results before there is a model */
#define FREE_DRAWS  64        /* from the prior, when the model finds no free point */
#define WALK_MOST   (1 << 20) /* points of a space that are searched for a free one */

struct tunefarm {
    struct sampler base;
    const struct space *space;
    struct evidence evidence;
    struct taken taken;
    struct cartesian walk;
    struct acquisition_rule rule;
    struct acquisition acquisition;
    double startup, good_share, good_most;
    uint64_t seed;
    bool maximize;
};

static err_t read_settings(struct tunefarm *t, const struct sampler_config *config,
                           struct errmsg *em)
{
    struct acquisition_rule *a = &t->rule;
    t->startup = 10;
    t->good_share = 0.1;
    t->good_most = 25;
    *a = (struct acquisition_rule){
        .bandwidth = {.width = 0.5, .bad = 0.7, .spread = 0.25, .category = 1},
        .candidates = 24,
        .prior_good = 0.5,
        .prior_bad = 1};
    const struct setting rows[] = {
        {"n_startup", 1, LATIN_MOST, true, &t->startup},
        {"candidates", 1, 1024, true, &a->candidates},
        {"good_share", 0.01, 1, false, &t->good_share},
        {"good_most", 2, GOOD_MOST, true, &t->good_most},
        {"width", 0.01, 10, false, &a->bandwidth.width},
        {"bad_width", 0.01, 10, false, &a->bandwidth.bad},
        {"spread", 1e-3, 100, false, &a->bandwidth.spread},
        {"category", 1e-3, 100, false, &a->bandwidth.category},
        {"prior_good", 1e-3, 1000, false, &a->prior_good},
        {"prior_bad", 1e-3, 1000, false, &a->prior_bad},
    };
    return settings_read(config, rows, sizeof rows / sizeof *rows, em);
}

/* An option of weight 0 is proposed by people only. */
static void walk_by_weights(struct cartesian *c)
{
    for (uint32_t i = 0; i < c->space->n; i++) {
        const struct param *p = &c->space->params[i];
        if (!p->weighted)
            continue;
        struct ladder *l = &c->ladders[i];
        l->values = alloc_array(p->n_options, sizeof *l->values);
        l->n = 0;
        for (uint32_t k = 0; k < p->n_options; k++)
            if (p->options[k].weight > 0)
                l->values[(size_t)l->n++] = k;
    }
}

static err_t tunefarm_create(struct sampler **out, const struct space *space,
                             const struct sampler_config *config, bool maximize, struct errmsg *em)
{
    struct tunefarm *t = alloc_zero(sizeof *t);
    err_t e = read_settings(t, config, em);
    if (e) {
        free(t);
        return e;
    }
    t->base.ops = &tpe_tunefarm;
    t->space = space;
    t->seed = config->seed;
    t->maximize = maximize;
    evidence_init(&t->evidence, space, 0, 0);
    taken_init(&t->taken, space->n);
    cartesian_init(&t->walk, space);
    walk_by_weights(&t->walk);
    acquisition_init(&t->acquisition, &t->evidence, &t->rule);
    *out = &t->base;
    return ERR_OK;
}

static void tunefarm_destroy(struct sampler *s)
{
    struct tunefarm *t = (struct tunefarm *)s;
    acquisition_fini(&t->acquisition);
    cartesian_fini(&t->walk);
    taken_fini(&t->taken);
    evidence_fini(&t->evidence);
    free(t);
}

static void tunefarm_observe(struct sampler *s, const struct history *h, uint64_t trial)
{
    struct tunefarm *t = (struct tunefarm *)s;
    (void)taken_observe(&t->taken, h, trial);
    evidence_observe(&t->evidence, h, (uint32_t)trial);
}

/* ---- parts of the sampler ---- */

static void from_hypercube(const struct tunefarm *t, uint64_t draw, struct rng *r, double *point)
{
    for (uint32_t i = 0; i < t->space->n; i++) {
        point[i] = (double)NAN;
        double u = latin_unit(t->seed, draw, i, (uint32_t)t->startup, r);
        if (space_active(t->space, i, point))
            point[i] = param_from_unit(&t->space->params[i], u);
    }
}

/* The first point that no trial has, of a space that is finite and not too large for that. */
static bool from_walk(struct tunefarm *t, double *point)
{
    if (!(cartesian_size(&t->walk) > 0))
        return false;
    cartesian_rewind(&t->walk);
    for (uint32_t i = 0; i < WALK_MOST; i++) {
        cartesian_point(&t->walk, point);
        if (!taken_has(&t->taken, point))
            return true;
        if (!cartesian_advance(&t->walk, point))
            return false;
    }
    return false;
}

/* A point that no trial has, if there is one; else any. */
static const char *from_what_is_left(struct tunefarm *t, struct rng *r, double *point)
{
    for (int i = 0; i < FREE_DRAWS; i++) {
        space_draw(t->space, r, point);
        if (!taken_has(&t->taken, point))
            return "prior";
    }
    if (from_walk(t, point))
        return "last free point";
    space_draw(t->space, r, point);
    return "repeated";
}

/* How many of the ranked trials are good. */
static uint32_t good_of(const struct tunefarm *t)
{
    const struct evidence *e = &t->evidence;
    double n = ceil(e->ranked * t->good_share * (1 - 1e-12)); /* exact at whole numbers */
    double most = evidence_rankable(e);
    n = n < t->good_most ? n : t->good_most;
    n = n < e->ranked - 1.0 ? n : e->ranked - 1.0;
    return (uint32_t)(n < most ? n : most);
}

/* Results do not come back before the start is over where there are many workers: the start then
 * goes on in further hypercubes until there is something to learn from. */
static bool starting(const struct tunefarm *t)
{
    const struct evidence *e = &t->evidence;
    return (double)e->ranked + e->pending.n < t->startup || e->complete + e->stopped < MODEL_LEAST;
}

static void explain(const struct tunefarm *t, const struct history *h, const char *how,
                    const char *part, uint32_t n_good, struct buf *why)
{
    const struct evidence *e = &t->evidence;
    struct jsonw w;
    jsonw_init(&w, why);
    jsonw_object(&w);
    jsonw_kstr(&w, "sampler", STR("tpe"));
    jsonw_kstr(&w, "preset", STR("tunefarm"));
    jsonw_kstr(&w, "how", str_of(how));
    jsonw_kstr(&w, "part", str_of(part));
    jsonw_ku64(&w, "trials", e->ranked);
    jsonw_ku64(&w, "pending", e->pending.n);
    if (n_good) {
        jsonw_ku64(&w, "good", n_good);
        double worst = history_loss(h, e->near.trial[n_good - 1]);
        jsonw_kf64(&w, "good_to", t->maximize ? -worst : worst);
        jsonw_kf64(&w, "ratio", t->acquisition.score);
        if (t->acquisition.best.around != CANDIDATE_PRIOR)
            jsonw_ku64(&w, "around", t->acquisition.best.around);
    }
    jsonw_end(&w);
}

static enum suggest_result tunefarm_suggest(struct sampler *s, const struct history *h,
                                            uint64_t draw, double *point, struct buf *why)
{
    struct tunefarm *t = (struct tunefarm *)s;
    struct rng r;
    rng_seed_at(&r, t->seed, draw);
    if (starting(t)) {
        from_hypercube(t, draw, &r, point);
        const char *part = "latin hypercube";
        if (taken_has(&t->taken, point))
            part = from_what_is_left(t, &r, point);
        explain(t, h, "startup", part, 0, why);
        return SUGGEST_OK;
    }
    uint32_t n_good = good_of(t);
    if (acquisition_choose(&t->acquisition, n_good, &t->taken, &r)) {
        memcpy(point, t->acquisition.best.point, t->space->n * sizeof *point);
        explain(t, h, "model", "joint density", n_good, why);
    } else {
        explain(t, h, "prior", from_what_is_left(t, &r, point), 0, why);
    }
    return SUGGEST_OK;
}

const struct sampler_ops tpe_tunefarm = {
    .name = "tunefarm",
    .about = "one joint density over the tree of parameters",
    .create = tunefarm_create,
    .destroy = tunefarm_destroy,
    .observe = tunefarm_observe,
    .suggest = tunefarm_suggest,
};
