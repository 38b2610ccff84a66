/* Fields of CSV. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <json-c/json.h>

#include "csv.h"
#include "json.h"

static void expect(const char *json, const char *field)
{
    struct json_object *v = NULL;
    struct buf out;
    buf_init(&out, 0);
    assert_int_equal(json_parse(str_of(json), JSON_NONFINITE, &v, NULL), ERR_OK);
    csv_value(&out, v);
    assert_string_equal(buf_z(&out), field);
    json_object_put(v);
    buf_fini(&out);
}

static void test_values(void **state)
{
    (void)state;
    expect("null", "");
    expect("0.1000000000000000055", "0.1000000000000000055");
    expect("12", "12");
    expect("\"plain text\"", "plain text");
    expect("\"a,b\"", "\"a,b\"");
    expect("\"say \\\"hi\\\"\"", "\"say \"\"hi\"\"\"");
    expect("\"two\\nlines\"", "\"two\nlines\"");
    expect("\"NaN\"", "NaN");
    expect("{\"a\":1,\"b\":2}", "\"{\"\"a\"\":1,\"\"b\"\":2}\"");
    expect("true", "true");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
