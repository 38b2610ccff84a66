/* Spellings and numbers of the small enumerations: they stand in databases and on the wire, so both
 * are fixed. */
#include "codes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void spellings_are_fixed(void **state)
{
    (void)state;
    assert_string_equal(role_name(ROLE_WORKER), "worker");
    assert_string_equal(role_name(3), "client");
    assert_string_equal(trial_state_name(TRIAL_QUEUED), "queued");
    assert_string_equal(trial_state_name(9), "cancelled");
    assert_string_equal(study_state_name(STUDY_ENDED), "ended");
    assert_string_equal(verdict_name(VERDICT_ADOPT), "adopt");
    assert_string_equal(stop_why_name(STOP_SUPERSEDED), "superseded");
    assert_string_equal(final_status_name(FINAL_ERROR), "error");
    assert_string_equal(release_why_name(RELEASE_PREEMPT), "preempt");
    assert_string_equal(close_why_name(CLOSE_EXPIRED), "expired");
    assert_string_equal(nak_code_name(NAK_NOT_OWNER), "not_owner");
    assert_string_equal(record_kind_name(REC_PROPOSED), "proposed");
    assert_string_equal(record_kind_name(29), "queued");
}

static void unknown_values_have_a_name(void **state)
{
    (void)state;
    const char *(*const names[])(unsigned) = {
        role_name,         trial_state_name, study_state_name, verdict_name,  stop_why_name,
        final_status_name, release_why_name, close_why_name,   nak_code_name, record_kind_name,
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_string_equal(names[i](200), "?");
        assert_string_equal(names[i](~0u), "?");
    }
    assert_string_equal(role_name(0), "?");
}

static void names_differ_inside_a_list(void **state)
{
    (void)state;
    for (unsigned x = 0; x < 64; x++) {
        for (unsigned y = 0; y < x; y++) {
            if (strcmp(record_kind_name(x), "?") != 0)
                assert_string_not_equal(record_kind_name(x), record_kind_name(y));
            if (strcmp(trial_state_name(x), "?") != 0)
                assert_string_not_equal(trial_state_name(x), trial_state_name(y));
        }
    }
}

static void final_states(void **state)
{
    (void)state;
    for (unsigned s = TRIAL_QUEUED; s <= TRIAL_DELAYED; s++)
        assert_false(trial_state_final(s));
    for (unsigned s = TRIAL_COMPLETE; s <= TRIAL_CANCELLED; s++)
        assert_true(trial_state_final(s));
    assert_false(trial_state_final(TRIAL_CANCELLED + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_are_fixed),
        cmocka_unit_test(unknown_values_have_a_name),
        cmocka_unit_test(names_differ_inside_a_list),
        cmocka_unit_test(final_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
