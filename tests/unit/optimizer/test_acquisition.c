/* The ratio of the two densities against the definition, computed from the trials themselves: every
 * density normalised, in double precision, with nothing left out that would cancel. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "acquisition.h"
#include "tunefarm_bed.h"

#define PI   3.14159265358979323846
#define FLAT "\"x\":{\"float\":[0,1]},\"y\":{\"float\":[1e-4,1],\"log\":true}"
#define MANY                                                                                       \
    FLAT ",\"k\":{\"int\":[0,9]},\"n\":{\"normal\":[0,1]},\"s\":{\"float\":[0,1],\"step\":0.25}"
#define CHOICES                                                                                    \
    "\"a\":{\"choice\":[1,2,3]},\"b\":{\"choice\":[1,2,3],\"weights\":[8,1,3]},"                   \
    "\"r\":{\"randint\":4},\"one\":{\"value\":7}"
#define BRANCHES                                                                                   \
    "\"x\":{\"float\":[0,1]},\"c\":{\"choice\":[{\"sgd\":{\"m\":{\"float\":[0,1]},"                \
    "\"d\":{\"choice\":[\"no\",{\"yes\":{\"e\":{\"float\":[0,1]},\"f\":{\"randint\":3}}}]}}},"     \
    "{\"adam\":{\"b\":{\"float\":[0,1]}}},\"none\"],\"weights\":[3,2,1]},"                         \
    "\"k\":{\"int\":[1,3]},\"l2\":{\"int\":[1,64],\"log\":true,\"when\":{\"k\":[2,3]}}"

static const struct acquisition_rule plain_rule = {
    .bandwidth = {.width = 0.6, .bad = 0.7, .spread = 0.25, .category = 1},
    .candidates = 24,
    .prior_good = 0.5,
    .prior_bad = 1};

/* A study whose evidence is thinned early, so that every kind of row is there. */
struct model {
    struct bed bed;
    struct evidence evidence;
    struct taken taken;
    struct acquisition acquisition;
};

static void tell(struct model *m, uint32_t trial, enum outcome o, double loss)
{
    bed_tell(&m->bed, trial, o, loss);
    evidence_observe(&m->evidence, m->bed.history, trial);
    (void)taken_observe(&m->taken, m->bed.history, trial);
}

static void open_model(struct model *m, const char *space, const struct acquisition_rule *rule,
                       uint32_t near_most, uint32_t far_most)
{
    bed_open(&m->bed, space, NULL);
    evidence_init(&m->evidence, m->bed.space, near_most, far_most);
    taken_init(&m->taken, m->bed.space->n);
    acquisition_init(&m->acquisition, &m->evidence, rule);
}

static void close_model(struct model *m)
{
    acquisition_fini(&m->acquisition);
    taken_fini(&m->taken);
    evidence_fini(&m->evidence);
    bed_close(&m->bed);
}

static void fill(struct model *m, uint32_t n, struct rng *r)
{
    static const enum outcome ends[] = {OUTCOME_COMPLETE, OUTCOME_COMPLETE, OUTCOME_COMPLETE,
                                        OUTCOME_FAILED,   OUTCOME_PENDING,  OUTCOME_CANCELLED};
    for (uint32_t t = 0; t < n; t++) {
        space_draw(m->bed.space, r, m->bed.point);
        enum outcome end = t < 12 ? OUTCOME_COMPLETE : ends[rng_below(r, BED_COUNT(ends))];
        tell(m, t, end, rng_unit(r));
    }
}

/* ---- the definition ---- */

static double prior_density(const struct axis *a, double place)
{
    return a->kind == AXIS_CATEGORY ? axis_prior(a, place) : 1;
}

static double kernel_density(const struct axis *a, double place, double at, double width,
                             double swap)
{
    if (a->kind == AXIS_CATEGORY)
        return ((place == at ? 1 : 0) + swap * axis_prior(a, place)) / (1 + swap);
    double z = (place - at) / width;
    return 1 / (PI * width * (1 + z * z));
}

/* Of a trial's component at the point, or of the prior's if trial is NULL. */
static double component(const struct model *m, const struct candidate *c, const double *trial,
                        const double *width, double swap)
{
    double density = 1;
    for (uint32_t i = 0; i < m->bed.space->n; i++) {
        const struct axis *a = &m->evidence.axes[i];
        if (c->place[i] < 0 || a->kind == AXIS_CONSTANT)
            continue;
        density *= trial && !isnan(trial[i])
                       ? kernel_density(a, c->place[i], axis_place(a, trial[i]), width[i], swap)
                       : prior_density(a, c->place[i]);
    }
    return density;
}

static double sum_bad(const struct model *m, const struct candidate *c, const struct roster *r,
                      uint32_t from, double weight)
{
    const struct bandwidth *w = &m->acquisition.widths;
    double sum = 0;
    for (uint32_t i = from; i < r->n; i++)
        sum += weight *
               component(m, c, history_point(m->bed.history, r->trial[i]), w->bad, w->swap_bad);
    return sum;
}

static double by_definition(const struct model *m, const struct candidate *c)
{
    const struct evidence *e = &m->evidence;
    const struct bandwidth *w = &m->acquisition.widths;
    const struct acquisition_rule *rule = m->acquisition.rule;
    double prior = component(m, c, NULL, NULL, 0), good = rule->prior_good * prior;
    for (uint32_t i = 0; i < w->n_good; i++)
        good += w->weight[i] * component(m, c, history_point(m->bed.history, e->near.trial[i]),
                                         w->good, w->swap_good);
    double bad = rule->prior_bad * prior;
    bad += sum_bad(m, c, &e->near, w->n_good, 1);
    bad += sum_bad(m, c, &e->far, 0, exp2(e->level));
    bad += sum_bad(m, c, &e->pending, 0, 1);
    double n_bad = (double)(e->ranked - w->n_good) + e->pending.n;
    return log(good / (w->n_good + rule->prior_good)) - log(bad / (n_bad + rule->prior_bad));
}

static void assert_score(struct model *m, const struct candidate *c)
{
    double got = acquisition_score(&m->acquisition, c), expected = by_definition(m, c);
    if (!(fabs(got - expected) <= 2e-5))
        fail_msg("%.9g, expected %.9g", got, expected);
}

/* ---- tests ---- */

static void scores_are_those_of_the_definition(void **state)
{
    (void)state;
    static const char *const spaces[] = {FLAT, MANY, CHOICES, BRANCHES, BRANCHES "," CHOICES};
    static const uint32_t sizes[] = {12, 40, 250};
    struct rng r;
    rng_seed(&r, 17);
    for (uint32_t turn = 0; turn < 3 * BED_COUNT(spaces); turn++) {
        struct model m;
        open_model(&m, spaces[turn / 3], &plain_rule, 30, 25);
        fill(&m, sizes[turn % 3], &r);
        assert_true(turn % 3 < 2 || (m.evidence.level > 0 && m.evidence.pending.n > 0));
        for (uint32_t n_good = 1; n_good < 12; n_good += 5) {
            (void)acquisition_choose(&m.acquisition, n_good, &m.taken, &r);
            for (uint32_t k = 0; k < 60; k++) {
                struct acquisition *a = &m.acquisition;
                candidate_draw(&a->next, &m.evidence, &a->widths, 0.5, UINT32_MAX, &r);
                assert_score(&m, &a->next);
            }
        }
        close_model(&m);
    }
}

/* Whatever the space: where a kernel's factors have limits of their own, the score is still a
 * number. */
static void scores_are_numbers_in_any_space(void **state)
{
    (void)state;
    const struct acquisition_rule rules[] = {
        plain_rule,
        {{10, 10, 100, 100}, 24, 1e-3, 1e-3},
        {{0.01, 0.01, 1e-3, 1e-3}, 24, 1000, 1000},
    };
    struct rng r;
    rng_seed(&r, 18);
    for (uint32_t turn = 0; turn < 60; turn++) {
        struct model m;
        struct buf space;
        buf_init(&space, 0);
        bed_random_space(&space, &r, 12);
        open_model(&m, buf_z(&space), &rules[turn % 3], 30, 25);
        fill(&m, 150, &r);
        for (uint32_t k = 0; k < 20; k++) {
            if (!acquisition_choose(&m.acquisition, 1 + turn % 11, &m.taken, &r))
                continue;
            assert_true(isfinite(m.acquisition.score));
            bed_assert_legal(m.bed.space, m.acquisition.best.point);
            assert_false(taken_has(&m.taken, m.acquisition.best.point) &&
                         !m.acquisition.best.continuous);
        }
        close_model(&m);
        buf_fini(&space);
    }
}

/* Five hundred parameters, all of one branch, that some trials lack; kernels as flat as can be. */
static void many_lacking_axes_are_no_matter(void **state)
{
    (void)state;
    const struct acquisition_rule rule = {{10, 10, 100, 1}, 24, 0.5, 1};
    struct model m;
    struct buf space;
    struct rng r;
    rng_seed(&r, 19);
    buf_init(&space, 0);
    buf_addz(&space, "\"c\":{\"choice\":[\"none\",{\"all\":{\"p0\":{\"float\":[0,1]}");
    for (uint32_t i = 1; i < 500; i++)
        buf_printf(&space, ",\"p%u\":{\"float\":[0,1]}", i);
    buf_addz(&space, "}}]}");
    open_model(&m, buf_z(&space), &rule, 0, 0);
    fill(&m, 60, &r);
    for (uint32_t k = 0; k < 20; k++) {
        assert_true(acquisition_choose(&m.acquisition, 5, &m.taken, &r));
        assert_true(isfinite(m.acquisition.score));
    }
    close_model(&m);
    buf_fini(&space);
}

/* The choice again by hand: the same draws from the same random numbers, the first of the best. */
static void the_best_of_those_drawn_is_chosen(void **state)
{
    (void)state;
    static const char *const spaces[] = {FLAT, BRANCHES, CHOICES};
    struct rng r;
    rng_seed(&r, 20);
    for (uint32_t turn = 0; turn < 60; turn++) {
        struct model m;
        struct candidate best, c;
        bool any = false;
        double best_score = 0;
        open_model(&m, spaces[turn % 3], &plain_rule, 0, 0);
        fill(&m, 20, &r);
        struct rng again = r;
        bool found = acquisition_choose(&m.acquisition, 4, &m.taken, &r);
        double score = m.acquisition.score;
        candidate_init(&best, m.bed.space->n);
        candidate_init(&c, m.bed.space->n);
        for (uint32_t i = 0; i < 24; i++) {
            uint32_t tries = 0;
            do {
                uint32_t fresh =
                    tries < 8 ? UINT32_MAX : (uint32_t)rng_below(&again, m.bed.space->n);
                candidate_draw(&c, &m.evidence, &m.acquisition.widths, 0.5, fresh, &again);
            } while (!c.continuous && taken_has(&m.taken, c.point) && ++tries < 16);
            if (tries == 16 || (any && acquisition_score(&m.acquisition, &c) <= best_score))
                continue;
            best_score = acquisition_score(&m.acquisition, &c);
            any = true;
            memcpy(best.place, c.place, m.bed.space->n * sizeof(double));
        }
        assert_int_equal(found, any);
        assert_memory_equal(&r, &again, sizeof r);
        assert_true(!any || score == best_score);
        assert_true(!any ||
                    !memcmp(best.place, m.acquisition.best.place, m.bed.space->n * sizeof(double)));
        candidate_fini(&best);
        candidate_fini(&c);
        close_model(&m);
    }
}

/* One free point among 27: it is chosen, or none; with none left there is no choice. */
static void no_choice_is_a_point_that_a_trial_has(void **state)
{
    (void)state;
    for (uint32_t free = 0; free < 28; free++) {
        struct model m;
        struct rng r;
        uint32_t trial = 0, found = 0;
        rng_seed(&r, free);
        open_model(&m, "\"a\":{\"choice\":[1,2,3]},\"b\":{\"int\":[0,2]},\"c\":{\"randint\":3}",
                   &plain_rule, 0, 0);
        for (uint32_t k = 0; k < 27; k++) {
            if (k == free)
                continue;
            const uint32_t digits[] = {k % 3, k / 3 % 3, k / 9};
            for (int i = 0; i < 3; i++)
                m.bed.point[i] = digits[i];
            tell(&m, trial++, k % 5 ? OUTCOME_COMPLETE : OUTCOME_PENDING, k);
        }
        for (uint32_t k = 0; k < 20; k++) {
            if (!acquisition_choose(&m.acquisition, 5, &m.taken, &r))
                continue;
            const double *p = m.acquisition.best.point;
            assert_true(p[0] + 3 * p[1] + 9 * p[2] == free);
            found++;
        }
        assert_int_equal(found > 0, free < 27);
        close_model(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_the_definition),
        cmocka_unit_test(scores_are_numbers_in_any_space),
        cmocka_unit_test(many_lacking_axes_are_no_matter),
        cmocka_unit_test(the_best_of_those_drawn_is_chosen),
        cmocka_unit_test(no_choice_is_a_point_that_a_trial_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
