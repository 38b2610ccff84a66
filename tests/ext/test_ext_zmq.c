/* What zsock.c and zauth.c rely on in libzmq: the edge-triggered descriptor, mandatory routing, the
 * size limit, CURVE without a handler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <zmq.h>
#include <cmocka.h>

static void *context;

static int setup(void **state)
{
    (void)state;
    context = zmq_ctx_new();
    return context ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return zmq_ctx_term(context);
}

static void *socket_with(int type, int option, int value)
{
    int zero = 0, minute = 60000;
    void *s = zmq_socket(context, type);
    assert_non_null(s);
    assert_int_equal(zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof zero), 0);
    assert_int_equal(zmq_setsockopt(s, ZMQ_RCVTIMEO, &minute, sizeof minute), 0);
    if (option)
        assert_int_equal(zmq_setsockopt(s, option, &value, sizeof value), 0);
    return s;
}

static const char *bound(void *s)
{
    static char endpoint[256];
    size_t n = sizeof endpoint;
    assert_int_equal(zmq_bind(s, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(s, ZMQ_LAST_ENDPOINT, endpoint, &n), 0);
    return endpoint;
}

static int events_of(void *s)
{
    int events;
    size_t n = sizeof events;
    assert_int_equal(zmq_getsockopt(s, ZMQ_EVENTS, &events, &n), 0);
    return events;
}

static int readable(void *s)
{
    int fd;
    size_t n = sizeof fd;
    assert_int_equal(zmq_getsockopt(s, ZMQ_FD, &fd, &n), 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0);
}

/* After looking at ZMQ_EVENTS the descriptor is quiet although messages wait: one read a wake-up
 * gets stuck. */
static void test_descriptor_is_an_edge(void **state)
{
    (void)state;
    void *a = socket_with(ZMQ_PULL, 0, 0), *b = socket_with(ZMQ_PUSH, 0, 0);
    char text[16];
    assert_int_equal(zmq_connect(b, bound(a)), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(zmq_send(b, "x", 1, 0), 1);
    assert_int_equal(zmq_recv(a, text, sizeof text, 0), 1);
    zmq_pollitem_t item = {.socket = a, .events = ZMQ_POLLIN};
    assert_int_equal(zmq_poll(&item, 1, 60000), 1);
    while (readable(a)) /* whatever commands come behind the messages */
        assert_true(events_of(a) & ZMQ_POLLIN);
    assert_int_equal(readable(a), 0);
    assert_true(events_of(a) & ZMQ_POLLIN);
    zmq_close(a);
    zmq_close(b);
}

static void test_router_tells_of_unknown_peers_only_when_mandatory(void **state)
{
    (void)state;
    void *r = socket_with(ZMQ_ROUTER, 0, 0);
    assert_int_equal(zmq_send(r, "nobody", 6, ZMQ_SNDMORE), 6); /* silently lost */
    assert_int_equal(zmq_send(r, "x", 1, 0), 1);
    zmq_close(r);
    r = socket_with(ZMQ_ROUTER, ZMQ_ROUTER_MANDATORY, 1);
    assert_int_equal(zmq_send(r, "nobody", 6, ZMQ_SNDMORE | ZMQ_DONTWAIT), -1);
    assert_int_equal(errno, EHOSTUNREACH);
    zmq_close(r);
}

static void test_immediate_dealer_takes_nothing_without_a_connection(void **state)
{
    (void)state;
    void *d = socket_with(ZMQ_DEALER, ZMQ_IMMEDIATE, 1);
    assert_int_equal(zmq_connect(d, "tcp://127.0.0.1:1"), 0);
    assert_int_equal(zmq_send(d, "x", 1, ZMQ_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    zmq_close(d);
}

static int monitor_event(void *monitor)
{
    zmq_msg_t m;
    uint16_t event = 0;
    zmq_msg_init(&m);
    if (zmq_msg_recv(&m, monitor, 0) >= 2)
        memcpy(&event, zmq_msg_data(&m), sizeof event);
    zmq_msg_recv(&m, monitor, 0);
    zmq_msg_close(&m);
    return event;
}

static void test_a_message_over_the_limit_ends_the_connection(void **state)
{
    (void)state;
    static char large[2000];
    void *r = socket_with(ZMQ_ROUTER, 0, 0), *d = socket_with(ZMQ_DEALER, 0, 0);
    void *m = socket_with(ZMQ_PAIR, 0, 0);
    int64_t limit = 1000;
    assert_int_equal(zmq_setsockopt(r, ZMQ_MAXMSGSIZE, &limit, sizeof limit), 0);
    assert_int_equal(zmq_socket_monitor(d, "inproc://limit", ZMQ_EVENT_DISCONNECTED), 0);
    assert_int_equal(zmq_connect(m, "inproc://limit"), 0);
    assert_int_equal(zmq_connect(d, bound(r)), 0);
    assert_int_equal(zmq_send(d, large, 1000, 0), 1000);
    char id[16];
    assert_int_equal(zmq_recv(r, id, sizeof id, 0), 5);
    assert_int_equal(zmq_recv(r, large, sizeof large, 0), 1000);
    assert_int_equal(zmq_send(d, large, 1001, 0), 1001);
    assert_int_equal(monitor_event(m), ZMQ_EVENT_DISCONNECTED);
    zmq_close(d);
    zmq_close(m);
    zmq_close(r);
}

/* Why zauth.c exists, and why a program whose handler is gone must end. */
static void test_curve_without_a_handler_lets_everybody_in(void **state)
{
    (void)state;
    char server_public[41], server_secret[41], public_key[41], secret_key[41], text[16];
    assert_int_equal(zmq_has("curve"), 1);
    assert_int_equal(zmq_curve_keypair(server_public, server_secret), 0);
    assert_int_equal(zmq_curve_keypair(public_key, secret_key), 0);
    void *r = socket_with(ZMQ_ROUTER, ZMQ_CURVE_SERVER, 1), *d = socket_with(ZMQ_DEALER, 0, 0);
    assert_int_equal(zmq_setsockopt(r, ZMQ_CURVE_SECRETKEY, server_secret, 41), 0);
    assert_int_equal(zmq_setsockopt(r, ZMQ_ZAP_DOMAIN, "farm", 4), 0);
    assert_int_equal(zmq_setsockopt(d, ZMQ_CURVE_SERVERKEY, server_public, 41), 0);
    assert_int_equal(zmq_setsockopt(d, ZMQ_CURVE_PUBLICKEY, public_key, 41), 0);
    assert_int_equal(zmq_setsockopt(d, ZMQ_CURVE_SECRETKEY, secret_key, 41), 0);
    assert_int_equal(zmq_connect(d, bound(r)), 0);
    assert_int_equal(zmq_send(d, "in", 2, 0), 2);
    assert_int_equal(zmq_recv(r, text, sizeof text, 0), 5);
    assert_int_equal(zmq_recv(r, text, sizeof text, 0), 2);
    zmq_close(d);
    zmq_close(r);
}

/* A frame behind the body is delivered as it is: refusing it is up to us. */
static void test_extra_frames_arrive(void **state)
{
    (void)state;
    void *r = socket_with(ZMQ_ROUTER, 0, 0), *d = socket_with(ZMQ_DEALER, 0, 0);
    char text[16];
    int more;
    size_t n = sizeof more;
    assert_int_equal(zmq_connect(d, bound(r)), 0);
    assert_int_equal(zmq_send(d, "a", 1, ZMQ_SNDMORE), 1);
    assert_int_equal(zmq_send(d, "b", 1, 0), 1);
    assert_int_equal(zmq_recv(r, text, sizeof text, 0), 5);
    assert_int_equal(zmq_recv(r, text, sizeof text, 0), 1);
    assert_int_equal(zmq_getsockopt(r, ZMQ_RCVMORE, &more, &n), 0);
    assert_int_equal(more, 1);
    assert_int_equal(zmq_recv(r, text, sizeof text, 0), 1);
    zmq_close(d);
    zmq_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptor_is_an_edge),
        cmocka_unit_test(test_router_tells_of_unknown_peers_only_when_mandatory),
        cmocka_unit_test(test_immediate_dealer_takes_nothing_without_a_connection),
        cmocka_unit_test(test_a_message_over_the_limit_ends_the_connection),
        cmocka_unit_test(test_curve_without_a_handler_lets_everybody_in),
        cmocka_unit_test(test_extra_frames_arrive),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
