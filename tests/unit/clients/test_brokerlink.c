/* A client's link against a broker that is played by a thread: sessions, answers, loss, refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "brokerlink.h"
#include "clock.h"
#include "codec.h"
#include "frame.h"
#include "tempdir.h"

/* How the played broker behaves. */
enum mood { ANSWERS, FORGETS_ONCE, REFUSES_VERSION, SILENT };

static struct tempdir dir;
static char endpoint[300];
static void *context;
static pthread_t thread;
static enum mood mood;
static unsigned hellos, requests;

static void send_frame(void *socket, zmq_msg_t *peer, uint64_t session, unsigned kind,
                       const void *m)
{
    struct buf body, out;
    buf_init(&body, 0);
    buf_init(&out, 0);
    message_encode(&body, kind, m);
    struct frame f = {
        .major = PROTO_MAJOR, .kind = (uint8_t)kind, .session = session, .body = buf_str(&body)};
    frame_write(&out, &f);
    zmq_msg_t copy;
    zmq_msg_init(&copy);
    zmq_msg_copy(&copy, peer);
    zmq_msg_send(&copy, socket, ZMQ_SNDMORE);
    zmq_send(socket, out.p, out.n, 0);
    buf_fini(&body);
    buf_fini(&out);
}

static void on_hello(void *socket, zmq_msg_t *peer, uint64_t number)
{
    hellos++;
    if (mood == REFUSES_VERSION) {
        struct msg_error e = {
            .name = STR("VERSION"), .text = STR("speaks 7 only"), .kind = MSG_HELLO};
        send_frame(socket, peer, 0, MSG_ERROR, &e);
    } else if (mood != SILENT) {
        struct msg_welcome w = {
            .version = 1, .session = 100 + hellos, .beat_ms = 200, .seq = 42, .hello = number};
        send_frame(socket, peer, 100 + hellos, MSG_WELCOME, &w);
    }
}

static void on_sql(void *socket, zmq_msg_t *peer, uint64_t session, const struct msg_sql *q)
{
    struct str columns[] = {STR("n")}, first[] = {STR("[1]"), STR("[2]")}, second[] = {STR("[3]")};
    struct msg_rows rows = {
        .request = q->request, .columns = {columns, 1}, .rows = {first, 2}, .more = true};
    if (str_is(q->query, "bad")) {
        struct msg_rows error = {.request = q->request, .error = STR("no such thing")};
        send_frame(socket, peer, session, MSG_ROWS, &error);
        return;
    }
    send_frame(socket, peer, session, MSG_ROWS, &rows);
    if (mood == FORGETS_ONCE && requests == 1) {
        struct msg_error stale = {.name = STR("STALE"), .text = STR("who are you?")};
        send_frame(socket, peer, session, MSG_ERROR, &stale);
        return;
    }
    rows.rows.v = second;
    rows.rows.n = 1;
    rows.more = false;
    send_frame(socket, peer, session, MSG_ROWS, &rows);
}

static void on_request(void *socket, zmq_msg_t *peer, const struct frame *f, const union message *m)
{
    if (f->kind == MSG_BEAT) {
        struct msg_beat_ack ack = {.number = m->beat.number};
        send_frame(socket, peer, f->session, MSG_BEAT_ACK, &ack);
    } else if (f->kind == MSG_SQL) {
        requests++;
        on_sql(socket, peer, f->session, &m->sql);
    } else if (f->kind == MSG_CANCEL) {
        requests++;
        struct msg_reply other = {.name = STR("OK"), .number = 1}; /* answers nobody */
        struct msg_reply reply = {
            .request = m->cancel.request, .name = STR("NOT_FOUND"), .text = STR("no study")};
        send_frame(socket, peer, f->session, MSG_REPLY, &other);
        if (str_is(m->cancel.study, "there"))
            reply =
                (struct msg_reply){.request = m->cancel.request, .name = STR("OK"), .number = 7};
        send_frame(socket, peer, f->session, MSG_REPLY, &reply);
    }
}

static void *play(void *socket)
{
    struct arena a;
    arena_init(&a, 0);
    for (;;) {
        zmq_msg_t peer, body;
        zmq_msg_init(&peer);
        zmq_msg_init(&body);
        if (zmq_msg_recv(&peer, socket, 0) < 0)
            break;
        zmq_msg_recv(&body, socket, 0);
        struct frame f;
        union message m;
        arena_clear(&a);
        if (frame_read(&f, str_make(zmq_msg_data(&body), zmq_msg_size(&body)), FRAME_LIMIT, NULL) ==
                ERR_OK &&
            message_decode(&m, f.kind, f.body, &a, NULL) == ERR_OK) {
            if (f.kind == MSG_HELLO)
                on_hello(socket, &peer, m.hello.number);
            else
                on_request(socket, &peer, &f, &m);
        }
        zmq_msg_close(&peer);
        zmq_msg_close(&body);
    }
    arena_fini(&a);
    zmq_close(socket);
    return NULL;
}

static void begin(enum mood how)
{
    const int none = 0;
    char path[200];
    mood = how;
    hellos = requests = 0;
    tempdir_make(&dir);
    snprintf(endpoint, sizeof endpoint, "ipc://%s", tempdir_file(&dir, "b", path, sizeof path));
    context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    assert_int_equal(zmq_bind(socket, endpoint), 0);
    assert_int_equal(pthread_create(&thread, NULL, play, socket), 0);
}

static void end(void)
{
    zmq_ctx_shutdown(context);
    pthread_join(thread, NULL);
    zmq_ctx_term(context);
    tempdir_remove(&dir);
}

static err_t connect_link(struct brokerlink **l, int64_t patience, struct errmsg *em)
{
    struct brokerlink_config c = {
        .endpoint = endpoint, .connect_ns = patience, .answer_ns = 120 * NS_PER_S};
    return brokerlink_open(l, &c, em);
}

static err_t count_rows(void *self, const struct str *columns, size_t n, struct str row,
                        struct errmsg *em)
{
    (void)em;
    assert_int_equal(n, 1);
    assert_true(str_is(columns[0], "n"));
    char expected[8];
    snprintf(expected, sizeof expected, "[%d]", ++*(int *)self);
    assert_true(str_is(row, expected));
    return ERR_OK;
}

static void test_answers(void **state)
{
    (void)state;
    struct brokerlink *l;
    struct errmsg em;
    struct link_incoming in;
    int rows = 0;
    begin(ANSWERS);
    assert_int_equal(connect_link(&l, 120 * NS_PER_S, &em), ERR_OK);
    assert_true(brokerlink_connected(l));
    assert_int_equal(brokerlink_head(l), 42);
    assert_int_equal(brokerlink_sql(l, "select", NULL, 0, count_rows, &rows, &em), ERR_OK);
    assert_int_equal(rows, 3);
    assert_int_equal(brokerlink_sql(l, "bad", NULL, 0, count_rows, &rows, &em), ERR_INVALID);
    assert_string_equal(em.text, "no such thing");
    struct msg_cancel m = {.request = brokerlink_request(), .study = STR("there")};
    assert_int_equal(brokerlink_call(l, MSG_CANCEL, &m, m.request, &in, &em), ERR_OK);
    assert_int_equal(in.m.reply.number, 7);
    m = (struct msg_cancel){.request = brokerlink_request(), .study = STR("else")};
    assert_int_equal(brokerlink_call(l, MSG_CANCEL, &m, m.request, NULL, &em), ERR_NOT_FOUND);
    assert_string_equal(em.text, "no study");
    brokerlink_close(l);
    end();
}

/* Half an answer came before the session was lost: the question is asked again and its rows come
 * once. */
static void test_lost_session_repeats_nothing(void **state)
{
    (void)state;
    struct brokerlink *l;
    struct errmsg em;
    int rows = 0;
    begin(FORGETS_ONCE);
    assert_int_equal(connect_link(&l, 120 * NS_PER_S, &em), ERR_OK);
    assert_int_equal(brokerlink_sql(l, "select", NULL, 0, count_rows, &rows, &em), ERR_OK);
    assert_int_equal(rows, 3);
    brokerlink_close(l);
    end();
    assert_int_equal(requests, 2);
    assert_int_equal(hellos, 2);
}

static void test_refused_version(void **state)
{
    (void)state;
    struct brokerlink *l;
    struct errmsg em;
    begin(REFUSES_VERSION);
    assert_int_equal(connect_link(&l, 120 * NS_PER_S, &em), ERR_VERSION);
    assert_non_null(strstr(em.text, "speaks 7 only"));
    end();
}

static void test_nobody_answers(void **state)
{
    (void)state;
    struct brokerlink *l;
    struct errmsg em;
    begin(SILENT);
    assert_int_equal(connect_link(&l, 200 * NS_PER_MS, &em), ERR_UNREACHABLE);
    assert_non_null(strstr(em.text, "no broker answers at ipc://"));
    assert_non_null(strstr(em.text, "tunefarm broker --db"));
    end();
    snprintf(endpoint, sizeof endpoint, "ipc:///nowhere/b");
    assert_int_equal(connect_link(&l, 200 * NS_PER_MS, &em), ERR_UNREACHABLE);
    snprintf(endpoint, sizeof endpoint, "http://example");
    assert_int_equal(connect_link(&l, 200 * NS_PER_MS, &em), ERR_INVALID);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:1");
    struct brokerlink_config c = {
        .endpoint = endpoint, .key = "/nowhere/farm.key", .connect_ns = 1};
    assert_int_equal(brokerlink_open(&l, &c, &em), ERR_INVALID);
    assert_non_null(strstr(em.text, "key"));
}

static void test_time_out_and_descriptor(void **state)
{
    (void)state;
    struct brokerlink *l;
    struct errmsg em;
    struct link_incoming in;
    int ends[2];
    begin(ANSWERS);
    assert_int_equal(connect_link(&l, 120 * NS_PER_S, &em), ERR_OK);
    assert_int_equal(brokerlink_next(l, -1, clock_now() + 10 * NS_PER_MS, &in, &em), ERR_OK);
    assert_int_equal(in.event, LINK_TIMEOUT);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(brokerlink_next(l, ends[0], CLOCK_NEVER, &in, &em), ERR_OK);
    assert_int_equal(in.event, LINK_FD);
    close(ends[0]);
    close(ends[1]);
    brokerlink_close(l);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_lost_session_repeats_nothing),
        cmocka_unit_test(test_refused_version),
        cmocka_unit_test(test_nobody_answers),
        cmocka_unit_test(test_time_out_and_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
