/* What loop.c and zsock.c rely on in libuv: closing happens later, and hooks run in reverse order
 * of their start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <uv.h>
#include <cmocka.h>

static char order[32];
static int order_n;

static void note(char c)
{
    if (order_n < (int)sizeof order - 1)
        order[order_n++] = c;
}

static void on_closed(uv_handle_t *h)
{
    note(*(char *)h->data);
}

/* Memory of a handle may go only in its close callback, which never runs inside uv_close(). */
static void test_close_callbacks_come_later(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_timer_t a, b;
    static char names[] = "ab";
    order_n = 0;
    memset(order, 0, sizeof order);
    assert_int_equal(uv_loop_init(&loop), 0);
    uv_timer_init(&loop, &a);
    uv_timer_init(&loop, &b);
    a.data = names;
    b.data = names + 1;
    uv_close((uv_handle_t *)&a, on_closed);
    uv_close((uv_handle_t *)&b, on_closed);
    assert_int_equal(order_n, 0);
    assert_int_equal(uv_loop_close(&loop), UV_EBUSY);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(order_n, 2);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void on_check(uv_check_t *h)
{
    note(*(char *)h->data);
}

static void on_prepare(uv_prepare_t *h)
{
    note(*(char *)h->data);
}

static void on_idle(uv_idle_t *h)
{
    note(*(char *)h->data);
    uv_stop(h->loop);
}

/* The loop's own check is started first, so that it runs behind those of the sockets. */
static void test_order_of_hooks_in_a_turn(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_check_t first, second;
    uv_prepare_t prepare;
    uv_idle_t idle;
    static char names[] = "12pi";
    order_n = 0;
    memset(order, 0, sizeof order);
    assert_int_equal(uv_loop_init(&loop), 0);
    uv_check_init(&loop, &first);
    uv_check_init(&loop, &second);
    uv_prepare_init(&loop, &prepare);
    uv_idle_init(&loop, &idle);
    first.data = names;
    second.data = names + 1;
    prepare.data = names + 2;
    idle.data = names + 3;
    uv_check_start(&first, on_check);
    uv_check_start(&second, on_check);
    uv_prepare_start(&prepare, on_prepare);
    uv_idle_start(&idle, on_idle); /* active: the loop does not wait */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_string_equal(order, "ip21");
    uv_check_stop(&first);
    uv_check_stop(&second);
    uv_prepare_stop(&prepare);
    uv_idle_stop(&idle);
    uv_close((uv_handle_t *)&first, NULL);
    uv_close((uv_handle_t *)&second, NULL);
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_close((uv_handle_t *)&idle, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_callbacks_come_later),
        cmocka_unit_test(test_order_of_hooks_in_a_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
