/* Questions to the metadata services and what their answers mean: the documented ones, and any
 * other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cloud.h"
#include "rng.h"

#define NOON INT64_C(1505736000000) /* 2017-09-18T12:00:00Z */

static struct cloud c;
static struct cloud_notice notice;
static struct errmsg em;

static void expect_question(bool put, const char *path, const char *header)
{
    struct cloud_request r;
    cloud_next(&c, &r);
    assert_int_equal(r.put, put);
    assert_string_equal(r.path, path);
    assert_string_equal(r.headers[0], header);
    assert_string_equal(r.headers[1], "");
}

static enum cloud_verdict answer(long status, const char *body)
{
    return cloud_answer(&c, status, str_of(body), NOON, &notice, &em);
}

static void expect_notice(const char *reason, int64_t left_ms)
{
    assert_string_equal(notice.reason, reason);
    assert_true(notice.left_ms == left_ms);
}

#define TOKEN_PATH  "/latest/api/token"
#define TTL         "X-aws-ec2-metadata-token-ttl-seconds: 21600"
#define ACTION_PATH "/latest/meta-data/spot/instance-action"

static void aws(void **state)
{
    (void)state;
    cloud_init(&c, CLOUD_AWS);
    cloud_round(&c);
    expect_question(true, TOKEN_PATH, TTL);
    assert_int_equal(answer(200, "AQAEAK=="), CLOUD_AGAIN);
    expect_question(false, ACTION_PATH, "X-aws-ec2-metadata-token: AQAEAK==");
    assert_int_equal(answer(404, "<html>Not Found</html>"), CLOUD_QUIET);
    cloud_round(&c);
    expect_question(false, ACTION_PATH, "X-aws-ec2-metadata-token: AQAEAK==");
    assert_int_equal(answer(401, ""), CLOUD_AGAIN); /* six hours later */
    expect_question(true, TOKEN_PATH, TTL);
    assert_int_equal(answer(200, "new\n"), CLOUD_AGAIN);
    expect_question(false, ACTION_PATH, "X-aws-ec2-metadata-token: new");
    assert_int_equal(answer(401, ""), CLOUD_FAILED); /* not for ever */
    cloud_round(&c);
    expect_question(true, TOKEN_PATH, TTL);
    assert_int_equal(answer(200, "n2"), CLOUD_AGAIN);
    assert_int_equal(answer(200, "{\"action\": \"terminate\", \"time\": \"2017-09-18T12:01:30Z\"}"),
                     CLOUD_COMING);
    expect_notice("aws: terminate", 90000);
    assert_int_equal(answer(200, "{\"action\":\"stop\",\"time\":\"2017-09-18T11:59:00Z\"}"),
                     CLOUD_COMING);
    expect_notice("aws: stop", CLOUD_LEAST_MS); /* its clock or ours is wrong */
    assert_int_equal(answer(200, "{\"action\":\"hibernate\",\"time\":\"2027-01-01T00:00:00Z\"}"),
                     CLOUD_COMING);
    expect_notice("aws: hibernate", 120000);
    assert_int_equal(answer(200, "{\"action\":\"stop\",\"time\":\"soon\"}"), CLOUD_COMING);
    expect_notice("aws: stop", CLOUD_LEAST_MS);
}

static void aws_that_is_none(void **state)
{
    (void)state;
    static const char *const bodies[] = {"",
                                         "terminate",
                                         "[]",
                                         "{}",
                                         "{\"action\":1}",
                                         "{\"time\":\"2017-09-18T12:01:30Z\"}",
                                         "{\"action\":"};
    cloud_init(&c, CLOUD_AWS);
    assert_int_equal(answer(403, ""), CLOUD_FAILED);
    assert_int_equal(answer(200, ""), CLOUD_FAILED);
    assert_int_equal(answer(200, "two words"), CLOUD_FAILED);
    assert_int_equal(answer(200, "x\r\nInjected: yes"), CLOUD_FAILED);
    expect_question(true, TOKEN_PATH, TTL);
    assert_int_equal(answer(200, "t"), CLOUD_AGAIN);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(answer(200, bodies[i]), CLOUD_FAILED);
        assert_true(em.text[0]);
    }
    assert_int_equal(answer(500, ""), CLOUD_FAILED);
    assert_non_null(strstr(em.text, "status 500"));
}

static void google(void **state)
{
    (void)state;
    struct cloud_request r;
    cloud_init(&c, CLOUD_GOOGLE);
    expect_question(false, "/computeMetadata/v1/instance/preempted", "Metadata-Flavor: Google");
    cloud_next(&c, &r);
    int64_t patience = r.patience_ns;
    assert_int_equal(answer(200, "FALSE"), CLOUD_QUIET);
    expect_question(false,
                    "/computeMetadata/v1/instance/preempted?wait_for_change=true&timeout_sec=5",
                    "Metadata-Flavor: Google");
    cloud_next(&c, &r);
    assert_true(r.patience_ns > patience);
    assert_int_equal(answer(404, ""), CLOUD_FAILED);
    assert_int_equal(answer(200, "PERHAPS"), CLOUD_FAILED);
    assert_int_equal(answer(200, ""), CLOUD_FAILED);
    assert_int_equal(answer(200, "<html>TRUE</html>"), CLOUD_FAILED);
    assert_int_equal(answer(200, "TRUE\n"), CLOUD_COMING);
    expect_notice("google: preempted", 25000);
}

#define EVENT(type, resources, before)                                                             \
    "{\"DocumentIncarnation\":7,\"Events\":[{\"EventId\":\"1\",\"EventStatus\":\"Scheduled\","     \
    "\"EventType\":\"Freeze\",\"ResourceType\":\"VirtualMachine\",\"Resources\":[\"vm_7\"],"       \
    "\"NotBefore\":\"Mon, 18 Sep 2017 12:00:10 GMT\"},"                                            \
    "{\"EventId\":\"2\",\"EventStatus\":\"Scheduled\",\"EventType\":\"" type                       \
    "\",\"ResourceType\":\"VirtualMachine\",\"Resources\":" resources ",\"NotBefore\":\"" before   \
    "\"}]}"

static void azure(void **state)
{
    (void)state;
    cloud_init(&c, CLOUD_AZURE);
    expect_question(false, "/metadata/instance/compute/name?api-version=2021-02-01&format=text",
                    "Metadata: true");
    assert_int_equal(answer(503, ""), CLOUD_FAILED); /* asked again in the next round */
    assert_int_equal(answer(200, "vm_7"), CLOUD_AGAIN);
    expect_question(false, "/metadata/scheduledevents?api-version=2020-07-01", "Metadata: true");
    assert_int_equal(answer(200, "{\"DocumentIncarnation\":1,\"Events\":[]}"), CLOUD_QUIET);
    assert_int_equal(answer(200, EVENT("Reboot", "[\"vm_7\"]", "Mon, 18 Sep 2017 12:00:30 GMT")),
                     CLOUD_QUIET);
    assert_int_equal(answer(200, EVENT("Preempt", "[\"vm_8\"]", "Mon, 18 Sep 2017 12:00:30 GMT")),
                     CLOUD_QUIET);
    assert_int_equal(
        answer(200, EVENT("Preempt", "[\"vm_8\",\"VM_7\"]", "Mon, 18 Sep 2017 12:00:30 GMT")),
        CLOUD_COMING);
    expect_notice("azure: Preempt", 30000);
    assert_int_equal(answer(200, EVENT("Terminate", "[\"vm_7\"]", "2017-09-18T12:05:00Z")),
                     CLOUD_COMING);
    expect_notice("azure: Terminate", 300000);
    assert_int_equal(answer(200, EVENT("Preempt", "[\"vm_7\"]", "")), CLOUD_COMING);
    expect_notice("azure: Preempt", 10000); /* it has begun */
    assert_int_equal(answer(200, EVENT("Preempt", "[\"vm_7\"]", "Mon, 18 Foo 2017 12:00:30 GMT")),
                     CLOUD_COMING);
    expect_notice("azure: Preempt", 10000);
    assert_int_equal(answer(200, "{}"), CLOUD_FAILED);
    assert_int_equal(answer(200, "{\"Events\":7}"), CLOUD_FAILED);
    assert_int_equal(answer(200, "{\"Events\":[7,{},[],{\"EventType\":1}]}"), CLOUD_QUIET);
    assert_int_equal(answer(410, ""), CLOUD_FAILED);
}

static void azure_without_a_name(void **state)
{
    (void)state;
    cloud_init(&c, CLOUD_AZURE);
    assert_int_equal(answer(404, "what?"), CLOUD_AGAIN);
    assert_int_equal(answer(200, EVENT("Preempt", "[\"vm_8\"]", "Mon, 18 Sep 2017 12:00:30 GMT")),
                     CLOUD_COMING);
}

static void names(void **state)
{
    (void)state;
    enum cloud_kind k;
    assert_true(cloud_by_name("aws", &k) && k == CLOUD_AWS);
    assert_true(cloud_by_name("google", &k) && k == CLOUD_GOOGLE);
    assert_true(cloud_by_name("azure", &k) && k == CLOUD_AZURE);
    assert_false(cloud_by_name("AWS", &k));
}

/* Whatever comes back, there is a verdict, and a notice is within bounds. */
static void any_answer(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "{", "}",    "\"Events\":", "[",    "]",           "\"time\":", "\"action\":", "\"x\"",
        ",", "TRUE", "FALSE",       "\xff", "2017-09-18T", "null",      "1e999"};
    static const long codes[] = {200, 200, 200, 401, 404, 500, 0, -7};
    struct rng r;
    rng_seed(&r, 3);
    for (int kind = 0; kind < CLOUD_KINDS; kind++) {
        cloud_init(&c, (enum cloud_kind)kind);
        for (int i = 0; i < 20000; i++) {
            char body[256] = "";
            struct cloud_request q;
            for (uint64_t n = rng_below(&r, 12); n > 0; n--)
                strcat(body, pieces[rng_below(&r, 15)]);
            cloud_next(&c, &q);
            assert_int_equal(q.path[0], '/');
            enum cloud_verdict v = answer(codes[rng_below(&r, 8)], body);
            assert_true(v <= CLOUD_FAILED);
            if (v == CLOUD_COMING)
                assert_true(notice.left_ms >= CLOUD_LEAST_MS && notice.left_ms <= 900000);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aws),
        cmocka_unit_test(aws_that_is_none),
        cmocka_unit_test(google),
        cmocka_unit_test(azure),
        cmocka_unit_test(azure_without_a_name),
        cmocka_unit_test(names),
        cmocka_unit_test(any_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
