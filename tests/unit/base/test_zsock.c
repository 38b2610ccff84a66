/* ZeroMQ on the loop: nothing gets stuck, order is kept, peers that are gone are told, extra frames
 * are dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <zmq.h>
#include <cmocka.h>

#include "zsock.h"
#include "clock.h"
#include "tempdir.h"

#define PEERS       4
#define ECHOES      5000
#define OUTSTANDING 64

struct farm {
    struct loop loop;
    void *context;
    struct zsock *router, *dealer[PEERS];
    unsigned received[PEERS], connects, disconnects, messages;
    unsigned want;
    char last[64], peer[256];
    size_t peer_n;
};
struct link {
    struct farm *farm;
    int i;
};

static void farm_open(struct farm *f)
{
    memset(f, 0, sizeof *f);
    f->context = zmq_ctx_new();
    assert_int_equal(loop_init(&f->loop, NULL), ERR_OK);
}

static void farm_close(struct farm *f)
{
    for (int i = 0; i < PEERS; i++)
        zsock_close(f->dealer[i]);
    zsock_close(f->router);
    loop_fini(&f->loop);
    zmq_ctx_term(f->context);
}

static void give_up(struct loop *l, int64_t now)
{
    (void)l;
    (void)now;
    fail_msg("nothing happened for a minute");
}

static void farm_run(struct farm *f)
{
    f->loop.on_wake = give_up;
    loop_wake_at(&f->loop, clock_now() + 60 * NS_PER_S);
    assert_int_equal(loop_run(&f->loop), ERR_OK);
}

static void echo(void *self, struct str peer, struct str body)
{
    struct farm *f = self;
    assert_true(zsock_send(f->router, peer, body));
}

static void on_echo(void *self, struct str peer, struct str body)
{
    struct link *k = self;
    struct farm *f = k->farm;
    unsigned n;
    assert_int_equal(peer.n, 0);
    assert_int_equal(body.n, sizeof n);
    memcpy(&n, body.p, sizeof n);
    assert_int_equal(n, f->received[k->i]++);
    unsigned next = n + OUTSTANDING;
    if (next < ECHOES)
        assert_true(zsock_send(f->dealer[k->i], peer, str_make(&next, sizeof next)));
    unsigned total = 0;
    for (int i = 0; i < PEERS; i++)
        total += f->received[i];
    if (total == PEERS * ECHOES)
        loop_stop(&f->loop);
}

static void check_echo(const char *bind)
{
    struct farm f;
    struct link k[PEERS];
    farm_open(&f);
    struct zsock_config c = {.type = ZMQ_ROUTER, .bind = bind, .max_message = 1000};
    assert_int_equal(zsock_open(&f.router, &f.loop, f.context, &c, echo, &f, NULL), ERR_OK);
    for (int i = 0; i < PEERS; i++) {
        k[i] = (struct link){&f, i};
        struct zsock_config d = {
            .type = ZMQ_DEALER, .connect = zsock_endpoint(f.router), .max_message = 1000};
        assert_int_equal(zsock_open(&f.dealer[i], &f.loop, f.context, &d, on_echo, &k[i], NULL),
                         ERR_OK);
        for (unsigned n = 0; n < OUTSTANDING; n++) /* before there is a connection: they wait */
            assert_true(zsock_send(f.dealer[i], (struct str){NULL, 0}, str_make(&n, sizeof n)));
    }
    farm_run(&f);
    assert_true(zsock_stats(f.router).received == PEERS * ECHOES);
    assert_true(zsock_stats(f.router).dropped == 0);
    farm_close(&f);
}

static void test_echo_over_tcp(void **state)
{
    (void)state;
    check_echo("tcp://127.0.0.1:*");
}

static void test_echo_over_ipc(void **state)
{
    (void)state;
    struct tempdir d;
    char path[256], endpoint[300];
    tempdir_make(&d);
    snprintf(endpoint, sizeof endpoint, "ipc://%s", tempdir_file(&d, "s", path, sizeof path));
    check_echo(endpoint);
    tempdir_remove(&d);
}

static void test_socket_file_is_the_owners_alone(void **state)
{
    (void)state;
    struct tempdir d;
    struct farm f;
    struct stat st;
    char path[256], endpoint[300];
    tempdir_make(&d);
    farm_open(&f);
    snprintf(endpoint, sizeof endpoint, "ipc://%s", tempdir_file(&d, "s", path, sizeof path));
    struct zsock_config c = {.type = ZMQ_ROUTER, .bind = endpoint};
    assert_int_equal(zsock_open(&f.router, &f.loop, f.context, &c, echo, &f, NULL), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    farm_close(&f);
    tempdir_remove(&d);
}

static void test_unknown_peer_and_bad_endpoints(void **state)
{
    (void)state;
    struct farm f;
    struct errmsg em;
    struct zsock *z;
    farm_open(&f);
    struct zsock_config c = {.type = ZMQ_ROUTER, .bind = "tcp://127.0.0.1:*"};
    assert_int_equal(zsock_open(&f.router, &f.loop, f.context, &c, echo, &f, NULL), ERR_OK);
    assert_false(zsock_send(f.router, STR("nobody"), STR("x")));
    assert_true(zsock_stats(f.router).dropped == 1);
    assert_int_equal(zsock_watch(f.router, NULL, NULL), ERR_INVALID);
    c.bind = zsock_endpoint(f.router);
    assert_int_equal(zsock_open(&z, &f.loop, f.context, &c, echo, &f, &em), ERR_IO);
    assert_non_null(strstr(em.text, c.bind));
    assert_null(z);
    struct zsock_config d = {.type = ZMQ_DEALER, .connect = "nonsense"};
    assert_int_equal(zsock_open(&z, &f.loop, f.context, &d, echo, &f, &em), ERR_IO);
    zsock_close(NULL);
    farm_close(&f);
}

static void keep_last(void *self, struct str peer, struct str body)
{
    struct farm *f = self;
    str_copyz(f->last, sizeof f->last, body);
    memcpy(f->peer, peer.p ? peer.p : "", peer.n);
    f->peer_n = peer.n;
    if (++f->messages == f->want)
        loop_stop(&f->loop);
}

static void test_extra_frames_are_dropped(void **state)
{
    (void)state;
    struct farm f;
    farm_open(&f);
    struct zsock_config c = {.type = ZMQ_ROUTER, .bind = "tcp://127.0.0.1:*"};
    assert_int_equal(zsock_open(&f.router, &f.loop, f.context, &c, keep_last, &f, NULL), ERR_OK);
    void *s = zmq_socket(f.context, ZMQ_DEALER);
    assert_int_equal(zmq_connect(s, zsock_endpoint(f.router)), 0);
    zmq_send(s, "one", 3, ZMQ_SNDMORE);
    zmq_send(s, "two", 3, ZMQ_SNDMORE);
    zmq_send(s, "three", 5, 0);
    zmq_send(s, "", 0, ZMQ_SNDMORE);
    zmq_send(s, "as REQ sends", 12, 0);
    zmq_send(s, "good", 4, 0);
    f.want = 1;
    farm_run(&f);
    assert_string_equal(f.last, "good");
    assert_true(zsock_stats(f.router).malformed == 2);
    zmq_close(s);
    farm_close(&f);
}

static void on_watch(void *self, bool connected)
{
    struct farm *f = self;
    if (connected) {
        f->connects++;
        zsock_close(f->router);
        f->router = NULL;
    } else {
        f->disconnects++;
        loop_stop(&f->loop);
    }
}

static void test_watch_sees_the_connection_come_and_go(void **state)
{
    (void)state;
    struct farm f;
    farm_open(&f);
    struct zsock_config c = {.type = ZMQ_ROUTER, .bind = "tcp://127.0.0.1:*"};
    assert_int_equal(zsock_open(&f.router, &f.loop, f.context, &c, NULL, NULL, NULL), ERR_OK);
    struct zsock_config d = {.type = ZMQ_DEALER, .connect = zsock_endpoint(f.router)};
    assert_int_equal(zsock_open(&f.dealer[0], &f.loop, f.context, &d, keep_last, &f, NULL), ERR_OK);
    assert_int_equal(zsock_watch(f.dealer[0], on_watch, &f), ERR_OK);
    farm_run(&f);
    assert_int_equal(f.connects, 1);
    assert_int_equal(f.disconnects, 1);
    assert_true(zsock_send(f.dealer[0], (struct str){NULL, 0}, STR("waits")));
    farm_close(&f);
}

static void close_on_message(void *self, struct str peer, struct str body)
{
    struct farm *f = self;
    (void)peer;
    (void)body;
    f->messages++;
    zsock_close(f->router);
    f->router = NULL;
    loop_stop(&f->loop);
}

static void test_a_callback_may_close(void **state)
{
    (void)state;
    struct farm f;
    farm_open(&f);
    struct zsock_config c = {.type = ZMQ_ROUTER, .bind = "tcp://127.0.0.1:*"};
    assert_int_equal(zsock_open(&f.router, &f.loop, f.context, &c, close_on_message, &f, NULL),
                     ERR_OK);
    struct zsock_config d = {.type = ZMQ_DEALER, .connect = zsock_endpoint(f.router)};
    assert_int_equal(zsock_open(&f.dealer[0], &f.loop, f.context, &d, keep_last, &f, NULL), ERR_OK);
    for (int i = 0; i < 10; i++)
        assert_true(zsock_send(f.dealer[0], (struct str){NULL, 0}, STR("x")));
    farm_run(&f);
    assert_int_equal(f.messages, 1);
    farm_close(&f);
}

/* A peer that reads nothing: what ZeroMQ and the system's buffers do not take is bounded by our
 * queue. */
static void test_a_full_queue_says_so(void **state)
{
    (void)state;
    struct farm f;
    static char body[100000];
    farm_open(&f);
    struct zsock_config c = {
        .type = ZMQ_ROUTER, .bind = "tcp://127.0.0.1:*", .queue_bytes = 1000000};
    assert_int_equal(zsock_open(&f.router, &f.loop, f.context, &c, keep_last, &f, NULL), ERR_OK);
    void *s = zmq_socket(f.context, ZMQ_DEALER);
    int few = 10;
    zmq_setsockopt(s, ZMQ_RCVHWM, &few, sizeof few);
    assert_int_equal(zmq_connect(s, zsock_endpoint(f.router)), 0);
    zmq_send(s, "hello", 5, 0);
    f.want = 1;
    farm_run(&f);
    unsigned accepted = 0;
    while (accepted < 100000 &&
           zsock_send(f.router, str_make(f.peer, f.peer_n), str_make(body, sizeof body)))
        accepted++;
    assert_in_range(accepted, 10, 5000);
    assert_true(zsock_stats(f.router).dropped == 1);
    zmq_close(s); /* gone: the queue goes with it */
    while (zsock_send(f.router, str_make(f.peer, f.peer_n), STR("x")) ||
           zsock_stats(f.router).dropped < 10)
        uv_run(&f.loop.uv, UV_RUN_ONCE);
    farm_close(&f);
}

static void on_subscription(void *self, struct str peer, struct str body)
{
    struct farm *f = self;
    (void)peer;
    assert_memory_equal(body.p, "\1study.1.", 9);
    assert_true(zsock_send(f->router, STR("study.2."), STR("not for us")));
    assert_true(zsock_send(f->router, STR("study.1."), STR("for us")));
}

static void test_publish_and_subscribe(void **state)
{
    (void)state;
    struct farm f;
    farm_open(&f);
    struct zsock_config c = {.type = ZMQ_XPUB, .bind = "tcp://127.0.0.1:*"};
    assert_int_equal(zsock_open(&f.router, &f.loop, f.context, &c, on_subscription, &f, NULL),
                     ERR_OK);
    struct zsock_config d = {.type = ZMQ_SUB, .connect = zsock_endpoint(f.router)};
    assert_int_equal(zsock_open(&f.dealer[0], &f.loop, f.context, &d, keep_last, &f, NULL), ERR_OK);
    assert_int_equal(zsock_subscribe(f.dealer[0], STR("study.1.")), ERR_OK);
    f.want = 1;
    farm_run(&f);
    assert_string_equal(f.last, "for us");
    assert_true(str_is(str_make(f.peer, f.peer_n), "study.1."));
    farm_close(&f);
}

static void test_flush_hands_on_before_closing(void **state)
{
    (void)state;
    struct farm f;
    farm_open(&f);
    struct zsock_config c = {.type = ZMQ_ROUTER, .bind = "tcp://127.0.0.1:*"};
    assert_int_equal(zsock_open(&f.router, &f.loop, f.context, &c, keep_last, &f, NULL), ERR_OK);
    struct zsock_config d = {.type = ZMQ_DEALER, .connect = zsock_endpoint(f.router)};
    assert_int_equal(zsock_open(&f.dealer[0], &f.loop, f.context, &d, keep_last, &f, NULL), ERR_OK);
    for (int i = 0; i < 100; i++)
        assert_true(zsock_send(f.dealer[0], (struct str){NULL, 0}, STR("bye")));
    zsock_flush(f.dealer[0], 30 * NS_PER_S);
    zsock_close(f.dealer[0]);
    f.dealer[0] = NULL;
    f.want = 100;
    farm_run(&f);
    assert_string_equal(f.last, "bye");
    farm_close(&f);
}

/* How many connections may wait at the only listening socket of this process. */
static uint32_t backlog(void)
{
    for (int fd = 3; fd < 1024; fd++) {
        int listens = 0;
        socklen_t n = sizeof listens;
        struct tcp_info info = {0};
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) || !listens)
            continue;
        n = sizeof info;
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n), 0);
        return info.tcpi_sacked; /* of a listening socket */
    }
    fail_msg("nothing listens");
    return 0;
}

static void test_many_may_connect_at_once(void **state)
{
    (void)state;
    struct farm f;
    farm_open(&f);
    struct zsock_config c = {.type = ZMQ_ROUTER, .bind = "tcp://127.0.0.1:*"};
    assert_int_equal(zsock_open(&f.router, &f.loop, f.context, &c, keep_last, &f, NULL), ERR_OK);
    unsigned most = 4096;
    FILE *system = fopen("/proc/sys/net/core/somaxconn", "r");
    if (system)
        assert_int_equal(fscanf(system, "%u", &most), 1);
    if (system)
        fclose(system);
    assert_int_equal(backlog(), most < 4096 ? most : 4096);
    farm_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo_over_tcp),
        cmocka_unit_test(test_echo_over_ipc),
        cmocka_unit_test(test_socket_file_is_the_owners_alone),
        cmocka_unit_test(test_unknown_peer_and_bad_endpoints),
        cmocka_unit_test(test_extra_frames_are_dropped),
        cmocka_unit_test(test_watch_sees_the_connection_come_and_go),
        cmocka_unit_test(test_a_callback_may_close),
        cmocka_unit_test(test_a_full_queue_says_so),
        cmocka_unit_test(test_publish_and_subscribe),
        cmocka_unit_test(test_flush_hands_on_before_closing),
        cmocka_unit_test(test_many_may_connect_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
