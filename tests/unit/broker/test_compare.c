/* Rows against the fold: every column counts, and the first that differs is named. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "compare.h"

static const int64_t steps[] = {1, 3};

static struct trial_image a_trial(void)
{
    return (struct trial_image){.study = 1,
                                .number = 3,
                                .seq = 9,
                                .state = TRIAL_COMPLETE,
                                .has_value = true,
                                .value = 0.25,
                                .params = STR("{\"x\":1}"),
                                .decide = steps,
                                .n_decide = 2};
}

static void expect(bool same, struct buf *why, const char *text)
{
    assert_false(same);
    assert_string_equal(buf_z(why), text);
    buf_clear(why);
}

static void trials(void **state)
{
    (void)state;
    static const int64_t others[] = {1, 4};
    struct buf why = {0};
    struct trial_image fold = a_trial(), row = fold;
    assert_true(compare_trial(&row, &fold, &why));
    row.value = 0.5;
    expect(compare_trial(&row, &fold, &why), &why,
           "value is 0.5 in its row, and 0.25 by the journal");
    row = fold;
    row.params = STR("{\"x\":2}");
    expect(compare_trial(&row, &fold, &why), &why,
           "params is \"{\"x\":2}\" in its row, and \"{\"x\":1}\" by the journal");
    row = fold;
    row.lost = 2;
    expect(compare_trial(&row, &fold, &why), &why, "lost is 2 in its row, and 0 by the journal");
    row = fold;
    row.finished_ms = -1;
    expect(compare_trial(&row, &fold, &why), &why,
           "finished_ms is -1 in its row, and 0 by the journal");
    row = fold;
    row.worker.b[0] = 0xab;
    expect(compare_trial(&row, &fold, &why), &why,
           "worker is ab000000000000000000000000000000 in its row, and "
           "00000000000000000000000000000000 by the journal");
    row = fold;
    row.decide = others;
    assert_false(compare_trial(&row, &fold, &why));
    buf_fini(&why);
}

/* The database has no NaN. */
static void a_number_that_is_none(void **state)
{
    (void)state;
    struct buf why = {0};
    struct trial_image fold = a_trial(), row = fold;
    fold.value = NAN;
    row.value = 0;
    assert_true(compare_trial(&row, &fold, &why));
    fold.value = row.value = INFINITY;
    assert_true(compare_trial(&row, &fold, &why));
    row.value = -INFINITY;
    assert_false(compare_trial(&row, &fold, &why));
    buf_fini(&why);
}

static void studies(void **state)
{
    (void)state;
    struct buf why = {0};
    struct study_image fold = {.number = 1, .name = STR("s"), .trials = 4, .elapsed_ms = 5};
    struct study_image row = fold;
    row.elapsed_ms = 7; /* not in the journal */
    assert_true(compare_study(&row, &fold, &why));
    row.count[TRIAL_PRUNED] = 1;
    expect(compare_study(&row, &fold, &why), &why, "pruned is 1 in its row, and 0 by the journal");
    buf_fini(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trials),
        cmocka_unit_test(a_number_that_is_none),
        cmocka_unit_test(studies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
