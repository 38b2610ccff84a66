/* Which trials count as what: against a list sorted in full, in any order of events. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "evidence.h"
#include "tunefarm_bed.h"

#define SPACE                                                                                      \
    "\"x\":{\"float\":[0,1]},\"c\":{\"choice\":[\"a\",{\"b\":{\"y\":{\"int\":[0,9]}}}]},"          \
    "\"r\":{\"randint\":5}"
#define WIDTH 4
#define MOST  700

/* What becomes of a trial. */
struct fate {
    double point[WIDTH];
    enum outcome end;
    int64_t step; /* of the last report; -1: none */
    double loss;
};

static struct fate some_fate(const struct space *space, struct rng *r)
{
    static const double few[] = {0, 0, 1, -1, 2.5, 1e300, INFINITY, -INFINITY, NAN};
    static const enum outcome ends[] = {OUTCOME_COMPLETE,  OUTCOME_COMPLETE, OUTCOME_COMPLETE,
                                        OUTCOME_PRUNED,    OUTCOME_PRUNED,   OUTCOME_FAILED,
                                        OUTCOME_CANCELLED, OUTCOME_PENDING};
    struct fate f = {.end = ends[rng_below(r, BED_COUNT(ends))], .step = -1};
    space_draw(space, r, f.point);
    f.loss = rng_below(r, 3) ? (double)rng_below(r, 20) : few[rng_below(r, BED_COUNT(few))];
    if (f.end == OUTCOME_COMPLETE && isnan(f.loss))
        f.loss = 3;
    if (rng_below(r, 2))
        f.step = (int64_t)rng_below(r, 4);
    else if (f.end == OUTCOME_PRUNED)
        f.loss = (double)NAN; /* it never reported */
    return f;
}

/* The events of a study, in the order of a queue of trials that run. */
static void propose(struct evidence *e, struct history *h, uint32_t trial, const struct fate *f)
{
    history_propose(h, trial, f->point);
    evidence_observe(e, h, trial);
}

static void end(struct evidence *e, struct history *h, uint32_t trial, const struct fate *f)
{
    if (f->step >= 0) {
        history_report(h, trial, f->step, f->loss);
        evidence_observe(e, h, trial);
    }
    if (f->end != OUTCOME_PENDING)
        history_finish(h, trial, f->end, f->end == OUTCOME_COMPLETE ? f->loss : (double)NAN);
    evidence_observe(e, h, trial);
}

/* ---- the definition ---- */

struct ranked {
    int class; /* 0 complete, 1 stopped, 2 bad */
    int64_t step;
    double loss;
    uint32_t trial;
};

static int by_rank(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    if (a->class != b->class)
        return a->class - b->class;
    if (a->class == 1 && a->step != b->step)
        return a->step > b->step ? -1 : 1;
    if (a->class < 2 && a->loss != b->loss)
        return a->loss < b->loss ? -1 : 1;
    return a->trial < b->trial ? -1 : 1;
}

static uint32_t rank(const struct fate *fates, uint32_t n, struct ranked *out)
{
    uint32_t k = 0;
    for (uint32_t t = 0; t < n; t++) {
        const struct fate *f = &fates[t];
        if (f->end == OUTCOME_PENDING || f->end == OUTCOME_CANCELLED)
            continue;
        int class = f->end == OUTCOME_COMPLETE ? 0 : f->end == OUTCOME_PRUNED ? 1 : 2;
        out[k++] = (struct ranked){isfinite(f->loss) ? class : 2, f->step, f->loss, t};
    }
    qsort(out, k, sizeof *out, by_rank);
    return k;
}

static void assert_row(const struct evidence *e, const struct roster *r, uint32_t row,
                       const struct fate *f)
{
    float places[WIDTH];
    roster_get(r, row, places);
    for (uint32_t a = 0; a < WIDTH; a++) {
        float expected =
            isnan(f->point[a]) ? ROSTER_ABSENT : (float)axis_place(&e->axes[a], f->point[a]);
        assert_true(places[a] == expected);
    }
}

/* far is a sample of the trials from rank near_most on: all of them at level 0; else no more than
 * far_most, each standing for 2^level. */
static void assert_far(const struct evidence *e, const struct ranked *rest, uint32_t n,
                       const struct fate *fates)
{
    bool among[MOST] = {false};
    for (uint32_t i = 0; i < n; i++)
        among[rest[i].trial] = true;
    assert_true(e->far.n <= e->far_most);
    if (n <= e->far_most)
        assert_int_equal(e->far.n, n);
    for (uint32_t i = 0; i < e->far.n; i++) {
        assert_true(i == 0 || e->far.trial[i - 1] < e->far.trial[i]);
        assert_true(among[e->far.trial[i]]);
        assert_row(e, &e->far, i, &fates[e->far.trial[i]]);
    }
}

static void assert_is(const struct evidence *e, const struct fate *fates, uint32_t n)
{
    struct ranked order[MOST];
    uint32_t k = rank(fates, n, order), near = k < e->near_most ? k : e->near_most, row = 0;
    assert_int_equal(e->ranked, k);
    assert_int_equal(e->near.n, near);
    for (uint32_t i = 0; i < near; i++) {
        assert_int_equal(e->near.trial[i], order[i].trial);
        assert_row(e, &e->near, i, &fates[order[i].trial]);
    }
    assert_far(e, order + near, k - near, fates);
    uint32_t complete = 0, stopped = 0;
    for (uint32_t i = 0; i < k; i++) {
        complete += order[i].class == 0;
        stopped += order[i].class == 1;
    }
    assert_int_equal(e->complete, complete);
    assert_int_equal(e->stopped, stopped);
    for (uint32_t t = 0; t < n; t++)
        if (fates[t].end == OUTCOME_PENDING) {
            assert_int_equal(e->pending.trial[row], t);
            assert_row(e, &e->pending, row++, &fates[t]);
        }
    assert_int_equal(e->pending.n, row);
}

static void assert_equal_rosters(const struct roster *a, const struct roster *b)
{
    assert_int_equal(a->n, b->n);
    if (a->n == 0)
        return;
    assert_memory_equal(a->trial, b->trial, a->n * sizeof *a->trial);
    for (uint32_t i = 0; i < WIDTH; i++)
        assert_memory_equal(roster_column(a, i), roster_column(b, i), a->n * sizeof(float));
}

static void assert_equal_evidence(const struct evidence *a, const struct evidence *b)
{
    assert_equal_rosters(&a->near, &b->near);
    assert_equal_rosters(&a->far, &b->far);
    assert_equal_rosters(&a->pending, &b->pending);
    assert_int_equal(a->ranked, b->ranked);
    assert_int_equal(a->complete, b->complete);
    assert_int_equal(a->stopped, b->stopped);
    assert_int_equal(a->level, b->level);
}

/* ---- tests ---- */

static void shuffle(uint32_t *v, uint32_t n, struct rng *r)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = (uint32_t)rng_below(r, i + 1);
        v[i] = v[k];
        v[k] = i;
    }
}

/* Proposed in order, some at once; ends in the order of `ends`. */
static void live(struct evidence *e, struct history *h, const struct fate *fates, uint32_t n,
                 struct rng *r)
{
    uint32_t ends[MOST];
    bool proposed[MOST] = {false};
    uint32_t next = 0;
    shuffle(ends, n, r);
    for (uint32_t i = 0; i < n; i++) {
        for (; !proposed[ends[i]]; next++) {
            propose(e, h, next, &fates[next]);
            proposed[next] = true;
        }
        end(e, h, ends[i], &fates[ends[i]]);
    }
}

static void the_sets_are_those_of_the_definition_in_any_order(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{0, 0}, {1, 1}, {7, 10}, {20, 40}, {64, 3}, {300, 500}};
    static struct fate fates[MOST];
    struct bed b;
    struct rng r;
    rng_seed(&r, 31);
    bed_open(&b, SPACE, NULL);
    for (uint32_t turn = 0; turn < 60; turn++) {
        const uint32_t *size = sizes[turn % BED_COUNT(sizes)];
        uint32_t n = (uint32_t)rng_below(&r, MOST);
        struct evidence e[2];
        for (uint32_t t = 0; t < n; t++)
            fates[t] = some_fate(b.space, &r);
        for (uint32_t i = 0; i < 2; i++) {
            struct history *h = history_new(b.space);
            evidence_init(&e[i], b.space, size[0], size[1]);
            live(&e[i], h, fates, n, &r);
            assert_is(&e[i], fates, n);
            history_free(h);
        }
        assert_equal_evidence(&e[0], &e[1]);
        evidence_fini(&e[0]);
        evidence_fini(&e[1]);
    }
    bed_close(&b);
}

/* Every rule of the ranking once, against a list by hand, worst to best. */
static void the_ranking_by_hand(void **state)
{
    (void)state;
    static const struct fate fates[] = {
        {{0.5, 0, NAN, 0}, OUTCOME_FAILED, -1, NAN},         /* 0: bad, the oldest of them */
        {{0.5, 0, NAN, 0}, OUTCOME_COMPLETE, -1, INFINITY},  /* 1: bad */
        {{0.5, 0, NAN, 0}, OUTCOME_PRUNED, -1, NAN},         /* 2: bad */
        {{0.5, 0, NAN, 0}, OUTCOME_PRUNED, 1, -100},         /* 3: stopped, sooner */
        {{0.5, 0, NAN, 0}, OUTCOME_PRUNED, 5, 9},            /* 4: stopped later, more loss */
        {{0.5, 0, NAN, 0}, OUTCOME_PRUNED, 5, 8},            /* 5: stopped later, less */
        {{0.5, 0, NAN, 0}, OUTCOME_COMPLETE, -1, 1e300},     /* 6 */
        {{0.5, 0, NAN, 0}, OUTCOME_COMPLETE, 3, 7},          /* 7: its step is of no matter */
        {{0.5, 0, NAN, 0}, OUTCOME_COMPLETE, -1, 7},         /* 8: a tie goes to the older */
        {{0.5, 0, NAN, 0}, OUTCOME_CANCELLED, 3, 0},         /* 9: does not count */
        {{0.5, 0, NAN, 0}, OUTCOME_FAILED, 9, -5},           /* 10: bad, whatever it reported */
        {{0.5, 0, NAN, 0}, OUTCOME_PRUNED, 7, INFINITY},     /* 11: bad */
        {{0.5, 0, NAN, 0}, OUTCOME_PENDING, 3, 0},           /* 12: pending */
        {{0.5, 0, NAN, 0}, OUTCOME_COMPLETE, -1, -INFINITY}, /* 13: bad */
    };
    static const uint32_t order[] = {7, 8, 6, 5, 4, 3, 0, 1, 2, 10, 11, 13};
    struct bed b;
    struct evidence e;
    struct rng r;
    rng_seed(&r, 1);
    bed_open(&b, SPACE, NULL);
    evidence_init(&e, b.space, 0, 0);
    live(&e, b.history, fates, BED_COUNT(fates), &r);
    assert_int_equal(e.near.n, BED_COUNT(order));
    assert_memory_equal(e.near.trial, order, sizeof order);
    assert_int_equal(e.pending.n, 1);
    assert_int_equal(e.pending.trial[0], 12);
    assert_int_equal(e.complete, 3);
    assert_int_equal(e.stopped, 3);
    assert_int_equal(evidence_rankable(&e), 3);
    evidence_fini(&e);
    bed_close(&b);
}

/* Stopped ones may be good as long as nothing is complete; never more than near holds. */
static void how_many_may_be_good(void **state)
{
    (void)state;
    const struct fate stopped = {{0.5, 0, NAN, 0}, OUTCOME_PRUNED, 1, 2},
                      complete = {{0.5, 0, NAN, 0}, OUTCOME_COMPLETE, -1, 1};
    struct bed b;
    struct evidence e;
    bed_open(&b, SPACE, NULL);
    evidence_init(&e, b.space, 6, 0);
    assert_int_equal(evidence_rankable(&e), 0);
    for (uint32_t t = 0; t < 20; t++) {
        const struct fate *f = t < 9 ? &stopped : &complete;
        propose(&e, b.history, t, f);
        end(&e, b.history, t, f);
        uint32_t n = t < 9 ? t + 1 : t - 8;
        assert_int_equal(evidence_rankable(&e), n < 6 ? n : 6);
    }
    evidence_fini(&e);
    bed_close(&b);
}

/* A number that was only expected: as if it had never been. */
static void retraction_leaves_no_trace(void **state)
{
    (void)state;
    struct bed b;
    struct rng r;
    struct evidence e, clean;
    rng_seed(&r, 8);
    bed_open(&b, SPACE, NULL);
    evidence_init(&e, b.space, 5, 9);
    evidence_init(&clean, b.space, 5, 9);
    struct history *h = history_new(b.space);
    for (uint32_t t = 0; t < 200; t++) {
        struct fate f = some_fate(b.space, &r), other;
        for (uint32_t k = 0; k < 4; k++) {
            other = some_fate(b.space, &r);
            propose(&e, b.history, t + k, &other);
        }
        for (uint32_t k = 4; k-- > 0;) {
            history_retract(b.history, t + k);
            evidence_observe(&e, b.history, t + k);
        }
        propose(&e, b.history, t, &f);
        end(&e, b.history, t, &f);
        propose(&clean, h, t, &f);
        end(&clean, h, t, &f);
        assert_equal_evidence(&e, &clean);
    }
    history_free(h);
    evidence_fini(&clean);
    evidence_fini(&e);
    bed_close(&b);
}

/* An event without news changes nothing, of whatever trial. */
static void it_may_be_told_again(void **state)
{
    (void)state;
    static struct fate fates[300];
    struct bed b;
    struct rng r;
    struct evidence e, once;
    rng_seed(&r, 9);
    bed_open(&b, SPACE, NULL);
    for (uint32_t t = 0; t < 300; t++)
        fates[t] = some_fate(b.space, &r);
    struct history *h = history_new(b.space);
    evidence_init(&e, b.space, 20, 30);
    evidence_init(&once, b.space, 20, 30);
    live(&once, h, fates, 300, &r);
    live(&e, b.history, fates, 300, &r);
    for (uint32_t t = 0; t < 300; t++)
        evidence_observe(&e, b.history, t);
    assert_equal_evidence(&e, &once);
    for (uint32_t a = 0; a < WIDTH; a++)
        for (uint32_t i = e.near.n; i < e.near.cap; i++)
            assert_true(roster_column(&e.near, a)[i] == 0);
    history_free(h);
    evidence_fini(&e);
    evidence_fini(&once);
    bed_close(&b);
}

/* What far is taken for is what it stands for: within five standard deviations of a fair sample. */
static void far_stands_for_all_that_are_not_near(void **state)
{
    (void)state;
    struct bed b;
    struct rng r;
    struct evidence e;
    rng_seed(&r, 10);
    bed_open(&b, SPACE, NULL);
    evidence_init(&e, b.space, 50, 400);
    for (uint32_t t = 0; t < 30000; t++) {
        space_draw(b.space, &r, b.point);
        bed_tell(&b, t, OUTCOME_COMPLETE, rng_unit(&r));
        evidence_observe(&e, b.history, t);
        double rest = t < 50 ? 0 : t - 49, weight = exp2(e.level);
        assert_true(e.far.n <= 400);
        assert_true(e.level == 0 || e.far.n >= 100);
        assert_true(fabs(e.far.n * weight - rest) <= 5 * sqrt(rest * (weight - 1)));
    }
    assert_int_equal(e.near.n, 50);
    assert_in_range(e.level, 6, 8);
    evidence_fini(&e);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ranking_by_hand),
        cmocka_unit_test(the_sets_are_those_of_the_definition_in_any_order),
        cmocka_unit_test(how_many_may_be_good),
        cmocka_unit_test(retraction_leaves_no_trace),
        cmocka_unit_test(it_may_be_told_again),
        cmocka_unit_test(far_stands_for_all_that_are_not_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
