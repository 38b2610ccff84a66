/* What the broker reads of a spec; where it may listen; its options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "broker_options.h"
#include "clock.h"
#include "envelope.h"
#include "place.h"
#include "tempdir.h"

static void test_defaults(void **unused)
{
    (void)unused;
    struct arena a;
    struct envelope e;
    struct errmsg em;
    arena_init(&a, 0);
    assert_int_equal(
        envelope_read(STR("{\"study\":\"s\",\"objective\":{},\"space\":{}}"), &a, &e, &em), ERR_OK);
    assert_true(str_is(e.metric, "loss"));
    assert_false(e.maximize);
    assert_true(e.cpu == 0 && e.weight == 1);
    assert_int_equal(e.retries, 2);
    assert_int_equal(e.retry_delay_ns, NS_PER_S);
    assert_int_equal(e.parallel + e.ahead + e.n_labels + e.n_enqueue, 0);
    arena_fini(&a);
}

static void test_everything(void **unused)
{
    (void)unused;
    static const char spec[] =
        "{\"objective\":{\"metric\":\"acc\",\"direction\":\"maximize\",\"resources\":{\"cpu\":1.5,"
        "\"gpu\":2,\"memory\":\"2G\"},"
        "\"labels\":[\"fast\",\"eu\"],\"grace\":\"3s\"},\"parallel\":16,\"priority\":-3,\"weight\":"
        "2.5,\"retries\":0,"
        "\"retry_delay\":0.5,\"ahead\":4,\"enqueue\":[{\"x\": 1,\"y\":\"a\"},{}],"
        "\"enqueue_given\":[{\"x\":1},{}]}";
    struct arena a;
    struct envelope e;
    struct errmsg em = {{0}};
    arena_init(&a, 0);
    if (envelope_read(STR(spec), &a, &e, &em) != ERR_OK)
        fail_msg("%s", em.text);
    assert_true(str_is(e.metric, "acc") && e.maximize);
    assert_true(e.cpu == 1.5 && e.gpu == 2 && e.memory == UINT64_C(2) << 30);
    assert_int_equal(e.n_labels, 2);
    assert_true(str_is(e.labels[1], "eu"));
    assert_int_equal(e.grace_ns, 3 * NS_PER_S);
    assert_int_equal(e.retry_delay_ns, NS_PER_S / 2);
    assert_true(e.parallel == 16 && e.priority == -3 && e.weight == 2.5 && e.retries == 0 &&
                e.ahead == 4);
    assert_int_equal(e.n_enqueue, 2);
    assert_true(str_is(e.enqueue[0], "{\"x\":1,\"y\":\"a\"}"));
    assert_true(str_is(e.given[0], "{\"x\":1}"));
    arena_fini(&a);
}

static void test_faults_name_their_place(void **unused)
{
    (void)unused;
    static const char *const bad[][2] = {
        {"{", "the spec"},
        {"[]", "the spec"},
        {"{\"weight\":0}", "weight"},
        {"{\"weight\":\"2\"}", "weight"},
        {"{\"parallel\":1.5}", "parallel"},
        {"{\"parallel\":-1}", "parallel"},
        {"{\"retry_delay\":\"soon\"}", "retry_delay"},
        {"{\"enqueue\":[1]}", "enqueue"},
        {"{\"enqueue\":{}}", "enqueue"},
        {"{\"enqueue\":[{}],\"enqueue_given\":[]}", "enqueue_given"},
        {"{\"enqueue\":[{}],\"enqueue_given\":[1]}", "enqueue_given"},
        {"{\"objective\":{\"metric\":1}}", "objective.metric"},
        {"{\"objective\":{\"direction\":\"up\"}}", "objective.direction"},
        {"{\"objective\":{\"labels\":\"x\"}}", "objective.labels"},
        {"{\"objective\":{\"resources\":{\"memory\":\"much\"}}}", "objective.resources.memory"},
        {"{\"objective\":{\"resources\":{\"gpu\":0.5}}}", "objective.resources.gpu"},
    };
    struct arena a;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct envelope e;
        struct errmsg em = {{0}};
        if (envelope_read(str_of(bad[i][0]), &a, &e, &em) == ERR_OK)
            fail_msg("accepted: %s", bad[i][0]);
        if (!str_starts(str_of(em.text), bad[i][1]))
            fail_msg("%s: %s", bad[i][0], em.text);
    }
    arena_fini(&a);
}

static void test_an_ipc_socket_needs_a_private_directory(void **unused)
{
    (void)unused;
    struct tempdir d;
    struct errmsg em;
    char at[160];
    tempdir_make(&d);
    snprintf(at, sizeof at, "ipc://%s/b", d.path);
    chmod(d.path, 0700);
    assert_int_equal(place_check(at, &em), ERR_OK);
    chmod(d.path, 0750);
    assert_int_equal(place_check(at, &em), ERR_REFUSED);
    assert_non_null(strstr(em.text, "chmod 700"));
    chmod(d.path, 0700);
    snprintf(at, sizeof at, "ipc://%s/none/b", d.path);
    assert_int_equal(place_check(at, &em), ERR_IO);
    assert_int_equal(place_check("tcp://127.0.0.1:7077", &em), ERR_OK);
    assert_true(place_check("http://x", &em) != ERR_OK);
    tempdir_remove(&d);
}

static void test_options_that_do_not_go_together(void **unused)
{
    (void)unused;
    struct errmsg em;
    struct broker_options o = {.db = "x", .beat = 5 * NS_PER_S, .lease_ttl = 30 * NS_PER_S};
    assert_int_equal(broker_options_check(&o, &em), ERR_OK);
    o.beat = 20 * NS_PER_S;
    assert_int_equal(broker_options_check(&o, &em), ERR_INVALID);
    o.beat = NS_PER_S;
    o.daemon = true;
    assert_int_equal(broker_options_check(&o, &em), ERR_INVALID);
    o.common.log_file = "log";
    assert_int_equal(broker_options_check(&o, &em), ERR_OK);
    o.db = "";
    assert_int_equal(broker_options_check(&o, &em), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_faults_name_their_place),
        cmocka_unit_test(test_an_ipc_socket_needs_a_private_directory),
        cmocka_unit_test(test_options_that_do_not_go_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
