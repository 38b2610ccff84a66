/* Order of heap.h against a sorted model, with removals and updates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "heap.h"
#include "rng.h"

#define N 300

static int64_t least(const struct heap_node *v)
{
    int64_t m = INT64_MAX;
    for (int i = 0; i < N; i++)
        if (heap_has(&v[i]) && v[i].key < m)
            m = v[i].key;
    return m;
}

static void test_random_operations_keep_the_least_on_top(void **state)
{
    (void)state;
    static struct heap_node v[N];
    struct heap h;
    struct rng r;
    heap_init(&h);
    rng_seed(&r, 1);
    for (int step = 0; step < 20000; step++) {
        struct heap_node *x = &v[rng_below(&r, N)];
        int64_t key = (int64_t)rng_below(&r, 50) - 25;
        switch (rng_below(&r, 3)) {
        case 0:
            heap_remove(&h, x);
            assert_false(heap_has(x));
            break;
        case 1:
            heap_update(&h, x, key);
            assert_true(heap_has(x));
            break;
        default:
            if (!heap_has(x))
                heap_insert(&h, x, key);
        }
        if (h.n)
            assert_true(heap_top(&h)->key == least(v));
        else
            assert_null(heap_top(&h));
    }
    while (heap_top(&h))
        heap_remove(&h, heap_top(&h));
    heap_fini(&h);
}

static void test_equal_keys_leave_in_order_of_insertion(void **state)
{
    (void)state;
    struct heap_node v[64];
    struct heap h;
    memset(v, 0, sizeof v);
    heap_init(&h);
    for (int i = 0; i < 64; i++)
        heap_insert(&h, &v[i], i % 2);
    for (int i = 0; i < 64; i++) {
        struct heap_node *x = heap_top(&h);
        assert_ptr_equal(x, &v[i < 32 ? 2 * i : 2 * (i - 32) + 1]);
        heap_remove(&h, x);
    }
    heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations_keep_the_least_on_top),
        cmocka_unit_test(test_equal_keys_leave_in_order_of_insertion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
