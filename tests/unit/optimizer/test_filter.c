/* The filter mode: requests and answers, and that faults change nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "filter.h"

struct bed {
    struct spec *spec;
    struct filter *filter;
    struct buf out;
};

static int open_bed(void **state)
{
    struct bed *b = calloc(1, sizeof *b);
    struct errmsg em = {""};
    const char *json = "{\"study\":\"s\",\"objective\":{\"metric\":\"loss\"},"
                       "\"space\":{\"k\":{\"int\":[1,4]},\"c\":{\"choice\":[\"a\",\"b\"]}},"
                       "\"enqueue\":[{\"k\":2,\"c\":\"b\"}],"
                       "\"sampler\":{\"name\":\"grid\"},\"stop\":{\"time\":\"10s\"}}";
    if (spec_parse(str_of(json), &b->spec, &em) || filter_new(&b->filter, b->spec, &em))
        fail_msg("%s", em.text);
    buf_init(&b->out, 0);
    *state = b;
    return 0;
}

static int close_bed(void **state)
{
    struct bed *b = *state;
    filter_free(b->filter);
    spec_free(b->spec);
    buf_fini(&b->out);
    free(b);
    return 0;
}

static const char *say_at(struct bed *b, const char *line, int64_t ns)
{
    buf_clear(&b->out);
    filter_line(b->filter, str_of(line), ns, &b->out);
    assert_true(b->out.n > 1 && b->out.p[b->out.n - 1] == '\n');
    b->out.n--;
    assert_null(memchr(b->out.p, '\n', b->out.n));
    return buf_z(&b->out);
}

static const char *say(struct bed *b, const char *line)
{
    return say_at(b, line, 0);
}

static void says_error(struct bed *b, const char *line, const char *part)
{
    const char *answer = say(b, line);
    if (strncmp(answer, "{\"error\":\"", 10) != 0 || !strstr(answer, part))
        fail_msg("%s -> %s, expected an error with \"%s\"", line, answer, part);
}

static void a_study_from_first_to_last(void **state)
{
    struct bed *b = *state;
    assert_string_equal(say(b, "{\"best\":1}"), "null");
    assert_string_equal(say(b, "{\"ask\": 2}"),
                        "{\"trials\":[{\"trial\":0,\"params\":{\"k\":2,\"c\":\"b\"}},"
                        "{\"trial\":1,\"params\":{\"k\":1,\"c\":\"a\"}}]}");
    assert_string_equal(say(b, "{\"report\":{\"trial\":1,\"step\":3,\"loss\":0.6}}"),
                        "{\"decision\":\"continue\"}");
    assert_string_equal(say(b, "{\"tell\":{\"trial\":1,\"loss\":0.5}}"), "{\"ok\":true}");
    assert_string_equal(say(b, "{\"tell\":{\"trial\":0,\"status\":\"failed\"}}"), "{\"ok\":true}");
    assert_string_equal(say(b, "{\"best\":1}"),
                        "{\"trial\":1,\"loss\":0.5,\"params\":{\"k\":1,\"c\":\"a\"}}");
    say(b,
        "{\"ask\":100}"); /* the other six of the grid; the enqueued one is not asked for again */
    assert_non_null(strstr(buf_z(&b->out), "\"trial\":7,"));
    assert_null(strstr(buf_z(&b->out), "\"trial\":8"));
    assert_string_equal(say(b, "{\"ask\":1}"), "{\"trials\":[]}");
    assert_string_equal(say(b, "{\"tell\":{\"trial\":2,\"status\":\"lost\"}}"), "{\"ok\":true}");
    assert_string_equal(say(b, "{\"tell\":{\"trial\":3,\"loss\":Infinity}}"), "{\"ok\":true}");
    assert_string_equal(say(b, "{\"report\":{\"trial\":4,\"step\":0,\"loss\":NaN}}"),
                        "{\"decision\":\"continue\"}");
}

static void faults_are_told_and_change_nothing(void **state)
{
    struct bed *b = *state;
    say(b, "{\"ask\":2}");
    says_error(b, "", "JSON");
    says_error(b, "{\"ask\":", "JSON");
    says_error(b, "[]", "ask, report, tell or best");
    says_error(b, "{}", "ask, report, tell or best");
    says_error(b, "{\"ask\":1,\"best\":1}", "ask, report, tell or best");
    says_error(b, "{\"aks\":1}", "ask, report, tell or best");
    says_error(b, "{\"ask\":0}", "1 to 1024");
    says_error(b, "{\"ask\":1025}", "1 to 1024");
    says_error(b, "{\"ask\":\"1\"}", "1 to 1024");
    says_error(b, "{\"tell\":3}", "tell: expected an object");
    says_error(b, "{\"tell\":{\"trial\":2,\"loss\":1}}", "no trial 2");
    says_error(b, "{\"tell\":{\"trial\":-1,\"loss\":1}}", "tell.trial");
    says_error(b, "{\"tell\":{\"loss\":1}}", "tell.trial");
    says_error(b, "{\"tell\":{\"trial\":1}}", "tell.loss");
    says_error(b, "{\"tell\":{\"trial\":1,\"loss\":\"low\"}}", "tell.loss");
    says_error(b, "{\"tell\":{\"trial\":1,\"loss\":NaN}}", "NaN");
    says_error(b, "{\"tell\":{\"trial\":1,\"loss\":1,\"status\":\"lost\"}}", "no loss");
    says_error(b, "{\"tell\":{\"trial\":1,\"status\":\"fine\"}}", "tell.status");
    says_error(b, "{\"tell\":{\"trial\":1,\"los\":1}}", "unknown member \\\"los\\\"");
    says_error(b, "{\"report\":{\"trial\":1,\"loss\":1}}", "report.step");
    says_error(b, "{\"report\":{\"trial\":1,\"step\":-1,\"loss\":1}}", "report: step -1");
    says_error(b, "{\"report\":{\"trial\":1,\"step\":1}}", "report.loss");
    assert_string_equal(say(b, "{\"best\":1}"), "null");
    assert_string_equal(say(b, "{\"tell\":{\"trial\":1,\"loss\":2}}"), "{\"ok\":true}");
    says_error(b, "{\"tell\":{\"trial\":1,\"loss\":1}}", "known already");
    says_error(b, "{\"report\":{\"trial\":1,\"step\":1,\"loss\":1}}", "known already");
    assert_string_equal(say(b, "{\"best\":1}"),
                        "{\"trial\":1,\"loss\":2,\"params\":{\"k\":1,\"c\":\"a\"}}");
}

static void lines_have_a_limit(void **state)
{
    struct bed *b = *state;
    char *line = malloc(FILTER_LINE_LIMIT + 2);
    memset(line, ' ', FILTER_LINE_LIMIT + 1);
    line[FILTER_LINE_LIMIT + 1] = '\0';
    says_error(b, line, "1048576");
    free(line);
    assert_string_equal(say(b, "{\"best\":1}"), "null");
}

static void time_ends_a_study(void **state)
{
    struct bed *b = *state;
    assert_string_not_equal(say_at(b, "{\"ask\":1}", INT64_C(9999999999)), "{\"trials\":[]}");
    assert_string_equal(say_at(b, "{\"ask\":1}", INT64_C(10000000000)), "{\"trials\":[]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_study_from_first_to_last, open_bed, close_bed),
        cmocka_unit_test_setup_teardown(faults_are_told_and_change_nothing, open_bed, close_bed),
        cmocka_unit_test_setup_teardown(lines_have_a_limit, open_bed, close_bed),
        cmocka_unit_test_setup_teardown(time_ends_a_study, open_bed, close_bed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
