/* What is said of a reason, whatever its shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>
#include <cmocka.h>

#include "json.h"
#include "reason.h"

static void says(const char *why, const char *expected)
{
    struct json_object *v = NULL;
    struct buf out;
    buf_init(&out, 0);
    assert_int_equal(json_parse(str_of(why), JSON_NONFINITE, &v, NULL), ERR_OK);
    reason_explain(v, &out);
    assert_string_equal(buf_z(&out), expected);
    json_object_put(v);
    buf_fini(&out);
}

static void a_whole_one(void **state)
{
    (void)state;
    says(
        "{\"sampler\":\"tpe\",\"preset\":\"tunefarm\",\"how\":\"model\",\"part\":\"joint density\","
        "\"trials\":42,\"pending\":3,\"good\":7,\"good_to\":0.31,\"around\":17,\"ratio\":2."
        "0794415416798357}",
        "  It was chosen by the sampler tpe (preset tunefarm): by its model of the results so "
        "far.\n"
        "  The part of the sampler that gave it: joint density.\n"
        "  The model counted 42 trials and knew of 3 without a result yet.\n"
        "  The best 7 of them it calls good; the last of these has a loss of 0.31.\n"
        "  It was drawn around trial 17.\n"
        "  Points like it are 8 times as dense among the good ones as among the others (log ratio "
        "2.079).\n");
}

static void parts_of_one(void **state)
{
    (void)state;
    says("{\"sampler\":\"random\"}", "  It was chosen by the sampler random.\n");
    says("{\"how\":\"prior\",\"trials\":1}",
         "  It is drawn from the prior, whatever the results so far.\n"
         "  The model counted 1 trial.\n");
    says("{\"how\":\"by tea leaves\",\"ratio\":-0.6931471805599453}",
         "  It is by tea leaves.\n"
         "  Points like it are 2 times as rare among the good ones as among the others (log ratio "
         "-0.6931).\n");
    says("{\"sampler\":\"x\",\"radius\":0.5,\"centre\":17}",
         "  It was chosen by the sampler x.\n  radius: 0.5\n  centre: 17\n");
}

static void strange_ones(void **state)
{
    (void)state;
    says("null", "  Its optimizer gave no reason.\n");
    says("[1]", "  Its optimizer gave no reason.\n");
    says("{}", "");
    says("{\"sampler\":{\"a\":1},\"trials\":\"many\",\"ratio\":\"high\",\"how\":7}",
         "  It was chosen by the sampler { \"a\": 1 }: 7.\n  The model counted many trials.\n");
    says("{\"how\":\"a\\u001b[31mb\"}", "  It is a [31mb.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_one),
        cmocka_unit_test(parts_of_one),
        cmocka_unit_test(strange_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
