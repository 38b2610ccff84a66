/* Lines of the log: escaping, cutting, levels, rotation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "log.h"
#include "str.h"
#include "tempdir.h"

static char text[20000];

static void read_text(const char *path)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
}

static void test_one_event_is_one_line(void **state)
{
    (void)state;
    struct tempdir d;
    char path[256];
    tempdir_make(&d);
    tempdir_file(&d, "log", path, sizeof path);
    assert_int_equal(log_open("broker", path, LOG_INFO_, NULL), ERR_OK);
    LOG_I("WORKER-JOINED", "host=%s", "a\nINJECTED\x1b[31m\x7f");
    LOG_D("HIDDEN", "x=1");
    LOG_E("EMPTY", "%s", "");
    log_close();
    read_text(path);
    assert_null(strstr(text, "HIDDEN"));
    assert_non_null(
        strstr(text, " INFO  broker WORKER-JOINED host=a\\x0aINJECTED\\x1b[31m\\x7f\n"));
    assert_non_null(strstr(text, " ERROR broker EMPTY\n"));
    tempdir_remove(&d);
}

static void test_a_long_line_is_cut(void **state)
{
    (void)state;
    struct tempdir d;
    char path[256], field[9001];
    tempdir_make(&d);
    tempdir_file(&d, "log", path, sizeof path);
    memset(field, '\n', 9000);
    field[9000] = 0;
    assert_int_equal(log_open("w", path, LOG_DEBUG_, NULL), ERR_OK);
    LOG_D("LONG", "f=%s", field);
    LOG_D("NEXT", "f=1");
    log_close();
    read_text(path);
    char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_in_range(end - text, 4000, 4096);
    assert_memory_equal(end - 3, "...", 3);
    assert_non_null(strstr(end, "NEXT f=1\n"));
    tempdir_remove(&d);
}

static void test_reopen_after_a_rotation(void **state)
{
    (void)state;
    struct tempdir d;
    char path[256], old[256];
    tempdir_make(&d);
    tempdir_file(&d, "log", path, sizeof path);
    tempdir_file(&d, "log.1", old, sizeof old);
    assert_int_equal(log_open("w", path, LOG_INFO_, NULL), ERR_OK);
    LOG_I("ONE", "n=1");
    assert_int_equal(rename(path, old), 0);
    LOG_I("TWO", "n=2");
    assert_int_equal(log_reopen(NULL), ERR_OK);
    LOG_I("THREE", "n=3");
    log_close();
    read_text(old);
    assert_non_null(strstr(text, "TWO"));
    read_text(path);
    assert_null(strstr(text, "TWO"));
    assert_non_null(strstr(text, "THREE"));
    tempdir_remove(&d);
}

static void test_faults(void **state)
{
    (void)state;
    struct errmsg em;
    enum log_level level;
    assert_int_equal(log_open("w", "/none/of/that", LOG_INFO_, &em), ERR_IO);
    assert_non_null(strstr(em.text, "/none/of/that"));
    assert_true(log_level_parse("warn", &level) && level == LOG_WARN_);
    assert_false(log_level_parse("WARN", &level));
    assert_false(log_level_parse("", &level));
    assert_int_equal(log_reopen(NULL), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_event_is_one_line),
        cmocka_unit_test(test_a_long_line_is_cut),
        cmocka_unit_test(test_reopen_after_a_rotation),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
