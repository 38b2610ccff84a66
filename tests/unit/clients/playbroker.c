/* The thread behind playbroker.h. Used by the tests of the command line's link and follower. */
#include "playbroker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "alloc.h"
#include "codec.h"
#include "tempdir.h"

struct playbroker {
    struct tempdir dir;
    char endpoint[300];
    void *context, *socket;
    pthread_t thread;
    playbroker_fn *fn;
    void *self;
    unsigned hellos;
};

void player_send(struct player *p, uint64_t session, unsigned kind, const void *msg)
{
    struct buf body, out;
    zmq_msg_t copy;
    buf_init(&body, 0);
    buf_init(&out, 0);
    message_encode(&body, kind, msg);
    struct frame f = {
        .major = PROTO_MAJOR, .kind = (uint8_t)kind, .session = session, .body = buf_str(&body)};
    frame_write(&out, &f);
    zmq_msg_init(&copy);
    zmq_msg_copy(&copy, p->peer);
    if (zmq_msg_send(&copy, p->socket, ZMQ_SNDMORE) < 0)
        zmq_msg_close(&copy);
    else
        zmq_send(p->socket, out.p, out.n, 0);
    buf_fini(&body);
    buf_fini(&out);
}

static void on_frame(struct playbroker *b, struct player *p, const struct frame *f,
                     const union message *m)
{
    p->session = f->session;
    if (f->kind == MSG_HELLO)
        p->hellos = ++b->hellos;
    if (b->fn(b->self, p, f, m))
        return;
    if (f->kind == MSG_HELLO) {
        struct msg_welcome w = {.version = 1,
                                .session = 100 + b->hellos,
                                .beat_ms = 200,
                                .seq = 42,
                                .hello = m->hello.number};
        player_send(p, w.session, MSG_WELCOME, &w);
    } else if (f->kind == MSG_BEAT) {
        struct msg_beat_ack ack = {.number = m->beat.number};
        player_send(p, f->session, MSG_BEAT_ACK, &ack);
    }
}

static void *play(void *self)
{
    struct playbroker *b = self;
    struct arena a;
    arena_init(&a, 0);
    for (;;) {
        zmq_msg_t peer, body;
        struct frame f;
        union message m;
        zmq_msg_init(&peer);
        zmq_msg_init(&body);
        if (zmq_msg_recv(&peer, b->socket, 0) < 0)
            break;
        zmq_msg_recv(&body, b->socket, 0);
        struct player p = {.socket = b->socket, .peer = &peer, .hellos = b->hellos};
        arena_clear(&a);
        struct str bytes = str_make(zmq_msg_data(&body), zmq_msg_size(&body));
        if (frame_read(&f, bytes, FRAME_LIMIT, NULL) == ERR_OK &&
            message_decode(&m, f.kind, f.body, &a, NULL) == ERR_OK)
            on_frame(b, &p, &f, &m);
        zmq_msg_close(&peer);
        zmq_msg_close(&body);
    }
    arena_fini(&a);
    zmq_close(b->socket);
    return NULL;
}

struct playbroker *playbroker_start(playbroker_fn *fn, void *self)
{
    const int none = 0;
    char path[200];
    struct playbroker *b = alloc_zero(sizeof *b);
    b->fn = fn;
    b->self = self;
    tempdir_make(&b->dir);
    snprintf(b->endpoint, sizeof b->endpoint, "ipc://%s",
             tempdir_file(&b->dir, "b", path, sizeof path));
    b->context = zmq_ctx_new();
    b->socket = zmq_socket(b->context, ZMQ_ROUTER);
    zmq_setsockopt(b->socket, ZMQ_LINGER, &none, sizeof none);
    REQUIRE(zmq_bind(b->socket, b->endpoint) == 0);
    REQUIRE(pthread_create(&b->thread, NULL, play, b) == 0);
    return b;
}

const char *playbroker_endpoint(const struct playbroker *b)
{
    return b->endpoint;
}

unsigned playbroker_stop(struct playbroker *b)
{
    unsigned hellos;
    zmq_ctx_shutdown(b->context);
    pthread_join(b->thread, NULL);
    zmq_ctx_term(b->context);
    tempdir_remove(&b->dir);
    hellos = b->hellos;
    free(b);
    return hellos;
}
