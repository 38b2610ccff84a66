/* The table of places against a plain list of rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "rng.h"
#include "roster.h"

#define WIDTH 3
#define MOST  2000

struct row {
    uint32_t trial;
    float places[WIDTH];
};
struct plain {
    struct row rows[MOST];
    uint32_t n;
};

static void plain_insert(struct plain *p, uint32_t at, const struct row *row)
{
    memmove(p->rows + at + 1, p->rows + at, (p->n - at) * sizeof *p->rows);
    p->rows[at] = *row;
    p->n++;
}

static void plain_remove(struct plain *p, uint32_t at)
{
    memmove(p->rows + at, p->rows + at + 1, (p->n - at - 1) * sizeof *p->rows);
    p->n--;
}

static void plain_filter(struct plain *p, int (*keep)(uint32_t, uint32_t), uint32_t arg)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n; i++)
        if (keep(p->rows[i].trial, arg))
            p->rows[n++] = p->rows[i];
    p->n = n;
}

static void assert_same(const struct roster *r, const struct plain *p)
{
    assert_int_equal(r->n, p->n);
    assert_int_equal(r->cap % ROSTER_LANES, 0);
    assert_true(r->n <= r->cap);
    for (uint32_t i = 0; i < p->n; i++) {
        float places[WIDTH];
        roster_get(r, i, places);
        assert_int_equal(r->trial[i], p->rows[i].trial);
        assert_memory_equal(places, p->rows[i].places, sizeof places);
    }
    for (uint32_t a = 0; a < WIDTH; a++)
        for (uint32_t i = r->n; i < r->cap; i++) /* the padding */
            assert_true(roster_column(r, a)[i] == 0);
}

static int no_multiple(uint32_t trial, uint32_t arg)
{
    return trial % arg != 0;
}

static int none(uint32_t trial, uint32_t arg)
{
    (void)trial;
    (void)arg;
    return 0;
}

static struct row some_row(struct rng *r, uint32_t trial)
{
    struct row row = {.trial = trial};
    for (int a = 0; a < WIDTH; a++)
        row.places[a] = rng_below(r, 5) ? (float)rng_unit(r) : ROSTER_ABSENT;
    return row;
}

static void it_is_a_list_of_rows(void **state)
{
    (void)state;
    static struct plain p;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct roster t;
        struct rng r;
        rng_seed(&r, seed);
        roster_init(&t, WIDTH);
        p.n = 0;
        for (uint32_t turn = 0; turn < 1500; turn++) {
            uint64_t what = rng_below(&r, 100);
            uint32_t at = (uint32_t)rng_below(&r, p.n + 1);
            if (what < 75) {
                struct row row = some_row(&r, turn);
                roster_insert(&t, at, row.trial, row.places);
                plain_insert(&p, at, &row);
            } else if (what < 99 && at < p.n) {
                roster_remove(&t, at);
                plain_remove(&p, at);
            } else if (what == 99) {
                uint32_t arg = 2 + (uint32_t)rng_below(&r, 20);
                roster_filter(&t, no_multiple, arg);
                plain_filter(&p, no_multiple, arg);
            }
            if (turn % 50 == 0)
                assert_same(&t, &p);
        }
        assert_same(&t, &p);
        roster_filter(&t, none, 0);
        p.n = 0;
        assert_same(&t, &p);
        roster_fini(&t);
    }
}

static void a_trial_is_found(void **state)
{
    (void)state;
    struct roster t;
    const float places[WIDTH] = {0};
    roster_init(&t, WIDTH);
    assert_int_equal(roster_find(&t, 4), 0);
    for (uint32_t i = 0; i < 300; i++)
        roster_insert(&t, i, 3 * i + 2, places);
    for (uint32_t trial = 0; trial < 910; trial++) {
        uint32_t at = roster_find(&t, trial);
        assert_true(at == 300 || t.trial[at] >= trial);
        assert_true(at == 0 || t.trial[at - 1] < trial);
    }
    roster_fini(&t);
}

/* A space without parameters has no columns. */
static void no_axes_are_no_matter(void **state)
{
    (void)state;
    struct roster t;
    roster_init(&t, 0);
    for (uint32_t i = 0; i < 600; i++)
        roster_insert(&t, i, i, NULL);
    roster_remove(&t, 5);
    assert_int_equal(t.n, 599);
    assert_int_equal(t.trial[5], 6);
    roster_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_a_list_of_rows),
        cmocka_unit_test(a_trial_is_found),
        cmocka_unit_test(no_axes_are_no_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
