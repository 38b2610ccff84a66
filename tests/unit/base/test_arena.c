/* Limits, alignment and reuse of arena.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arena.h"

static void test_memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    for (size_t n = 0; n < 3000; n += 7) {
        unsigned char *p = arena_alloc(&a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, n);
    }
    arena_clear(&a);
    assert_int_equal(a.used, 0);
    unsigned char *p = arena_alloc(&a, 4000);
    assert_int_equal(p[0] | p[3999], 0);
    arena_fini(&a);
    arena_fini(&a);
}

static void test_limit(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1000);
    assert_non_null(arena_alloc(&a, 900));
    assert_null(arena_alloc(&a, 200));
    assert_non_null(arena_alloc(&a, 16));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 8));
    assert_null(arena_array(&a, SIZE_MAX / 2, 4));
    assert_null(arena_dup(&a, str_make("x", SIZE_MAX)).p);
    arena_fini(&a);
}

static void test_dup(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    struct str s = arena_dup(&a, STR("abc"));
    assert_int_equal(s.n, 3);
    assert_string_equal(s.p, "abc");
    s = arena_dup(&a, (struct str){NULL, 0});
    assert_non_null(s.p);
    assert_int_equal(s.n, 0);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zeroed_and_aligned),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_dup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
