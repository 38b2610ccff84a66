/* Budgets: what is refused, what stays valid, and the fault loop itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "alloc.h"
#include "faults.h"

static void test_budget_bounds(void **state)
{
    (void)state;
    struct budget b = {.limit = 100};
    assert_true(budget_charge(&b, 60));
    assert_false(budget_charge(&b, 41));
    assert_int_equal(b.used, 60);
    assert_false(budget_charge(&b, SIZE_MAX));
    assert_true(budget_charge(&b, 40));
    budget_release(&b, 100);
    assert_int_equal(b.used, 0);
    assert_int_equal(b.peak, 100);
}

static void test_grow_keeps_content_and_charges_the_difference(void **state)
{
    (void)state;
    struct budget b = {.limit = 100};
    char *p = try_alloc(&b, 10);
    assert_non_null(p);
    memset(p, 7, 10);
    char *q = try_grow(&b, p, 10, 50);
    assert_non_null(q);
    assert_int_equal(q[9], 7);
    assert_int_equal(q[49], 0);
    assert_int_equal(b.used, 50);
    assert_null(try_grow(&b, q, 50, 101));
    assert_int_equal(q[9], 7); /* the old one stays valid */
    q = try_grow(&b, q, 50, 20);
    assert_int_equal(b.used, 20);
    try_free(&b, q, 20);
    try_free(&b, NULL, 20);
    assert_int_equal(b.used, 0);
}

static void test_without_a_budget(void **state)
{
    (void)state;
    void *p = try_alloc(NULL, 0);
    assert_non_null(p);
    p = try_grow(NULL, p, 0, 8);
    assert_non_null(p);
    try_free(NULL, p, 8);
}

static err_t three_allocations(void *self, struct budget *b)
{
    void *p[3] = {0};
    err_t e = ERR_OK;
    (void)self;
    for (int i = 0; i < 3 && !e; i++)
        if (!(p[i] = try_alloc(b, 16)))
            e = ERR_NOMEM;
    for (int i = 0; i < 3; i++)
        try_free(b, p[i], 16);
    return e;
}

static void test_fault_loop_reaches_every_allocation(void **state)
{
    (void)state;
    assert_int_equal(faults_loop(three_allocations, NULL), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_bounds),
        cmocka_unit_test(test_grow_keeps_content_and_charges_the_difference),
        cmocka_unit_test(test_without_a_budget),
        cmocka_unit_test(test_fault_loop_reaches_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
