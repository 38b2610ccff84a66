/* Lines of doctor, and its exit status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "diagnosis.h"

static void for_people(void **state)
{
    (void)state;
    struct diagnosis d;
    diagnosis_init(&d, false, false);
    d.quiet = true;
    diagnosis_add(&d, HEALTH_OK, "disk", NULL, "%d free", 7);
    assert_int_equal(diagnosis_status(&d), 0);
    diagnosis_add(&d, HEALTH_WARN, "clock", "set it", "it is late");
    assert_int_equal(diagnosis_status(&d), 1);
    diagnosis_add(&d, HEALTH_FAIL, "fold", "", "a trial differs");
    assert_int_equal(diagnosis_status(&d), 2);
    diagnosis_end(&d);
    assert_string_equal(buf_z(&d.out), "ok    disk         7 free\n"
                                       "warn  clock        it is late\n"
                                       "                   -> set it\n"
                                       "FAIL  fold         a trial differs\n"
                                       "\n2 of 3 lines: 1 failed, 1 to look at\n");
    diagnosis_fini(&d);
}

static void for_programs(void **state)
{
    (void)state;
    struct diagnosis d;
    diagnosis_init(&d, true, false);
    d.quiet = true;
    diagnosis_add(&d, HEALTH_WARN, "clock", "set \"it\"", "late\n");
    diagnosis_end(&d);
    assert_string_equal(buf_z(&d.out),
                        "{\"check\":\"clock\",\"status\":\"warn\",\"text\":\"late\\n\","
                        "\"advice\":\"set \\\"it\\\"\"}\n");
    diagnosis_fini(&d);
}

static void all_is_well(void **state)
{
    (void)state;
    struct diagnosis d;
    diagnosis_init(&d, false, true);
    d.quiet = true;
    diagnosis_add(&d, HEALTH_OK, "disk", NULL, "fine");
    diagnosis_end(&d);
    assert_non_null(strstr(buf_z(&d.out), "all is well"));
    assert_non_null(strstr(buf_z(&d.out), "\033[32mok"));
    diagnosis_fini(&d);
}

static void the_median(void **state)
{
    (void)state;
    int64_t odd[] = {5, INT64_MIN, INT64_MAX, 7, 6}, even[] = {4, 1, 3, 2}, one[] = {9};
    assert_int_equal(diagnosis_median(odd, 5), 6);
    assert_int_equal(odd[0], INT64_MIN);
    assert_int_equal(diagnosis_median(even, 4), 2);
    assert_int_equal(diagnosis_median(one, 1), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_median),
        cmocka_unit_test(for_people),
        cmocka_unit_test(for_programs),
        cmocka_unit_test(all_is_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
