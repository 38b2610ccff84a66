/* Metrics out of lines of output, by patterns of any quality. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc.h"
#include "scrape.h"

static struct scrape *make(const char *metric, const char *pattern, const char *step)
{
    struct objective o = {
        .metric = str_of(metric), .scrape_pattern = str_of(pattern), .scrape_step = str_of(step)};
    struct scrape *s;
    struct errmsg em = {""};
    if (scrape_new(&s, &o, &em))
        fail_msg("%s", em.text);
    return s;
}

static void refused(const char *pattern, const char *step, const char *sentence)
{
    struct objective o = {
        .metric = STR("loss"), .scrape_pattern = str_of(pattern), .scrape_step = str_of(step)};
    struct scrape *s;
    struct errmsg em = {""};
    assert_int_equal(scrape_new(&s, &o, &em), ERR_INVALID);
    if (!strstr(em.text, sentence))
        fail_msg("\"%s\" is not in \"%s\"", sentence, em.text);
}

static void value_and_step(void **state)
{
    (void)state;
    struct scrape *s = make("loss", "val_loss=(?<loss>\\S+)", "epoch (?<step>\\d+)");
    struct scrape_state st = {0};
    double v;
    assert_int_equal(scrape_line(s, &st, STR("nothing"), &v), SCRAPE_NOTHING);
    assert_int_equal(scrape_line(s, &st, STR("val_loss=1.5, more"), &v), SCRAPE_VALUE);
    assert_true(v == 1.5 && !st.has_step);
    assert_int_equal(scrape_line(s, &st, STR("epoch 12"), &v), SCRAPE_NOTHING);
    assert_int_equal(scrape_line(s, &st, STR("val_loss=nan"), &v), SCRAPE_VALUE);
    assert_true(isnan(v) && st.has_step && st.step == 12);
    assert_int_equal(scrape_line(s, &st, STR("epoch 13 val_loss=2e-3"), &v), SCRAPE_VALUE);
    assert_true(v == 2e-3 && st.step == 13);
    assert_int_equal(scrape_line(s, &st, STR("val_loss=low"), &v), SCRAPE_BAD);
    assert_int_equal(scrape_line(s, &st, STR("epoch 99999999999999999999 val_loss=1"), &v),
                     SCRAPE_VALUE);
    assert_int_equal(st.step, 13);
    scrape_free(s);
}

static void which_group(void **state)
{
    (void)state;
    static const char *const patterns[] = {"(?<loss>\\d) (?<acc>\\d)", "(?<loss>\\d) \\d",
                                           "(?<value>\\d) \\d"};
    static const double wanted[] = {2, 1, 1};
    for (int i = 0; i < 3; i++) {
        struct scrape *s = make("acc", patterns[i], "");
        struct scrape_state st = {0};
        double v = 0;
        assert_int_equal(scrape_line(s, &st, STR("1 2"), &v), SCRAPE_VALUE);
        assert_true(v == wanted[i]);
        scrape_free(s);
    }
    struct scrape *s = make("loss", "(?<step>\\d+): (?<loss>\\S+)", "");
    struct scrape_state st = {0};
    double v;
    assert_int_equal(scrape_line(s, &st, STR("7: 0.5"), &v), SCRAPE_VALUE);
    assert_true(st.has_step && st.step == 7);
    scrape_free(s);
}

static void none_wanted(void **state)
{
    (void)state;
    struct objective o = {.metric = STR("loss")};
    struct scrape *s = (struct scrape *)&o;
    assert_int_equal(scrape_new(&s, &o, NULL), ERR_OK);
    assert_null(s);
    scrape_free(NULL);
}

static void bad_patterns(void **state)
{
    (void)state;
    refused("loss=(?<loss>", "", "objective.scrape.pattern: at character 14: ");
    refused("loss=(\\S+)", "", "expected a group (?<loss>...)");
    refused("(?<loss>x)", "(?<step", "objective.scrape.step: at character");
    refused("(?<loss>x)", "(\\d)", "objective.scrape.step: expected a group (?<step>...)");
}

/* A pattern that explodes, long lines and bytes that are no UTF-8 end soon, with nothing found. */
static void costly_input(void **state)
{
    (void)state;
    struct scrape *s = make("loss", "^(a+)+(?<loss>\\d)$", "");
    struct scrape_state st = {0};
    double v;
    char *line = alloc_array(60000, 1);
    memset(line, 'a', 60000);
    assert_int_equal(scrape_line(s, &st, str_make(line, 60000), &v), SCRAPE_BAD);
    scrape_free(s);
    s = make("loss", "loss=(?<loss>\\d)", "");
    memset(line, 0xff, 1000);
    memcpy(line + 1000, "loss=3", 6);
    assert_int_equal(scrape_line(s, &st, str_make(line, 1006), &v), SCRAPE_VALUE);
    assert_true(v == 3);
    scrape_free(s);
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_and_step), cmocka_unit_test(which_group),
        cmocka_unit_test(none_wanted),    cmocka_unit_test(bad_patterns),
        cmocka_unit_test(costly_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
