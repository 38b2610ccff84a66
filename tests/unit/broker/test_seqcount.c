/* Sequence numbers of a connection: holes are seen once, and nothing that a peer may send confuses
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "seqcount.h"

static void test_frames_are_numbered_within_the_session(void **unused)
{
    (void)unused;
    struct seqcount c = {0};
    assert_int_equal(seqcount_out(&c, 0).seq, 0); /* before any session */
    seqcount_begin(&c, 5);
    assert_int_equal(seqcount_out(&c, 5).seq, 1);
    assert_int_equal(seqcount_out(&c, 5).seq, 2);
    assert_int_equal(seqcount_out(&c, 4).seq, 0); /* refusals, of whatever session was named */
    assert_int_equal(seqcount_out(&c, UINT64_MAX).seq, 0);
    assert_int_equal(seqcount_out(&c, 5).seq, 3);
    seqcount_begin(&c, 6);
    assert_int_equal(seqcount_out(&c, 6).seq, 1);
}

static void test_a_hole_is_seen_once(void **unused)
{
    (void)unused;
    struct seqcount c = {0};
    seqcount_begin(&c, 5);
    assert_false(seqcount_in(&c, 5, 1));
    assert_false(seqcount_in(&c, 5, 2));
    assert_true(seqcount_in(&c, 5, 4));
    assert_false(seqcount_in(&c, 5, 5));
    assert_int_equal(seqcount_out(&c, 5).seen, 5);
}

static void test_the_first_frame_may_be_the_missing_one(void **unused)
{
    (void)unused;
    struct seqcount c = {0};
    seqcount_begin(&c, 5);
    assert_true(seqcount_in(&c, 5, 2));
}

/* The command line counts on from its HELLO. */
static void test_a_session_may_go_on_counting(void **unused)
{
    (void)unused;
    struct seqcount c = {0};
    assert_false(seqcount_in(&c, 0, 7));
    seqcount_begin(&c, 5);
    assert_false(seqcount_in(&c, 5, 8));
    assert_false(seqcount_in(&c, 5, 9));
    seqcount_begin(&c, 6);
    assert_true(seqcount_in(&c, 6, 10));
}

static void test_other_sessions_and_repetitions_are_no_holes(void **unused)
{
    (void)unused;
    struct seqcount c = {0};
    assert_false(seqcount_in(&c, 0, 1)); /* HELLO */
    assert_false(seqcount_in(&c, 0, 9)); /* and another */
    seqcount_begin(&c, 5);
    assert_false(seqcount_in(&c, 4, 80));
    assert_false(seqcount_in(&c, 6, 80));
    assert_false(seqcount_in(&c, 5, 1));
    assert_false(seqcount_in(&c, 5, 1));
    assert_false(seqcount_in(&c, 5, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_are_numbered_within_the_session),
        cmocka_unit_test(test_a_hole_is_seen_once),
        cmocka_unit_test(test_the_first_frame_may_be_the_missing_one),
        cmocka_unit_test(test_a_session_may_go_on_counting),
        cmocka_unit_test(test_other_sessions_and_repetitions_are_no_holes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
