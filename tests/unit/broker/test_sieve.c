/* Which reports may go: a journal is written down as letters, walked backwards, and what is left is
 * compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sieve.h"
#include "str.h"

#define MOST 256

struct line {
    struct sieve_record r;
    bool gone;
};
struct lines {
    struct line v[MOST];
    size_t n;
    uint64_t unfinished; /* trial that is not final; UINT64_MAX = none */
    int64_t decide;      /* step of every trial; 0 = none */
};

static void add(struct lines *l, uint8_t kind, uint64_t trial, uint32_t attempt, int64_t step,
                bool has_value)
{
    assert_true(l->n < MOST);
    l->v[l->n] = (struct line){.r = {.seq = l->n + 1,
                                     .trial = trial,
                                     .attempt = attempt,
                                     .kind = kind,
                                     .step = step,
                                     .has_step = kind == REC_REPORTED || step > 0,
                                     .has_value = has_value}};
    l->n++;
}

static void look_up(void *self, uint64_t number, struct sieve_trial *out)
{
    const struct lines *l = self;
    *out = (struct sieve_trial){
        .final = number != l->unfinished, .decide = {l->decide}, .n_decide = l->decide != 0};
}

static void sift(struct lines *l)
{
    struct sieve s;
    sieve_init(&s, l, look_up);
    for (size_t i = l->n; i--;) {
        uint64_t seq = sieve_look(&s, &l->v[i].r);
        if (!seq)
            continue;
        assert_true(seq > i && !l->v[seq - 1].gone); /* never one that was not looked at */
        assert_int_equal(l->v[seq - 1].r.kind, REC_REPORTED);
        l->v[seq - 1].gone = true;
    }
    sieve_fini(&s);
}

static void run(struct lines *l, uint64_t trial, uint32_t attempt, int64_t reports, bool started)
{
    add(l, REC_GRANTED, trial, attempt, 0, false);
    if (started)
        add(l, REC_STARTED, trial, attempt, 0, false);
    for (int64_t i = 1; i <= reports; i++)
        add(l, REC_REPORTED, trial, attempt, i, true);
}

/* The steps that are left of an attempt, as text. */
static const char *left(const struct lines *l, uint64_t trial, uint32_t attempt)
{
    static char text[200];
    size_t n = 0;
    text[0] = 0;
    for (size_t i = 0; i < l->n; i++) {
        const struct sieve_record *r = &l->v[i].r;
        if (r->kind == REC_REPORTED && r->trial == trial && r->attempt == attempt && !l->v[i].gone)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%lld", n ? " " : "",
                                  (long long)r->step);
    }
    return text;
}

static struct lines nothing(void)
{
    return (struct lines){.unfinished = UINT64_MAX};
}

static void test_the_last_of_each_attempt_stays(void **unused)
{
    (void)unused;
    struct lines l = nothing();
    run(&l, 0, 1, 5, true);
    add(&l, REC_CLOSED, 0, 1, 0, false);
    run(&l, 0, 2, 4, true);
    add(&l, REC_FINISHED, 0, 2, 0, true);
    sift(&l);
    assert_string_equal(left(&l, 0, 1), "5");
    assert_string_equal(left(&l, 0, 2), "4");
}

static void test_the_first_sign_stays(void **unused)
{
    (void)unused;
    struct lines l = nothing();
    run(&l, 0, 1, 5, false);
    run(&l, 1, 1, 1, false);
    sift(&l);
    assert_string_equal(left(&l, 0, 1), "1 5");
    assert_string_equal(left(&l, 1, 1), "1");
}

static void test_what_decides_stays(void **unused)
{
    (void)unused;
    struct lines l = nothing();
    l.decide = 3;
    run(&l, 0, 1, 8, true);
    add(&l, REC_STOPPING, 0, 1, 6, false);
    add(&l, REC_REPORTED, 0, 1, 9, true);
    add(&l, REC_FINISHED, 0, 1, 0, true);
    sift(&l);
    assert_string_equal(left(&l, 0, 1), "3 6 9");
}

/* The row holds the last value, even when later reports had none. */
static void test_the_last_value_stays(void **unused)
{
    (void)unused;
    struct lines l = nothing();
    run(&l, 0, 1, 4, true);
    add(&l, REC_REPORTED, 0, 1, 5, false);
    add(&l, REC_REPORTED, 0, 1, 6, false);
    sift(&l);
    assert_string_equal(left(&l, 0, 1), "4 6");
}

static void test_unfinished_ones_are_left_alone(void **unused)
{
    (void)unused;
    struct lines l = nothing();
    l.unfinished = 1;
    for (uint64_t t = 0; t < 3; t++) {
        add(&l, REC_GRANTED, t, 1, 0, false);
        add(&l, REC_STARTED, t, 1, 0, false);
    }
    for (int64_t step = 1; step <= 4; step++) { /* at once */
        for (uint64_t t = 0; t < 3; t++)
            add(&l, REC_REPORTED, t, 1, step, true);
    }
    sift(&l);
    assert_string_equal(left(&l, 0, 1), "4");
    assert_string_equal(left(&l, 1, 1), "1 2 3 4");
    assert_string_equal(left(&l, 2, 1), "4");
}

static void test_twice_is_once(void **unused)
{
    (void)unused;
    struct lines l = nothing();
    run(&l, 0, 1, 6, false);
    sift(&l);
    struct lines again = nothing();
    for (size_t i = 0; i < l.n; i++) {
        if (!l.v[i].gone)
            again.v[again.n++] = (struct line){.r = l.v[i].r};
    }
    size_t before = again.n;
    for (size_t i = 0; i < before; i++)
        again.v[i].r.seq = i + 1;
    sift(&again);
    for (size_t i = 0; i < before; i++)
        assert_false(again.v[i].gone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_of_each_attempt_stays),
        cmocka_unit_test(test_the_first_sign_stays),
        cmocka_unit_test(test_what_decides_stays),
        cmocka_unit_test(test_the_last_value_stays),
        cmocka_unit_test(test_unfinished_ones_are_left_alone),
        cmocka_unit_test(test_twice_is_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
