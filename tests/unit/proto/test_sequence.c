/* Numbering of frames at the end that said HELLO. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sequence.h"

static struct frame stamped(struct sequence *s, uint64_t session)
{
    struct frame f = {.session = session};
    sequence_stamp(s, &f);
    return f;
}

static bool follow(struct sequence *s, uint64_t session, uint64_t seq)
{
    struct frame f = {.session = session, .seq = seq};
    return sequence_follow(s, &f);
}

static void test_each_session_counts_from_one(void **state)
{
    (void)state;
    struct sequence s = {0};
    assert_int_equal(stamped(&s, 0).seq, 1); /* HELLO, and another */
    assert_int_equal(stamped(&s, 0).seq, 2);
    assert_int_equal(stamped(&s, 7).seq, 1);
    assert_int_equal(stamped(&s, 7).seq, 2);
    assert_int_equal(stamped(&s, 0).seq, 1);
}

static void test_seen_is_of_the_frames_own_session(void **state)
{
    (void)state;
    struct sequence s = {0};
    assert_int_equal(stamped(&s, 7).seen, 0);
    assert_false(follow(&s, 7, 1));
    assert_false(follow(&s, 7, 2));
    assert_int_equal(stamped(&s, 7).seen, 2);
    assert_int_equal(stamped(&s, 0).seen, 0);
    assert_int_equal(stamped(&s, 8).seen, 0);
}

static void test_a_hole_is_told_once(void **state)
{
    (void)state;
    struct sequence s = {0};
    assert_false(follow(&s, 7, 1));
    assert_true(follow(&s, 7, 3));
    assert_false(follow(&s, 7, 4));
    assert_false(follow(&s, 7, 2)); /* late, or again */
    assert_int_equal(s.in, 4);
}

static void test_refusals_and_older_sessions_are_no_holes(void **state)
{
    (void)state;
    struct sequence s = {0};
    assert_false(follow(&s, 7, 1));
    assert_false(follow(&s, 7, 0));
    assert_false(follow(&s, 6, 90));
    assert_false(follow(&s, 7, 2));
    assert_false(follow(&s, 9, 1)); /* a new one */
    assert_true(follow(&s, 9, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_session_counts_from_one),
        cmocka_unit_test(test_seen_is_of_the_frames_own_session),
        cmocka_unit_test(test_a_hole_is_told_once),
        cmocka_unit_test(test_refusals_and_older_sessions_are_no_holes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
