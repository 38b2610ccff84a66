/* Slots and resources of a worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "slots.h"

static const char *const ids[] = {"4", "GPU-abc", "7"};

static struct slots three_gpus(void)
{
    struct slots s;
    slots_init(&s, 4, 2.5, 1000, ids, 3);
    return s;
}

static void slots_are_counted(void **state)
{
    (void)state;
    struct slots s = three_gpus();
    for (int i = 0; i < 4; i++)
        assert_true(slots_take(&s));
    assert_false(slots_take(&s));
    assert_int_equal(slots_free(&s), 0);
    slots_give(&s);
    assert_true(slots_take(&s));
}

static void gpus_are_exclusive_and_named(void **state)
{
    (void)state;
    struct slots s = three_gpus();
    struct slot_grant a = {0}, b = {0}, c = {0};
    struct buf text;
    buf_init(&text, 0);
    assert_true(slots_claim(&s, 0, 2, 0, &a));
    slots_gpu_text(&s, &a, &text);
    assert_string_equal(buf_z(&text), "4,GPU-abc");
    assert_false(slots_claim(&s, 0, 2, 0, &b));
    assert_true(slots_claim(&s, 0, 1, 0, &b));
    slots_return(&s, &a);
    slots_return(&s, &a); /* again: nothing */
    assert_true(slots_claim(&s, 0, 1, 0, &c));
    buf_clear(&text);
    slots_gpu_text(&s, &c, &text);
    assert_string_equal(buf_z(&text), "4");
    buf_clear(&text);
    slots_gpu_text(&s, &b, &text);
    assert_string_equal(buf_z(&text), "7");
    buf_fini(&text);
}

static void shares_are_bounded(void **state)
{
    (void)state;
    struct slots s = three_gpus();
    struct slot_grant g[26] = {{0}};
    assert_false(slots_possible(&s, 2.6, 0, 0));
    assert_false(slots_possible(&s, 0, 4, 0));
    assert_false(slots_possible(&s, 0, 0, 1001));
    assert_true(slots_possible(&s, 2.5, 3, 1000));
    for (int i = 0; i < 25; i++) /* tenths do not add up exactly */
        assert_true(slots_claim(&s, 0.1, 0, 40, &g[i]));
    assert_false(slots_claim(&s, 0.1, 0, 0, &g[25]));
    assert_false(slots_claim(&s, 0, 0, 1, &g[25]));
    for (int i = 0; i < 25; i++)
        slots_return(&s, &g[i]);
    assert_true(s.cpus_used == 0 && s.memory_used == 0 && s.gpus_used == 0);
    assert_true(slots_claim(&s, 2.5, 3, 1000, &g[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_counted),
        cmocka_unit_test(gpus_are_exclusive_and_named),
        cmocka_unit_test(shares_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
