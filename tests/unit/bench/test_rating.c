/* The arithmetic of quality tables: medians, floors, means of ratios, intervals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rating.h"

#define N(a) (sizeof(a) / sizeof(*(a)))

static void medians(void **state)
{
    (void)state;
    const double v[] = {3, 1, 2, 10};
    assert_true(isnan(rating_median(v, 0)));
    assert_true(rating_median(v, 1) == 3);
    assert_true(rating_median(v, 3) == 2);
    assert_true(rating_median(v, 4) == 2.5);
}

static void a_median_below_the_floor_counts_as_the_floor(void **state)
{
    (void)state;
    double own[] = {0, 0, 9}, reference[] = {4, 4, 4};
    struct rating_pair p = {{own, 3}, {reference, 3}, 0.5};
    assert_true(rating_ratio(&p) == 0.125);
    p.floor = 8;
    assert_true(rating_ratio(&p) == 1);
}

static void the_mean_is_geometric_and_within_its_interval(void **state)
{
    (void)state;
    double a[] = {1, 1, 1, 1, 2}, b[] = {4, 4, 4, 4, 8}, c[] = {2, 3, 1, 2, 2}, d[] = {2, 2, 2};
    struct rating_pair pairs[] = {{{a, N(a)}, {b, N(b)}, 0}, {{c, N(c)}, {d, N(d)}, 0}};
    struct rating_mean m = rating_geometric_mean(pairs, 2);
    assert_true(fabs(m.mean - 0.5) < 1e-15);
    assert_true(m.low <= m.mean && m.mean <= m.high && m.low > 0.3 && m.high < 0.8);
    assert_true(m.low < m.high);
    assert_true(isnan(rating_geometric_mean(pairs, 0).mean));
}

static void equal_runs_leave_no_interval(void **state)
{
    (void)state;
    double a[] = {3, 3, 3}, b[] = {6, 6};
    struct rating_pair p = {{a, N(a)}, {b, N(b)}, 0};
    struct rating_mean m = rating_geometric_mean(&p, 1);
    assert_true(fabs(m.low - 0.5) < 1e-15 && fabs(m.high - 0.5) < 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(medians),
        cmocka_unit_test(a_median_below_the_floor_counts_as_the_floor),
        cmocka_unit_test(the_mean_is_geometric_and_within_its_interval),
        cmocka_unit_test(equal_runs_leave_no_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
