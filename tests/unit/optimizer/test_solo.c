/* The books of a study without a farm: numbers, known points first, faults, the same calls again.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "solo.h"

static struct spec *spec_of(const char *extra)
{
    char text[1024];
    struct errmsg em = {""};
    struct spec *spec = NULL;
    snprintf(
        text, sizeof text,
        "{\"study\":\"s\",\"space\":{\"k\":{\"int\":[1,4]}},\"sampler\":{\"name\":\"grid\"}%s}",
        extra);
    if (spec_parse(str_of(text), &spec, &em))
        fail_msg("%s", em.text);
    return spec;
}

static struct solo *solo_of(const struct spec *spec)
{
    struct solo *s = NULL;
    struct errmsg em = {""};
    if (solo_new(&s, spec, &em))
        fail_msg("%s", em.text);
    return s;
}

static void expect(struct solo *s, uint64_t number, const char *params, bool proposed)
{
    struct errmsg em = {""};
    enum solo_answer answer;
    struct solo_trial t;
    assert_int_equal(solo_ask(s, &answer, &t, &em), ERR_OK);
    assert_int_equal(answer, SOLO_TRIAL);
    assert_int_equal(t.number, number);
    assert_true(str_is(t.params, params));
    assert_int_equal(t.proposed, proposed);
    assert_int_equal(t.why.n > 0, proposed);
}

static void expect_none(struct solo *s, enum solo_answer expected)
{
    enum solo_answer answer;
    struct solo_trial t;
    assert_int_equal(solo_ask(s, &answer, &t, NULL), ERR_OK);
    assert_int_equal(answer, expected);
}

static void known_points_come_first(void **state)
{
    (void)state;
    struct spec *spec = spec_of(",\"enqueue\":[{\"k\":3}]");
    struct solo *s = solo_of(spec);
    uint64_t trial = 9;
    assert_int_equal(solo_queued(s), 1);
    assert_int_equal(solo_enqueue(s, STR("{\"k\":2}"), NULL), ERR_OK);
    assert_int_equal(solo_add(s, STR("{\"k\":1}"), &trial, NULL), ERR_OK);
    assert_int_equal(trial, 0);
    assert_int_equal(solo_queued(s), 2);
    expect(s, 1, "{\"k\":3}", false);
    expect(s, 2, "{\"k\":2}", false);
    expect(s, 3, "{\"k\":4}", true);
    expect_none(s, SOLO_END);
    assert_int_equal(solo_count(s), 4);
    solo_free(s);
    spec_free(spec);
}

static void rules_end_it_before_known_points_do(void **state)
{
    (void)state;
    struct spec *spec = spec_of(",\"stop\":{\"trials\":1}");
    struct solo *s = solo_of(spec);
    expect(s, 0, "{\"k\":1}", true);
    assert_int_equal(solo_enqueue(s, STR("{\"k\":2}"), NULL), ERR_OK);
    expect_none(s, SOLO_END);
    assert_int_equal(solo_finish(s, 0, TRIAL_CANCELLED, (double)NAN, NULL), ERR_OK);
    expect(s, 1, "{\"k\":2}", false); /* the cancelled one made room */
    solo_free(s);
    spec_free(spec);
}

static void faults_change_nothing(void **state)
{
    (void)state;
    struct errmsg em = {""};
    struct solo_trial t;
    struct spec *spec = spec_of("");
    struct solo *s = solo_of(spec);
    expect(s, 0, "{\"k\":1}", true);
    assert_int_equal(solo_take(s, &t, &em), ERR_NOT_FOUND);
    assert_int_equal(solo_report(s, 1, 0, 1, &em), ERR_NOT_FOUND);
    assert_int_equal(solo_report(s, 0, -1, 1, &em), ERR_INVALID);
    assert_int_equal(solo_report(s, 0, SOLO_MAX_STEP + 1, 1, &em), ERR_INVALID);
    assert_int_equal(solo_finish(s, 0, TRIAL_COMPLETE, (double)NAN, &em), ERR_INVALID);
    assert_int_equal(solo_finish(s, 0, TRIAL_RUNNING, 1, &em), ERR_INVALID);
    assert_string_equal(em.text, "trial 0: running is no end of a trial");
    assert_int_equal(solo_finish(s, 0, TRIAL_COMPLETE, 1, &em), ERR_OK);
    assert_int_equal(solo_finish(s, 0, TRIAL_COMPLETE, 1, &em), ERR_EXISTS);
    assert_int_equal(solo_report(s, 0, 0, 1, &em), ERR_EXISTS);
    for (int i = 0; i < SOLO_MAX_QUEUED; i++)
        assert_int_equal(solo_enqueue(s, STR("{\"k\":1}"), &em), ERR_OK);
    assert_int_equal(solo_enqueue(s, STR("{\"k\":1}"), &em), ERR_LIMIT);
    solo_free(s);
    spec_free(spec);
}

static void what_an_ask_came_to_can_be_done_again(void **state)
{
    (void)state;
    struct solo_trial t;
    struct spec *spec = spec_of(",\"enqueue\":[{\"k\":3}]");
    struct solo *s = solo_of(spec);
    assert_int_equal(solo_take(s, &t, NULL), ERR_OK);
    assert_int_equal(solo_propose(s, STR("{\"k\":1}"), NULL), ERR_OK);
    expect(s, 2, "{\"k\":2}", true);
    solo_free(s);
    spec_free(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_points_come_first),
        cmocka_unit_test(rules_end_it_before_known_points_do),
        cmocka_unit_test(faults_change_nothing),
        cmocka_unit_test(what_an_ask_came_to_can_be_done_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
