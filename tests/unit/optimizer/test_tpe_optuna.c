/* The preset `optuna` as a whole: legal points in any space, settings, the random start. */
#include <json-c/json.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "json.h"
#include "rng.h"
#include "sampler.h"

#define ONE "{\"x\":{\"float\":[0,1]}}"
#define BRANCH                                                                                     \
    "{\"x\":{\"float\":[-5,10]},\"k\":{\"int\":[1,9]},\"opt\":{\"choice\":[\"sgd\",\"adam\"]},"    \
    "\"m\":{\"float\":[0,0.99],\"when\":{\"opt\":[\"sgd\"]}},"                                     \
    "\"b2\":{\"int\":[1,3],\"when\":{\"opt\":[\"adam\"]}}}"
enum { X, K, OPT };
#define COUNT(a) (sizeof(a) / sizeof *(a))

struct whole {
    struct spec *spec;
    struct sampler *sampler;
    struct history *history;
    double *point;
    struct buf why;
};

static err_t create(struct whole *w, const char *space, const char *settings, struct errmsg *em)
{
    struct buf text;
    *w = (struct whole){0};
    buf_init(&text, 0);
    buf_init(&w->why, 4096);
    buf_printf(&text,
               "{\"study\":\"s\",\"objective\":{\"command\":[\"x\"]},\"space\":%s,"
               "\"sampler\":{\"name\":\"tpe\",\"preset\":\"optuna\",\"seed\":3%s}}",
               space, settings);
    err_t e = spec_parse(buf_str(&text), &w->spec, em);
    buf_fini(&text);
    if (e)
        return e;
    w->history = history_new(w->spec->space);
    w->point = calloc(w->spec->space->n, sizeof *w->point);
    return sampler_find(STR("tpe"))
        ->create(&w->sampler, w->spec->space, &w->spec->sampler, false, em);
}

static void destroy(struct whole *w)
{
    if (w->sampler)
        w->sampler->ops->destroy(w->sampler);
    history_free(w->history);
    spec_free(w->spec);
    free(w->point);
    buf_fini(&w->why);
}

static void ask(struct whole *w, uint64_t trial)
{
    const struct space *space = w->spec->space;
    buf_clear(&w->why);
    assert_int_equal(w->sampler->ops->suggest(w->sampler, w->history, trial, w->point, &w->why),
                     SUGGEST_OK);
    for (uint32_t i = 0; i < space->n; i++) {
        assert_int_equal(isnan(w->point[i]) ? 0 : 1, space_active(space, i, w->point) ? 1 : 0);
        assert_true(isnan(w->point[i]) ||
                    param_legal(&space->params[i], w->point[i]) == w->point[i]);
    }
}

static void tell(struct whole *w, uint64_t trial, enum outcome o, double loss)
{
    history_propose(w->history, trial, w->point);
    w->sampler->ops->observe(w->sampler, w->history, trial);
    if (o == OUTCOME_PENDING)
        return;
    history_finish(w->history, trial, o, loss);
    w->sampler->ops->observe(w->sampler, w->history, trial);
}

/* Some parameter, maybe of a branch of the first. */
static void add_param(struct buf *text, struct rng *r, uint32_t i)
{
    static const char *const kinds[] = {"\"float\":[-1,2]",
                                        "\"float\":[1e-5,1],\"log\":true",
                                        "\"float\":[0,0.999],\"log\":\"reverse\"",
                                        "\"int\":[1,9]",
                                        "\"int\":[1,100000]",
                                        "\"int\":[16,512],\"log\":true,\"step\":16",
                                        "\"float\":[0,1],\"step\":0.25",
                                        "\"float\":[0,10],\"round\":0.3",
                                        "\"normal\":[3,2]",
                                        "\"lognormal\":[0,1],\"round\":0.5",
                                        "\"int\":[1,5],\"unordered\":true",
                                        "\"choice\":[1,2,3],\"weights\":[0.7,0.3,0]",
                                        "\"choice\":[\"one\"]",
                                        "\"float\":[2,2]"};
    buf_printf(text, ",\"p%u\":{%s", i, kinds[rng_below(r, COUNT(kinds))]);
    if (rng_below(r, 3) == 0)
        buf_printf(text, ",\"when\":{\"b\":[%u]}", (unsigned)rng_below(r, 3));
    buf_addz(text, "}");
}

static void live(struct whole *w, struct rng *r, uint64_t n)
{
    static const double losses[] = {INFINITY, -INFINITY, 0, 1e300};
    static const enum outcome outcomes[] = {OUTCOME_PENDING, OUTCOME_PRUNED, OUTCOME_FAILED,
                                            OUTCOME_CANCELLED};
    for (uint64_t t = 0; t < n; t++) {
        uint64_t how = rng_below(r, 24);
        ask(w, t);
        double loss = how < 4 ? losses[how] : w->point[0] + rng_unit(r);
        tell(w, t, how < 20 ? OUTCOME_COMPLETE : outcomes[how - 20], loss);
    }
}

static void points_of_any_space_are_legal(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "",
        ",\"group\":true",
        ",\"generation\":4",
        ",\"generation\":4,\"multivariate\":true",
        ",\"multivariate\":false,\"constant_liar\":false,\"endpoints\":true",
        ",\"magic_clip\":false,\"prior_weight\":0.01,\"candidates\":7,\"gamma\":0.5"};
    struct rng r;
    rng_seed(&r, 77);
    for (size_t i = 0; i < 8 * COUNT(settings); i++) {
        struct whole w;
        struct buf space;
        struct errmsg em = {""};
        buf_init(&space, 0);
        buf_addz(&space, "{\"b\":{\"choice\":[0,1,2]}");
        for (uint32_t k = 0, n = (uint32_t)rng_below(&r, 12); k < n; k++)
            add_param(&space, &r, k);
        buf_addz(&space, "}");
        if (create(&w, buf_z(&space), settings[i % COUNT(settings)], &em))
            fail_msg("%s: %s", buf_z(&space), em.text);
        live(&w, &r, 60);
        destroy(&w);
        buf_fini(&space);
    }
}

static void five_hundred_parameters_are_no_matter(void **state)
{
    (void)state;
    struct whole w;
    struct buf space;
    struct errmsg em = {""};
    struct rng r;
    rng_seed(&r, 5);
    buf_init(&space, 0);
    buf_addz(&space, "{\"b\":{\"choice\":[0,1,2]}");
    for (uint32_t k = 0; k < 499; k++)
        buf_printf(&space, ",\"p%u\":{%s}", k, k % 2 ? "\"float\":[0,1]" : "\"int\":[0,1000000]");
    buf_addz(&space, "}");
    if (create(&w, buf_z(&space), "", &em))
        fail_msg("%s", em.text);
    live(&w, &r, 30);
    ask(&w, 30);
    assert_non_null(strstr(buf_z(&w.why), "\"blocks\":1,"));
    destroy(&w);
    buf_fini(&space);
}

/* Ten finished ones it takes; pending and failed ones are none. */
static void startup_counts_finished_trials(void **state)
{
    (void)state;
    struct whole w;
    struct errmsg em = {""};
    assert_int_equal(create(&w, ONE, "", &em), ERR_OK);
    for (uint64_t t = 0; t < 40; t++) {
        ask(&w, t);
        bool finished = t % 4 == 0;
        assert_non_null(strstr(buf_z(&w.why), t < 37 ? "startup" : "model"));
        tell(&w, t,
             finished     ? t % 8 ? OUTCOME_PRUNED : OUTCOME_COMPLETE
             : t % 4 == 1 ? OUTCOME_FAILED
                          : OUTCOME_PENDING,
             0.5);
    }
    destroy(&w);
}

static void settings_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *fault;
    } cases[] = {
        {"\"group\":true,\"multivariate\":false", "sampler.group"},
        {"\"multivariate\":1", "sampler.multivariate: expected true or false"},
        {"\"generation\":3", "sampler.generation"},
        {"\"gamma\":0", "sampler.gamma"},
        {"\"candidates\":0", "sampler.candidates"},
        {"\"endpoint\":true", "did you mean \"endpoints\""},
        {"\"generation\":4,\"group\":true,\"magic_clip\":false", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct whole w;
        struct errmsg em = {""};
        char text[200];
        snprintf(text, sizeof text, ",%s", cases[i].settings);
        err_t e = create(&w, ONE, text, &em);
        assert_int_equal(e != ERR_OK, cases[i].fault != NULL);
        if (cases[i].fault && !strstr(em.text, cases[i].fault))
            fail_msg("%s", em.text);
        destroy(&w);
    }
}

/* A minimum in a corner of a space with a branch is found. */
static void it_finds_a_minimum(void **state)
{
    (void)state;
    struct whole w;
    struct errmsg em = {""};
    double best = INFINITY;
    assert_int_equal(create(&w, BRANCH, "", &em), ERR_OK);
    for (uint64_t t = 0; t < 120; t++) {
        ask(&w, t);
        double loss = pow(w.point[X] + 4, 2) + w.point[K] + 3 * w.point[OPT];
        best = loss < best ? loss : best;
        tell(&w, t, OUTCOME_COMPLETE, loss);
    }
    assert_true(best < 1.05);
    destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_of_any_space_are_legal),
        cmocka_unit_test(five_hundred_parameters_are_no_matter),
        cmocka_unit_test(startup_counts_finished_trials),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(it_finds_a_minimum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
