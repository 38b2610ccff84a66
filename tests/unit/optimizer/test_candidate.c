/* What is drawn has the distribution that the header states. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "candidate.h"
#include "tunefarm_bed.h"

#define DRAWS 40000
/* Five standard deviations of a share of DRAWS. */
#define ERROR(p) (5 * sqrt((p) * (1 - (p)) / DRAWS) + 1e-9)

static const struct bandwidth_rule rule = {0.6, 0.7, 0.25, 1};

struct draws {
    struct bed bed;
    struct evidence evidence;
    struct bandwidth widths;
    struct candidate candidate;
    struct rng r;
    uint32_t trials;
};

static void open_draws(struct draws *d, const char *space)
{
    bed_open(&d->bed, space, NULL);
    evidence_init(&d->evidence, d->bed.space, 0, 0);
    bandwidth_init(&d->widths, d->bed.space->n);
    candidate_init(&d->candidate, d->bed.space->n);
    rng_seed(&d->r, 44);
    d->trials = 0;
}

static void close_draws(struct draws *d)
{
    candidate_fini(&d->candidate);
    bandwidth_fini(&d->widths);
    evidence_fini(&d->evidence);
    bed_close(&d->bed);
}

/* One trial more, worse than those before. */
static void add(struct draws *d, const double *point)
{
    memcpy(d->bed.point, point, d->bed.space->n * sizeof *point);
    bed_tell(&d->bed, d->trials, OUTCOME_COMPLETE, d->trials);
    evidence_observe(&d->evidence, d->bed.history, d->trials++);
}

static const double *draw(struct draws *d, double prior_weight, uint32_t fresh)
{
    candidate_draw(&d->candidate, &d->evidence, &d->widths, prior_weight, fresh, &d->r);
    candidate_finish(&d->candidate, &d->evidence);
    bed_assert_legal(d->bed.space, d->candidate.point);
    return d->candidate.point;
}

static void assert_share(double count, double p)
{
    if (!(fabs(count / DRAWS - p) <= ERROR(p)))
        fail_msg("%g, expected %g", count / DRAWS, p);
}

static void components_come_by_their_weights(void **state)
{
    (void)state;
    struct draws d;
    double count[4] = {0};
    open_draws(&d, "\"x\":{\"float\":[0,1]}");
    for (uint32_t t = 0; t < 5; t++)
        add(&d, (const double[]){0.1 * t});
    bandwidth_fit(&d.widths, &rule, &d.evidence, 3);
    for (uint32_t i = 0; i < DRAWS; i++) {
        draw(&d, 0.5, UINT32_MAX);
        uint32_t around = d.candidate.around;
        assert_true(around < 3 || around == CANDIDATE_PRIOR);
        count[around < 3 ? around : 3]++;
    }
    for (uint32_t i = 0; i < 3; i++)
        assert_share(count[i], d.widths.weight[i] / 3.5);
    assert_share(count[3], 0.5 / 3.5);
    close_draws(&d);
}

/* The mass of a Cauchy kernel below x once its tails are folded in at 0 and 1; what is beyond -1
 * and 2 is uniform. */
static double folded(double x, double at, double width)
{
    double pi = acos(-1);
    double direct = atan((x - at) / width) - atan((0 - at) / width);
    double low = atan((0 - at) / width) - atan((-x - at) / width);
    double high = atan((2 - at) / width) - atan((2 - x - at) / width);
    double inside = (atan((2 - at) / width) - atan((-1 - at) / width)) / pi;
    return (direct + low + high) / pi + (1 - inside) * x;
}

static void numbers_are_folded_in_at_the_bounds(void **state)
{
    (void)state;
    static const double places[] = {0, 0.02, 0.5, 1};
    for (size_t k = 0; k < BED_COUNT(places); k++) {
        struct draws d;
        double below[10] = {0};
        open_draws(&d, "\"x\":{\"float\":[0,1]}");
        add(&d, &places[k]);
        add(&d, &places[k]);
        bandwidth_fit(&d.widths, &rule, &d.evidence, 1);
        for (uint32_t i = 0; i < DRAWS; i++) {
            double x = draw(&d, 0, UINT32_MAX)[0];
            assert_true(d.candidate.continuous);
            for (int c = 1; c < 10; c++)
                below[c] += x < 0.1 * c;
        }
        for (int c = 1; c < 10; c++)
            assert_share(below[c], folded(0.1 * c, places[k], d.widths.good[0]));
        close_draws(&d);
    }
}

/* (same + swap prior) / (1 + swap), swap 1 / 2. */
static void categories_are_kept_or_drawn_again(void **state)
{
    (void)state;
    struct draws d;
    double count[3] = {0}, other[4] = {0};
    open_draws(&d, "\"c\":{\"choice\":[1,2,3],\"weights\":[5,3,2]},\"r\":{\"randint\":[-2,2]}");
    for (uint32_t t = 0; t < 3; t++)
        add(&d, (const double[]){1, -1});
    bandwidth_fit(&d.widths, &rule, &d.evidence, 2);
    for (uint32_t i = 0; i < DRAWS; i++) {
        const double *p = draw(&d, 0, UINT32_MAX);
        assert_false(d.candidate.continuous);
        count[(int)p[0]]++;
        other[(int)p[1] + 2]++;
    }
    assert_share(count[0], 0.5 * 0.5 / 1.5);
    assert_share(count[1], (1 + 0.5 * 0.3) / 1.5);
    assert_share(count[2], 0.5 * 0.2 / 1.5);
    for (int c = 0; c < 4; c++)
        assert_share(other[c], ((c == 1) + 0.5 * 0.25) / 1.5);
    close_draws(&d);
}

/* What the component lacks comes from the prior, and so does a fresh parameter with what then
 * follows from it. */
static void what_is_lacking_or_fresh_is_from_the_prior(void **state)
{
    (void)state;
    struct draws d;
    double below = 0, branch = 0, swapped = 0;
    open_draws(&d, "\"c\":{\"choice\":[\"none\",{\"some\":{\"x\":{\"float\":[0,1]}}}]}");
    add(&d, (const double[]){0, NAN});
    add(&d, (const double[]){0, NAN});
    bandwidth_fit(&d.widths, &rule, &d.evidence, 1);
    for (uint32_t i = 0; i < DRAWS; i++) {
        const double *p = draw(&d, 0, UINT32_MAX);
        swapped += p[0] == 1;
        assert_int_equal(d.candidate.continuous, p[0] == 1);
        p = draw(&d, 0, 0);
        branch += p[0] == 1;
        below += p[0] == 1 && p[1] < 0.3;
    }
    assert_share(swapped, 0.25);
    assert_share(branch, 0.5);
    assert_share(below, 0.15);
    close_draws(&d);
}

/* Values of a lattice stand where they are compared with trials: in the middle of their cells. */
static void values_of_a_lattice_are_taken_at_once(void **state)
{
    (void)state;
    struct draws d;
    double ends = 0;
    open_draws(&d, "\"k\":{\"int\":[1,4]},\"one\":{\"int\":[5,5]}");
    add(&d, (const double[]){1, 5});
    add(&d, (const double[]){1, 5});
    bandwidth_fit(&d.widths, &rule, &d.evidence, 1);
    for (uint32_t i = 0; i < DRAWS; i++) {
        const double *p = draw(&d, 0, UINT32_MAX);
        assert_false(d.candidate.continuous);
        assert_true(p[1] == 5);
        assert_true(d.candidate.place[0] == (p[0] - 0.5) / 4);
        ends += p[0] == 1;
    }
    assert_share(ends, folded(0.25, 0.125, d.widths.good[0]));
    close_draws(&d);
}

/* A category that a float cannot hold: still a value that the parameter can have. */
static void categories_without_number_are_legal(void **state)
{
    (void)state;
    static const char *const spaces[] = {"\"r\":{\"randint\":100000007}",
                                         "\"r\":{\"randint\":[-1000000000000000,1000000000000000]}",
                                         "\"r\":{\"int\":[3,33554435],\"unordered\":true}"};
    for (size_t k = 0; k < BED_COUNT(spaces); k++) {
        struct draws d;
        open_draws(&d, spaces[k]);
        add(&d, &d.bed.space->params[0].high);
        add(&d, &d.bed.space->params[0].low);
        bandwidth_fit(&d.widths, &rule, &d.evidence, 1);
        for (uint32_t i = 0; i < 200; i++)
            draw(&d, 0.5, UINT32_MAX);
        close_draws(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(components_come_by_their_weights),
        cmocka_unit_test(numbers_are_folded_in_at_the_bounds),
        cmocka_unit_test(categories_are_kept_or_drawn_again),
        cmocka_unit_test(what_is_lacking_or_fresh_is_from_the_prior),
        cmocka_unit_test(values_of_a_lattice_are_taken_at_once),
        cmocka_unit_test(categories_without_number_are_legal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
