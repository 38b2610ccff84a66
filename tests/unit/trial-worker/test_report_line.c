/* What a line of the report channel means. */
#include <json-c/json.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "json.h"
#include "report_line.h"

static struct report_line parse(const char *line)
{
    struct report_line r;
    struct errmsg em = {""};
    if (report_line_parse(&r, str_of(line), STR("loss"), &em))
        fail_msg("%s: %s", line, em.text);
    return r;
}

static void refused(const char *line, const char *sentence)
{
    struct report_line r;
    struct errmsg em = {""};
    assert_int_not_equal(report_line_parse(&r, str_of(line), STR("loss"), &em), ERR_OK);
    if (!strstr(em.text, sentence))
        fail_msg("%s: \"%s\" is not in \"%s\"", line, sentence, em.text);
}

static void kinds(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum report_kind kind;
    } rows[] = {
        {"{\"step\":0,\"loss\":1}", REPORT_POINT},
        {"{\"step\":3.0,\"acc\":1}", REPORT_POINT},
        {"{\"loss\":1}", REPORT_FINAL},
        {"{\"loss\":\"-Infinity\"}", REPORT_FINAL},
        {"{\"acc\":1}", REPORT_METRICS},
        {"{\"pruned\":true}", REPORT_PRUNED},
        {"{\"pruned\":true,\"step\":4,\"loss\":1}", REPORT_PRUNED},
        {"{\"pruned\":false,\"loss\":1}", REPORT_FINAL},
        {"{\"error\":\"\"}", REPORT_ERROR},
        {"{\"error\":\"x\",\"loss\":1}", REPORT_ERROR},
        {"{\"checkpoint\":\"u\",\"step\":2}", REPORT_CHECKPOINT},
        {"  {\"loss\" : 1}  ", REPORT_FINAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct report_line r = parse(rows[i].line);
        if (r.kind != rows[i].kind)
            fail_msg("%s is %d, not %d", rows[i].line, r.kind, rows[i].kind);
        report_line_fini(&r);
    }
}

static void values(void **state)
{
    (void)state;
    struct report_line r = parse("{\"step\":9007199254740991,\"loss\":-Infinity}");
    assert_true(r.has_step && r.step == REPORT_MAX_STEP && r.has_value && isinf(r.value) &&
                r.value < 0);
    report_line_fini(&r);
    r = parse("{\"loss\":nan}");
    assert_true(r.has_value && isnan(r.value));
    report_line_fini(&r);
    r = parse("{\"error\":\"a\\u00e4\",\"retry\":false}");
    assert_true(!r.retry && str_is(r.text, "a\xc3\xa4"));
    report_line_fini(&r);
    r = parse("{\"error\":\"a\"}");
    assert_true(r.retry);
    report_line_fini(&r);
}

static void other_metrics(void **state)
{
    (void)state;
    struct report_line r = parse(
        "{\"step\":1,\"loss\":2,\"acc\":0.5,\"name\":\"x\",\"ok\":true,\"l\":[1],\"n\":null}");
    struct buf b;
    buf_init(&b, 0);
    json_write(&b, r.metrics);
    assert_string_equal(buf_z(&b), "{\"acc\":0.5,\"name\":\"x\",\"ok\":true}");
    assert_int_equal(r.left_out, 2);
    buf_clear(&b);
    report_line_fini(&r);
    buf_addz(&b, "{\"loss\":1");
    for (int i = 0; i < 100; i++)
        buf_printf(&b, ",\"m%d\":%d", i, i);
    buf_addz(&b, "}");
    r = parse(buf_z(&b));
    assert_int_equal(json_object_object_length(r.metrics), REPORT_MAX_METRICS);
    assert_int_equal(r.left_out, 100 - REPORT_MAX_METRICS);
    report_line_fini(&r);
    buf_fini(&b);
}

static void wrong_lines(void **state)
{
    (void)state;
    refused("loss 3", "no JSON");
    refused("{\"loss\":1", "no JSON");
    refused("{\"loss\":1} x", "no JSON");
    refused("[1]", "no JSON object");
    refused("{}", "no metric: expected \"loss\"");
    refused("{\"step\":1}", "no metric");
    refused("{\"step\":-1,\"loss\":1}", "\"step\" is -1");
    refused("{\"step\":1.5,\"loss\":1}", "expected a whole number");
    refused("{\"step\":9007199254740992,\"loss\":1}", "2^53-1");
    refused("{\"step\":\"3\",\"loss\":1}", "\"step\" is \"3\"");
    refused("{\"step\":null,\"loss\":1}", "\"step\" is null");
    refused("{\"step\":NaN,\"loss\":1}", "expected a whole number");
    refused("{\"loss\":null}", "\"loss\" is null, expected a number");
    refused("{\"loss\":\"low\"}", "\"loss\" is \"low\", expected a number");
    refused("{\"loss\":[1]}", "expected a number");
    for (int shift = 0; shift < 3; shift++) { /* a text that is cut in the midst of a character */
        char line[128];
        struct report_line r;
        struct errmsg em = {""};
        snprintf(line, sizeof line, "{\"loss\":\"%.*s", shift, "xx");
        for (int i = 0; i < 30; i++)
            strcat(line, "\xe2\x82\xac");
        strcat(line, "\"}");
        assert_int_equal(report_line_parse(&r, str_of(line), STR("loss"), &em), ERR_INVALID);
        assert_true(str_utf8_valid(str_of(em.text)));
    }
    refused("{\"checkpoint\":\"\"}", "\"checkpoint\" has 0 bytes");
    refused("{\"checkpoint\":\"a\\nb\"}", "\"checkpoint\" holds a control character");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(values),
        cmocka_unit_test(other_metrics),
        cmocka_unit_test(wrong_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
