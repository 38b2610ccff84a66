/* Endpoints: what is taken, what is refused with which sentence, the feed's default. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "endpoint.h"

static void test_good(void **state)
{
    (void)state;
    struct endpoint e;
    assert_int_equal(endpoint_parse(&e, STR("ipc:///run/farm.sock"), NULL), ERR_OK);
    assert_false(e.tcp);
    assert_string_equal(e.path, "/run/farm.sock");
    assert_int_equal(endpoint_parse(&e, STR("tcp://host-1.example:5555"), NULL), ERR_OK);
    assert_true(e.tcp);
    assert_string_equal(e.host, "host-1.example");
    assert_int_equal(e.port, 5555);
    assert_int_equal(endpoint_parse(&e, STR("tcp://[fe80::1]:1"), NULL), ERR_OK);
    assert_string_equal(e.host, "[fe80::1]");
    assert_int_equal(endpoint_parse(&e, STR("tcp://*:0"), NULL), ERR_OK);
    assert_string_equal(e.text, "tcp://*:0");
}

static void test_bad(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "ipc://",
        "ipc://@abstract",
        "ipc://*",
        "tcp://",
        "tcp://host",
        "tcp://:5",
        "tcp://a:",
        "tcp://a:65536",
        "tcp://a:-1",
        "tcp://a:1x",
        "tcp://a b:1",
        "tcp://**:1",
        "tcp://[::1:1",
        "tcp://a;b:1",
        "inproc://x",
        "udp://a:1",
        "host:5555",
        "tcp://a:b:1",
        "ipc://a\nb",
        "tcp://a/b:1",
        "ipc:///\xff",
        "tcp://[host]:1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct endpoint e;
        struct errmsg em = {""};
        if (endpoint_parse(&e, str_of(bad[i]), &em) != ERR_INVALID)
            fail_msg("accepted: %s", bad[i]);
        assert_true(strlen(em.text) > 10);
    }
}

static void test_lengths(void **state)
{
    (void)state;
    char text[400] = "ipc://";
    struct endpoint e, feed;
    memset(text + 6, 'a', sizeof text - 6);
    assert_int_equal(endpoint_parse(&e, str_make(text, 6 + 107), NULL), ERR_OK);
    assert_int_equal(endpoint_feed(&e, &feed, NULL), ERR_LIMIT);
    assert_int_equal(endpoint_parse(&e, str_make(text, 6 + 102), NULL), ERR_OK);
    assert_int_equal(endpoint_feed(&e, &feed, NULL), ERR_OK);
    assert_int_equal(strlen(feed.path), 107);
    assert_int_equal(endpoint_parse(&e, str_make(text, 6 + 108), NULL), ERR_LIMIT);
    assert_int_equal(endpoint_parse(&e, str_make(text, sizeof text), NULL), ERR_LIMIT);
}

static void check_feed(const char *listen, const char *want)
{
    struct endpoint e, feed;
    assert_int_equal(endpoint_parse(&e, str_of(listen), NULL), ERR_OK);
    assert_int_equal(endpoint_feed(&e, &feed, NULL), ERR_OK);
    assert_string_equal(feed.text, want);
}

static void test_feed(void **state)
{
    (void)state;
    struct endpoint e, feed;
    check_feed("ipc:///run/farm.sock", "ipc:///run/farm.sock.feed");
    check_feed("tcp://a:5555", "tcp://a:5556");
    check_feed("tcp://[::1]:5555", "tcp://[::1]:5556");
    check_feed("tcp://127.0.0.1:0", "tcp://127.0.0.1:0");
    assert_int_equal(endpoint_parse(&e, STR("tcp://a:65535"), NULL), ERR_OK);
    assert_int_equal(endpoint_feed(&e, &feed, NULL), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_feed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
