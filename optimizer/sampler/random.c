/* Independent draws from the prior. The baseline, and a sound choice for a first look at a space.
 *
 * It learns nothing, so trials in any state mean nothing to it; a proposal depends on the seed and
 * the draw alone. */
#include <stdlib.h>

#include "alloc.h"
#include "rng.h"
#include "samplers.h"
#include "settings.h"

struct random_sampler {
    struct sampler base;
    const struct space *space;
    uint64_t seed;
};

static err_t random_create(struct sampler **out, const struct space *space,
                           const struct sampler_config *config, bool maximize, struct errmsg *em)
{
    (void)maximize;
    static const char *const presets[] = {NULL};
    err_t e = settings_preset(config, presets, em);
    if (!e)
        e = settings_read(config, NULL, 0, em);
    if (e)
        return e;
    struct random_sampler *s = alloc_zero(sizeof *s);
    *s = (struct random_sampler){{&sampler_random}, space, config->seed};
    *out = &s->base;
    return ERR_OK;
}

static void random_destroy(struct sampler *s)
{
    free(s);
}

static void random_observe(struct sampler *s, const struct history *h, uint64_t trial)
{
    (void)s;
    (void)h;
    (void)trial;
}

static enum suggest_result random_suggest(struct sampler *base, const struct history *h,
                                          uint64_t draw, double *point, struct buf *why)
{
    (void)h;
    const struct random_sampler *s = (const struct random_sampler *)base;
    struct rng r;
    rng_seed_at(&r, s->seed, draw);
    space_draw(s->space, &r, point);
    buf_addz(why, "{\"sampler\":\"random\"}");
    return SUGGEST_OK;
}

const struct sampler_ops sampler_random = {
    .name = "random",
    .about = "independent draws from the prior",
    .create = random_create,
    .destroy = random_destroy,
    .observe = random_observe,
    .suggest = random_suggest,
};
