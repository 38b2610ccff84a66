/* Names, exit codes and the message buffer of err.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "err.h"
#include "str.h"

static void test_every_error_has_name_text_and_code(void **state)
{
    (void)state;
    for (int e = 0; e < ERR_COUNT; e++) {
        assert_true(strlen(err_name((err_t)e)) > 1);
        assert_true(strlen(err_text((err_t)e)) > 5);
        assert_in_range(err_exit_code((err_t)e), 0, 255);
    }
    assert_string_equal(err_name(ERR_NOT_FOUND), "NOT_FOUND");
    assert_int_equal(err_exit_code(ERR_OK), 0);
    assert_int_equal(err_exit_code(ERR_INTERRUPTED), 130);
}

static void test_unknown_error_is_a_failure(void **state)
{
    (void)state;
    assert_string_equal(err_name((err_t)999), "FAILED");
    assert_int_equal(err_exit_code((err_t)999), 1);
}

static void test_set_and_wrap(void **state)
{
    (void)state;
    struct errmsg em;
    assert_int_equal(errmsg_set(&em, ERR_INVALID, "line %d", 3), ERR_INVALID);
    assert_int_equal(errmsg_wrap(&em, ERR_INVALID, "file %s", "a"), ERR_INVALID);
    assert_string_equal(em.text, "file a: line 3");
    assert_int_equal(errmsg_set(&em, ERR_IO, "again: %s", em.text), ERR_IO);
    assert_string_equal(em.text, "again: file a: line 3");
    assert_int_equal(errmsg_set(NULL, ERR_IO, "x"), ERR_IO);
    assert_int_equal(errmsg_wrap(NULL, ERR_IO, "x"), ERR_IO);
}

static void test_a_long_sentence_is_cut_between_characters(void **state)
{
    (void)state;
    struct errmsg em;
    char text[1201];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'a', shift);
        for (size_t i = shift; i + 3 <= 1200; i += 3)
            memcpy(text + i, "\xe2\x82\xac", 4);
        errmsg_set(&em, ERR_INVALID, "%s", text);
        assert_in_range(strlen(em.text), 1020, 1023);
        assert_true(str_utf8_valid(str_of(em.text)));
        errmsg_wrap(&em, ERR_INVALID, "%s", "prefix");
        assert_in_range(strlen(em.text), 1018, 1023);
        assert_true(str_utf8_valid(str_of(em.text)));
        assert_memory_equal(em.text, "prefix: ", 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_error_has_name_text_and_code),
        cmocka_unit_test(test_unknown_error_is_a_failure),
        cmocka_unit_test(test_set_and_wrap),
        cmocka_unit_test(test_a_long_sentence_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
