/* TPE's split and choice, against the definition. */
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
#include "spec.h"
#include "tpe_suggest.h"

struct bed {
    struct space *space;
    struct history *history;
    struct tpe_model model;
};

static void open_bed(struct bed *b, const char *space)
{
    struct json_object *v = NULL;
    struct errmsg em = {""};
    assert_int_equal(json_parse(str_of(space), JSON_STRICT, &v, &em), ERR_OK);
    if (space_parse(v, &b->space, &em))
        fail_msg("%s", em.text);
    json_object_put(v);
    b->history = history_new(b->space);
    tpe_model_init(&b->model, b->space, 0.25, 1);
}

static void close_bed(struct bed *b)
{
    tpe_model_fini(&b->model);
    history_free(b->history);
    space_free(b->space);
}

static void propose(struct bed *b, uint32_t trial, const double *point)
{
    history_propose(b->history, trial, point);
    tpe_model_observe(&b->model, b->history, trial);
}

static void finish(struct bed *b, uint32_t trial, enum outcome o, double loss)
{
    history_finish(b->history, trial, o, loss);
    tpe_model_observe(&b->model, b->history, trial);
}

static void assert_good(struct bed *b, uint32_t n, const uint32_t *trials)
{
    tpe_model_sync(&b->model, b->history);
    assert_int_equal(b->model.n_good, n);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(b->model.good[i], trials[i]);
    assert_int_equal(b->model.densities[0].side[TPE_GOOD].n, n);
    assert_int_equal(b->model.densities[0].side[TPE_BAD].n, b->model.counted - n);
}

static void the_best_quarter_root_is_good(void **state)
{
    (void)state;
    struct bed b;
    const double losses[] = {.9, .1, .5, .2, .7, .3, .8, .4};
    open_bed(&b, "{\"x\":{\"float\":[0,1]}}");
    for (uint32_t t = 0; t < 8; t++)
        propose(&b, t, &losses[t]);
    for (uint32_t t = 8; t-- > 0;)
        finish(&b, t, OUTCOME_COMPLETE, losses[t]);
    assert_good(&b, 1, (uint32_t[]){1});
    for (uint32_t t = 8; t < 17; t++) { /* pending ones count; 17 need ceil(1.03) = 2 */
        propose(&b, t, &losses[0]);
    }
    assert_good(&b, 2, (uint32_t[]){1, 3});
    close_bed(&b);
}

static void outcomes_count_as_documented(void **state)
{
    (void)state;
    struct bed b;
    const double x = 0.5;
    open_bed(&b, "{\"x\":{\"float\":[0,1]}}");
    for (uint32_t t = 0; t < 20; t++)
        propose(&b, t, &x);
    assert_int_equal(b.model.counted, 20);
    assert_good(&b, 2, (uint32_t[]){0, 1}); /* none has a loss: the lowest numbers */
    finish(&b, 0, OUTCOME_FAILED, (double)NAN);
    finish(&b, 1, OUTCOME_CANCELLED, (double)NAN);
    assert_int_equal(b.model.counted, 18);
    history_report(b.history, 2, 1, -5);
    tpe_model_observe(&b.model, b.history, 2);
    finish(&b, 2, OUTCOME_PRUNED, (double)NAN); /* counts, but its last report is no result */
    finish(&b, 3, OUTCOME_COMPLETE, INFINITY);
    assert_int_equal(b.model.counted, 18);
    assert_good(&b, 2, (uint32_t[]){2, 3});
    finish(&b, 9, OUTCOME_COMPLETE, 4);
    finish(&b, 7, OUTCOME_COMPLETE, 4); /* a tie: the lower number is better */
    finish(&b, 12, OUTCOME_COMPLETE, -INFINITY);
    assert_good(&b, 2, (uint32_t[]){12, 7});
    close_bed(&b);
}

static void good_are_never_more_than_25(void **state)
{
    (void)state;
    struct bed b;
    open_bed(&b, "{\"x\":{\"float\":[0,1]}}");
    for (uint32_t t = 0; t < 10200; t++) {
        double x = (double)t / 10200;
        propose(&b, t, &x);
        finish(&b, t, OUTCOME_COMPLETE, x);
        if (t == 399 || t == 999 || t == 9216) {
            tpe_model_sync(&b.model, b.history);
            assert_int_equal(b.model.n_good, t == 399 ? 5 : t == 999 ? 8 : 25);
        }
    }
    tpe_model_sync(&b.model, b.history);
    assert_int_equal(b.model.n_good, 25);
    close_bed(&b);
}

/* ln l - ln g of every candidate in full, and the first of the greatest. */
static uint32_t by_definition(const struct tpe_density *d, const double *y, uint32_t n)
{
    uint32_t best = 0;
    double greatest = -INFINITY;
    for (uint32_t i = 0; i < n; i++) {
        double lo = y[i], hi = y[i], good, bad;
        if (d->dim.kind == TPE_CELL)
            tpe_dim_cell(&d->dim, tpe_dim_value(&d->dim, y[i]), &lo, &hi);
        struct spots s = {&lo, &hi, 1, d->dim.kind == TPE_CELL};
        parzen_sum(&d->side[TPE_GOOD], &d->dim.prior, &s, &good);
        parzen_sum(&d->side[TPE_BAD], &d->dim.prior, &s, &bad);
        double score = good / bad;
        if (score > greatest) {
            greatest = score;
            best = i;
        }
    }
    return best;
}

/* That most candidates are ruled out by a bound must not show. */
static void the_first_best_candidate_wins(void **state)
{
    (void)state;
    struct bed b;
    struct rng r;
    open_bed(&b, "{\"x\":{\"float\":[-1,1]},\"lr\":{\"float\":[1e-5,1],\"log\":true},"
                 "\"m\":{\"float\":[0,0.99],\"log\":\"reverse\"},\"k\":{\"int\":[1,8]},"
                 "\"u\":{\"int\":[16,512],\"log\":true,\"step\":16},\"n\":{\"int\":[1,5000]},"
                 "\"q\":{\"float\":[0,10],\"round\":0.3},\"s\":{\"normal\":[0,2]}}");
    rng_seed(&r, 5);
    for (uint32_t t = 0; t < 1500; t++) {
        double point[8], loss = 0;
        for (uint32_t i = 0; i < b.space->n; i++) {
            double u = rng_unit(&r);
            point[i] =
                param_from_unit(&b.space->params[i], t > 100 && u < 0.7 ? 0.4 + 0.05 * u : u);
            loss += fabs(u - 0.4);
        }
        propose(&b, t, point);
        if (t % 7)
            finish(&b, t, OUTCOME_COMPLETE, loss);
        if (t < 20 || t % 41)
            continue;
        tpe_model_sync(&b.model, b.history);
        for (uint32_t i = 0; i < b.space->n; i++) {
            const struct tpe_density *d = &b.model.densities[i];
            double y[24];
            for (int k = 0; k < 24; k++)
                y[k] = parzen_draw(&d->side[TPE_GOOD], &d->dim.prior, &r);
            assert_int_equal(tpe_choose(d, y, 24), by_definition(d, y, 24));
        }
    }
    close_bed(&b);
}

static const struct param *only(struct bed *b, const char *space)
{
    open_bed(b, space);
    return &b->space->params[0];
}

static void grids_have_full_end_cells(void **state)
{
    (void)state;
    struct bed b;
    struct tpe_dim d;
    double lo, hi;
    tpe_dim_init(&d, only(&b, "{\"k\":{\"int\":[1,8]}}"), 1);
    assert_int_equal(d.kind, TPE_CELL);
    assert_true(d.prior.low == 0.5 && d.prior.high == 8.5 && d.prior.mean == 4.5 &&
                d.prior.width == 8);
    tpe_dim_cell(&d, 1, &lo, &hi);
    assert_true(lo == 0.5 && hi == 1.5);
    tpe_dim_cell(&d, 8, &lo, &hi);
    assert_true(lo == 7.5 && hi == 8.5);
    assert_true(tpe_dim_value(&d, 0.51) == 1 && tpe_dim_value(&d, 8.49) == 8);
    close_bed(&b);
}

static void rounded_types_are_hyperopts(void **state)
{
    (void)state;
    struct bed b;
    struct tpe_dim d;
    double lo, hi;
    tpe_dim_init(&d, only(&b, "{\"q\":{\"float\":[0,10],\"round\":2}}"), 1);
    assert_true(d.prior.low == 0 && d.prior.high == 10);
    tpe_dim_cell(&d, 0, &lo, &hi);
    assert_true(lo == 0 && hi == 1);
    tpe_dim_cell(&d, 10, &lo, &hi);
    assert_true(lo == 9 && hi == 10);
    close_bed(&b);
}

static void normal_priors_have_no_bounds(void **state)
{
    (void)state;
    struct bed b;
    struct tpe_dim d;
    tpe_dim_init(&d, only(&b, "{\"s\":{\"normal\":[3,2]}}"), 1);
    assert_int_equal(d.kind, TPE_POINT);
    assert_true(isinf(d.prior.low) && isinf(d.prior.high));
    assert_true(d.prior.mean == 3 && d.prior.width == 2);
    close_bed(&b);
}

static void weights_of_choices_are_hyperopts(void **state)
{
    (void)state;
    struct bed b;
    struct tpe_dim d;
    tpe_dim_init(&d, only(&b, "{\"c\":{\"choice\":[\"a\",\"b\",\"c\"]}}"), 1);
    assert_int_equal(d.kind, TPE_CATEGORY);
    for (int i = 0; i < 3; i++) /* (2, 1, 3) / 6 with the observations 0 2 2 */
        assert_true(tpe_dim_pseudo(&d, i) == 1);
    close_bed(&b);
    tpe_dim_init(
        &d, only(&b, "{\"c\":{\"choice\":[\"a\",\"b\",\"c\"],\"weights\":[0.5,0.25,0.25]}}"), 1);
    assert_true(tpe_dim_pseudo(&d, 0) == 1.5 && tpe_dim_pseudo(&d, 1) == 0.75);
    close_bed(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_quarter_root_is_good),
        cmocka_unit_test(outcomes_count_as_documented),
        cmocka_unit_test(good_are_never_more_than_25),
        cmocka_unit_test(the_first_best_candidate_wins),
        cmocka_unit_test(grids_have_full_end_cells),
        cmocka_unit_test(rounded_types_are_hyperopts),
        cmocka_unit_test(normal_priors_have_no_bounds),
        cmocka_unit_test(weights_of_choices_are_hyperopts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
