/* idmap.h against an array model; order of iteration; removal while iterating. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "idmap.h"
#include "rng.h"

#define N 500

static void test_random_operations(void **state)
{
    (void)state;
    static int objects[N];
    static int present[N];
    struct idmap m;
    struct rng r;
    size_t n = 0;
    idmap_init(&m);
    assert_null(idmap_get(&m, 0));
    rng_seed(&r, 2);
    for (int step = 0; step < 50000; step++) {
        uint64_t id = rng_below(&r, N);
        if (present[id]) {
            assert_ptr_equal(idmap_remove(&m, id << 40), &objects[id]);
            present[id] = 0;
            n--;
        } else {
            assert_null(idmap_remove(&m, id << 40));
            idmap_put(&m, id << 40, &objects[id]);
            present[id] = 1;
            n++;
        }
        assert_int_equal(m.n, n);
    }
    for (uint64_t id = 0; id < N; id++)
        assert_ptr_equal(idmap_get(&m, id << 40), present[id] ? &objects[id] : NULL);
    idmap_fini(&m);
}

static void test_iteration_is_in_order_of_insertion(void **state)
{
    (void)state;
    static int v[200];
    struct idmap m;
    idmap_init(&m);
    for (int i = 0; i < 200; i++) {
        v[i] = i;
        idmap_put(&m, (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15), &v[i]);
    }
    size_t pos = 0;
    int want = 0;
    for (int *p; (p = idmap_next(&m, &pos)) != NULL; want++) {
        assert_int_equal(*p, want);
        if (*p % 3 == 0)
            idmap_remove(&m, (uint64_t)*p * UINT64_C(0x9e3779b97f4a7c15));
    }
    assert_int_equal(want, 200);
    pos = 0;
    int seen = 0, before = -1;
    for (int *p; (p = idmap_next(&m, &pos)) != NULL; seen++) {
        assert_true(*p > before && *p % 3 != 0);
        before = *p;
    }
    assert_int_equal(seen, 133);
    idmap_fini(&m);
}

static void test_put_and_remove_for_ever_takes_no_more_room(void **state)
{
    (void)state;
    int object;
    struct idmap m;
    idmap_init(&m);
    for (uint64_t i = 0; i < 100000; i++) {
        idmap_put(&m, i, &object);
        assert_ptr_equal(idmap_remove(&m, i), &object);
    }
    assert_in_range(m.cap, 1, 64);
    idmap_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_iteration_is_in_order_of_insertion),
        cmocka_unit_test(test_put_and_remove_for_ever_takes_no_more_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
