/* Optuna's split, its blocks of parameters, and the choice, against Optuna's own figures. */
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
#include "optuna_model.h"

#define ONE      "{\"x\":{\"float\":[0,1]}}"
#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct optuna_config standard = {.gamma = 0.1,
                                              .prior_weight = 1,
                                              .joining = JOIN_COMMON,
                                              .magic_clip = true,
                                              .constant_liar = true};

struct bed {
    struct space *space;
    struct history *history;
    struct optuna_model model;
};

static struct space *parse(const char *space)
{
    struct json_object *v = NULL;
    struct errmsg em = {""};
    struct space *out = NULL;
    assert_int_equal(json_parse(str_of(space), JSON_STRICT, &v, &em), ERR_OK);
    if (space_parse(v, &out, &em))
        fail_msg("%s", em.text);
    json_object_put(v);
    return out;
}

static void open_bed(struct bed *b, const char *space, const struct optuna_config *c)
{
    b->space = parse(space);
    b->history = history_new(b->space);
    optuna_model_init(&b->model, b->space, c);
}

static void close_bed(struct bed *b)
{
    optuna_model_fini(&b->model);
    history_free(b->history);
    space_free(b->space);
}

static void propose(struct bed *b, uint32_t trial, const double *point)
{
    history_propose(b->history, trial, point);
    optuna_model_observe(&b->model, b->history, trial);
}

static void report(struct bed *b, uint32_t trial, int64_t step, double loss)
{
    history_report(b->history, trial, step, loss);
    optuna_model_observe(&b->model, b->history, trial);
}

static void finish(struct bed *b, uint32_t trial, enum outcome o, double loss)
{
    history_finish(b->history, trial, o, loss);
    optuna_model_observe(&b->model, b->history, trial);
}

static void assert_good(struct bed *b, uint32_t n, const uint32_t *trials)
{
    optuna_model_sync(&b->model, b->history);
    assert_int_equal(b->model.n_good, n);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(b->model.good[i], trials[i]);
    assert_int_equal(b->model.blocks[0].side[OPTUNA_GOOD].n, n);
}

static uint32_t bad(const struct bed *b)
{
    return b->model.blocks[0].side[OPTUNA_BAD].n;
}

static void gamma_is_a_tenth_up_to_25(void **state)
{
    (void)state;
    struct bed b;
    open_bed(&b, ONE, &standard);
    for (uint32_t t = 0; t < 400; t++) {
        double x = (double)t / 400;
        propose(&b, t, &x);
        finish(&b, t, OUTCOME_COMPLETE, x);
        uint32_t n = t + 1, tenth = (n + 9) / 10;
        optuna_model_sync(&b.model, b.history);
        assert_int_equal(b.model.n_good, tenth < 25 ? tenth : 25);
        assert_int_equal(bad(&b), n - b.model.n_good);
        if (n == 11 || n == 100 || n == 250)
            assert_int_equal(b.model.n_good, n == 11 ? 2 : n / 10);
    }
    close_bed(&b);
}

static void outcomes_count_as_documented(void **state)
{
    (void)state;
    struct bed b;
    const double x = 0.5;
    struct optuna_config half = standard;
    half.gamma = 0.5;
    open_bed(&b, ONE, &half);
    for (uint32_t t = 0; t < 16; t++)
        propose(&b, t, &x);
    assert_good(&b, 0, NULL);
    assert_int_equal(bad(&b), 16);
    finish(&b, 0, OUTCOME_FAILED, (double)NAN);
    finish(&b, 1, OUTCOME_CANCELLED, (double)NAN);
    report(&b, 15, 3, 1); /* a report alone changes nothing */
    assert_good(&b, 0, NULL);
    assert_int_equal(bad(&b), 14);
    finish(&b, 9, OUTCOME_COMPLETE, 4);
    finish(&b, 7, OUTCOME_COMPLETE, 4); /* a tie: the lower number is better */
    finish(&b, 12, OUTCOME_COMPLETE, -INFINITY);
    finish(&b, 2, OUTCOME_COMPLETE, INFINITY);
    assert_int_equal(b.model.counted, 4); /* pending ones do not count for gamma */
    assert_good(&b, 2, (uint32_t[]){12, 7});
    assert_int_equal(bad(&b), 12);
    close_bed(&b);
}

/* Complete ones first, whatever their loss; pruned ones by how far they came, then by their last
 * loss, NaN last; those without a report after all. */
static void pruned_trials_rank_behind_complete_ones(void **state)
{
    (void)state;
    struct bed b;
    const double x = 0.5;
    struct optuna_config all = standard;
    all.gamma = 1;
    open_bed(&b, ONE, &all);
    for (uint32_t t = 0; t < 9; t++)
        propose(&b, t, &x);
    finish(&b, 0, OUTCOME_PRUNED, (double)NAN); /* no report */
    report(&b, 1, 2, 5);
    report(&b, 2, 3, (double)NAN);
    report(&b, 3, 3, 9);
    report(&b, 4, 3, 8);
    report(&b, 5, 2, -INFINITY);
    report(&b, 6, 3, INFINITY);
    for (uint32_t t = 6; t > 0; t--)
        finish(&b, t, OUTCOME_PRUNED, (double)NAN);
    finish(&b, 8, OUTCOME_COMPLETE, INFINITY);
    finish(&b, 7, OUTCOME_PRUNED, (double)NAN);
    assert_good(&b, 9, (uint32_t[]){8, 4, 3, 2, 6, 5, 1, 0, 7});
    close_bed(&b);
}

static void without_the_liar_pending_trials_are_not_there(void **state)
{
    (void)state;
    struct bed b;
    const double x = 0.5;
    struct optuna_config honest = standard;
    honest.constant_liar = false;
    open_bed(&b, ONE, &honest);
    for (uint32_t t = 0; t < 30; t++)
        propose(&b, t, &x);
    for (uint32_t t = 0; t < 20; t++)
        finish(&b, t, OUTCOME_COMPLETE, t);
    assert_good(&b, 2, (uint32_t[]){0, 1});
    assert_int_equal(bad(&b), 18);
    close_bed(&b);
}

/* A history of every outcome in a space with a branch, and what Optuna makes of it. */
#define BRANCH                                                                                     \
    "{\"x\":{\"float\":[-5,10]},\"k\":{\"int\":[1,9]},\"opt\":{\"choice\":[\"sgd\",\"adam\"]},"    \
    "\"m\":{\"float\":[0,0.99],\"when\":{\"opt\":[\"sgd\"]}},"                                     \
    "\"b2\":{\"int\":[1,3],\"when\":{\"opt\":[\"adam\"]}}}"
enum { X, K, OPT, M, B2, PARAMS };

static double part(uint32_t k, uint32_t d)
{
    return ((k * 7919 + d * 104729 + k * k * 31) % 1000) / 1000.0;
}

static double made(uint32_t param, uint32_t k, uint32_t other)
{
    double u = part(k, param + other);
    switch (param) {
    case X:
        return -5 + 15 * u;
    case M:
        return 0.99 * u;
    case OPT:
        return floor(2 * u);
    default:
        return 1 + floor((param == K ? 9 : 3) * u);
    }
}

static void make_history(struct bed *b)
{
    for (uint32_t t = 0; t < 60; t++) {
        double point[PARAMS];
        for (uint32_t i = 0; i < PARAMS; i++)
            point[i] = made(i, t, 0);
        point[point[OPT] > 0 ? M : B2] = (double)NAN;
        propose(b, t, point);
        if (t >= 55)
            continue;
        if (t % 11 == 5) {
            finish(b, t, OUTCOME_FAILED, (double)NAN);
        } else if (t % 7 == 3) {
            if (t % 14 != 3)
                report(b, t, t % 4, t % 5 ? part(t, 7) : (double)NAN);
            finish(b, t, OUTCOME_PRUNED, (double)NAN);
        } else {
            finish(b, t, OUTCOME_COMPLETE, part(t, 6));
        }
    }
}

/* ln l - ln g at four points, for the block whose first parameter is `first`. From
 * _split_trials and _build_parzen_estimator of Optuna git 1d8ce7b, v4.9.0 for the common width. */
static const struct {
    enum optuna_joining joining;
    bool common_width, liar;
    uint32_t first, n;
    double ratio[4];
} ratios[] = {
    {JOIN_COMMON,
     false,
     true,
     X,
     3,
     {-2.217615648720, -4.484315104331, -4.356100476151, -3.660666319597}},
    {JOIN_COMMON,
     false,
     true,
     M,
     1,
     {1.434488453992, 1.018099405376, 1.115609025212, 1.697299881561}},
    {JOIN_COMMON,
     false,
     true,
     B2,
     1,
     {-0.665370227368, -0.665370227368, -0.665370227368, 0.126015525898}},
    {JOIN_COMMON,
     false,
     false,
     X,
     3,
     {-2.308047964750, -4.376046475941, -4.347193939563, -3.759910777368}},
    {JOIN_COMMON,
     false,
     false,
     M,
     1,
     {1.015883504431, 0.699471579571, 0.772075896215, 1.245398788086}},
    {JOIN_ALIKE,
     false,
     true,
     X,
     3,
     {-2.217615648720, -4.484315104331, -4.356100476151, -3.660666319597}},
    {JOIN_ALIKE,
     false,
     true,
     M,
     1,
     {1.434488453992, 1.018099405376, 1.115609025212, 1.697299881561}},
    {JOIN_COMMON,
     true,
     true,
     X,
     3,
     {-3.028636622919, -3.460512304240, -3.446792874673, -2.894157170999}},
    {JOIN_COMMON,
     true,
     false,
     M,
     1,
     {1.429444723592, 1.414448563230, 1.444055134371, 1.354553487082}},
    {JOIN_NOTHING,
     false,
     false,
     X,
     1,
     {0.128145185072, -1.005626093193, -0.892311152330, -0.445058977898}},
    {JOIN_NOTHING,
     false,
     false,
     K,
     1,
     {-0.536257831465, -1.516683721906, -1.516683721906, -0.536257831465}},
    {JOIN_NOTHING,
     false,
     false,
     OPT,
     1,
     {-1.098156546761, -1.098156546761, -1.098156546761, -1.098156546761}},
    {JOIN_NOTHING,
     false,
     false,
     B2,
     1,
     {-0.615619522272, -0.615619522272, -0.615619522272, 0.044493259491}},
};

static void histories_are_read_as_optuna_reads_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ratios); i++) {
        struct bed b;
        struct optuna_config c = standard;
        double values[PARAMS * 4], good[4], worse[4];
        c.joining = ratios[i].joining;
        c.common_width = ratios[i].common_width;
        c.constant_liar = ratios[i].liar;
        open_bed(&b, BRANCH, &c);
        make_history(&b);
        optuna_model_sync(&b.model, b.history);
        assert_int_equal(b.model.counted, 50);
        const struct optuna_block *k = &b.model.blocks[b.model.block_of[ratios[i].first]];
        assert_int_equal(k->params[0], ratios[i].first);
        assert_int_equal(k->shape.n_dims, ratios[i].n);
        for (uint32_t d = 0; d < k->shape.n_dims; d++)
            for (uint32_t p = 0; p < 4; p++)
                values[d * 4 + p] = made(k->params[d], p, 17);
        mixture_log_density(&k->side[OPTUNA_GOOD], &k->shape, values, 4, good);
        mixture_log_density(&k->side[OPTUNA_BAD], &k->shape, values, 4, worse);
        uint32_t best = 0;
        for (uint32_t p = 0; p < 4; p++) {
            if (!(fabs(good[p] - worse[p] - ratios[i].ratio[p]) < 1e-10))
                fail_msg("case %zu: %.12f, expected %.12f", i, good[p] - worse[p],
                         ratios[i].ratio[p]);
            best = ratios[i].ratio[p] > ratios[i].ratio[best] ? p : best;
        }
        assert_int_equal(optuna_model_choose(k, values, 4), best);
        close_bed(&b);
    }
}

static void the_good_ones_are_optunas(void **state)
{
    (void)state;
    struct bed b;
    open_bed(&b, BRANCH, &standard);
    make_history(&b);
    optuna_model_sync(&b.model, b.history);
    uint64_t good = 0;
    for (uint32_t i = 0; i < b.model.n_good; i++)
        good |= UINT64_C(1) << b.model.good[i];
    assert_int_equal(b.model.n_good, 5);
    assert_true(good == (UINT64_C(1) << 6 | UINT64_C(1) << 15 | UINT64_C(1) << 19 |
                         UINT64_C(1) << 29 | UINT64_C(1) << 47));
    close_bed(&b);
}

#define SEVEN                                                                                      \
    "{\"a\":{\"float\":[0,1]},\"b\":{\"float\":[0,1]},\"c\":{\"float\":[0,1]},"                    \
    "\"d\":{\"float\":[0,1]},\"e\":{\"float\":[0,1]},\"one\":{\"float\":[2,2]},"                   \
    "\"f\":{\"float\":[0,1]}}"
#define NONE PARTITION_CONSTANT

/* has: which parameters the trial had, as a text of 0 and 1. */
static void add(struct optuna_partition *p, const char *has)
{
    double point[7];
    for (int i = 0; i < 7; i++)
        point[i] = has[i] == '1' ? 0.5 : (double)NAN;
    optuna_partition_add(p, point);
}

static void assert_blocks(const struct optuna_partition *p, const uint32_t *expected)
{
    for (int i = 0; i < 7; i++)
        assert_int_equal(p->block[i], expected[i]);
}

static void blocks_are_what_all_trials_had(void **state)
{
    (void)state;
    struct space *space = parse(SEVEN);
    struct optuna_partition p;
    optuna_partition_init(&p, space, JOIN_COMMON);
    assert_blocks(&p, (uint32_t[]){0, 1, 2, 3, 4, NONE, 6});
    add(&p, "1111110");
    assert_blocks(&p, (uint32_t[]){0, 0, 0, 0, 0, NONE, 6});
    add(&p, "0110111");
    assert_blocks(&p, (uint32_t[]){0, 1, 1, 3, 1, NONE, 6});
    add(&p, "1111111"); /* what once lacked is never common again */
    assert_blocks(&p, (uint32_t[]){0, 1, 1, 3, 1, NONE, 6});
    optuna_partition_fini(&p);
    space_free(space);
}

static void groups_are_what_the_same_trials_had(void **state)
{
    (void)state;
    struct space *space = parse(SEVEN);
    struct optuna_partition p;
    optuna_partition_init(&p, space, JOIN_ALIKE);
    add(&p, "1110010");
    assert_blocks(&p, (uint32_t[]){0, 0, 0, 3, 4, NONE, 6});
    add(&p, "1101110");
    assert_blocks(&p, (uint32_t[]){0, 0, 2, 3, 3, NONE, 6});
    add(&p, "1000111");
    assert_blocks(&p, (uint32_t[]){0, 1, 2, 3, 4, NONE, 6});
    optuna_partition_fini(&p);
    const char *trials[] = {"1101010", "1100111", "0011010", "1100010"};
    for (int turn = 0; turn < 2; turn++) { /* in any order */
        optuna_partition_init(&p, space, JOIN_ALIKE);
        for (int i = 0; i < 4; i++)
            add(&p, trials[turn ? 3 - i : i]);
        assert_blocks(&p, (uint32_t[]){0, 0, 2, 3, 4, NONE, 4});
        optuna_partition_fini(&p);
    }
    space_free(space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gamma_is_a_tenth_up_to_25),
        cmocka_unit_test(outcomes_count_as_documented),
        cmocka_unit_test(pruned_trials_rank_behind_complete_ones),
        cmocka_unit_test(without_the_liar_pending_trials_are_not_there),
        cmocka_unit_test(histories_are_read_as_optuna_reads_them),
        cmocka_unit_test(the_good_ones_are_optunas),
        cmocka_unit_test(blocks_are_what_all_trials_had),
        cmocka_unit_test(groups_are_what_the_same_trials_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
