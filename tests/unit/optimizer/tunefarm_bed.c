/* Used by the tests of the modules of preset `tunefarm` and by those of the whole. */
#include "tunefarm_bed.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

err_t bed_try(struct bed *b, const char *space, const char *settings, struct errmsg *em)
{
    struct buf text;
    *b = (struct bed){0};
    buf_init(&text, 0);
    buf_init(&b->why, 4096);
    buf_printf(&text,
               "{\"study\":\"s\",\"objective\":{\"command\":[\"x\"]},\"space\":{%s},"
               "\"sampler\":{\"name\":\"tpe\",\"preset\":\"tunefarm\",\"seed\":3%s}}",
               space, settings ? settings : "");
    err_t e = spec_parse(buf_str(&text), &b->spec, em);
    buf_fini(&text);
    if (e)
        return e;
    b->space = b->spec->space;
    b->history = history_new(b->space);
    b->point = calloc(b->space->n + 1, sizeof *b->point);
    if (!settings)
        return ERR_OK;
    return sampler_find(STR("tpe"))->create(&b->sampler, b->space, &b->spec->sampler, false, em);
}

void bed_open(struct bed *b, const char *space, const char *settings)
{
    struct errmsg em = {""};
    if (bed_try(b, space, settings, &em))
        fail_msg("%s: %s", space, em.text);
}

void bed_close(struct bed *b)
{
    if (b->sampler)
        b->sampler->ops->destroy(b->sampler);
    history_free(b->history);
    spec_free(b->spec);
    free(b->point);
    buf_fini(&b->why);
}

void bed_assert_legal(const struct space *space, const double *point)
{
    for (uint32_t i = 0; i < space->n; i++) {
        const struct param *p = &space->params[i];
        assert_int_equal(isnan(point[i]) ? 0 : 1, space_active(space, i, point) ? 1 : 0);
        if (!isnan(point[i]) && param_legal(p, point[i]) != point[i])
            fail_msg("%s: %.17g is not legal", p->name.p, point[i]);
    }
}

void bed_ask(struct bed *b, uint64_t draw)
{
    buf_clear(&b->why);
    assert_int_equal(b->sampler->ops->suggest(b->sampler, b->history, draw, b->point, &b->why),
                     SUGGEST_OK);
    bed_assert_legal(b->space, b->point);
}

static void observe(struct bed *b, uint64_t trial)
{
    if (b->sampler)
        b->sampler->ops->observe(b->sampler, b->history, trial);
}

void bed_tell(struct bed *b, uint64_t trial, enum outcome o, double loss)
{
    history_propose(b->history, trial, b->point);
    observe(b, trial);
    if (o != OUTCOME_PENDING)
        bed_finish(b, trial, o, loss);
}

void bed_finish(struct bed *b, uint64_t trial, enum outcome o, double loss)
{
    history_finish(b->history, trial, o, loss);
    observe(b, trial);
}

bool bed_says(struct bed *b, const char *part)
{
    return strstr(buf_z(&b->why), part) != NULL;
}

static void add_plain(struct buf *out, struct rng *r, uint32_t *count)
{
    static const char *const kinds[] = {
        "\"float\":[-1,2]",
        "\"float\":[-1e300,1e300]",
        "\"float\":[1e-300,1e300],\"log\":true",
        "\"float\":[1e-5,1],\"log\":true",
        "\"float\":[0,0.999],\"log\":\"reverse\"",
        "\"float\":[2,2]",
        "\"float\":[1,1.0000000000000002]",
        "\"float\":[0,1],\"step\":0.25",
        "\"float\":[0,10],\"round\":0.3",
        "\"float\":[0.9,1.3],\"round\":1",
        "\"int\":[1,9]",
        "\"int\":[-1000000000000000,1000000000000000]",
        "\"int\":[16,512],\"log\":true,\"step\":16",
        "\"int\":[1,100000],\"log\":true",
        "\"int\":[7,7]",
        "\"int\":[1,5],\"unordered\":true",
        "\"randint\":100000007",
        "\"normal\":[3,2]",
        "\"normal\":[0,3],\"round\":1,\"int\":true",
        "\"lognormal\":[0,1]",
        "\"lognormal\":[0,1],\"round\":0.5",
        "\"choice\":[\"r\",\"s\",\"t\"]",
        "\"choice\":[1,2,3],\"weights\":[0.7,0.3,0]",
        "\"choice\":[\"one\"]",
        "\"value\":5",
    };
    buf_printf(out, "\"p%u\":{%s}", (*count)++, kinds[rng_below(r, BED_COUNT(kinds))]);
}

/* Members for `room` parameters or so; a choice with members of its own, as long as depth lasts. */
static void add_members(struct buf *out, struct rng *r, uint32_t room, uint32_t depth,
                        uint32_t *count)
{
    uint32_t n = 1 + (uint32_t)rng_below(r, room);
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0)
            buf_addz(out, ",");
        if (depth == 0 || rng_below(r, 4) > 0) {
            add_plain(out, r, count);
            continue;
        }
        uint32_t id = (*count)++;
        buf_printf(out, "\"p%u\":{\"choice\":[\"none\",{\"some\":{", id);
        add_members(out, r, room / 2 + 1, depth - 1, count);
        buf_addz(out, "}},{\"other\":{");
        add_members(out, r, room / 2 + 1, depth - 1, count);
        buf_addz(out, "}}]}");
        if (rng_below(r, 2)) {
            buf_printf(out, ",\"p%u\":{\"int\":[1,3],\"when\":{\"p%u\":[\"none\",\"some\"]}}",
                       *count, id);
            (*count)++;
        }
    }
}

void bed_random_space(struct buf *out, struct rng *r, uint32_t n)
{
    uint32_t count = 0;
    add_members(out, r, n, 2, &count);
}
