/* The intrusive list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "list.h"

struct item {
    int v;
    struct list link;
};

static void test_order_and_removal(void **state)
{
    (void)state;
    struct list l;
    struct item a = {.v = 1}, b = {.v = 2}, c = {.v = 3};
    list_init(&l);
    assert_true(list_empty(&l));
    assert_null(LIST_FIRST(&l, struct item, link));
    list_push(&l, &b.link);
    list_push(&l, &c.link);
    list_push_front(&l, &a.link);
    int want = 1;
    LIST_FOREACH (it, &l)
        assert_int_equal(CONTAINER_OF(it, struct item, link)->v, want++);
    assert_int_equal(want, 4);
    LIST_FOREACH_SAFE (it, tmp, &l)
        list_remove(it);
    assert_true(list_empty(&l));
    assert_false(list_linked(&a.link));
    list_remove(&a.link); /* legal */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_removal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
