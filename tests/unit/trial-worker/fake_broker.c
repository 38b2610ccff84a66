/* The fake broker of the worker's tests: see fake_broker.h. It speaks through proto, as the real
 * one does, but keeps no books: tests say what is granted and look at what comes. */
#include "fake_broker.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

#include "clock.h"
#include "frame.h"
#include "hash.h"

#define PATIENCE_NS (60 * NS_PER_S)

void fake_open(struct fake_broker *b)
{
    memset(b, 0, sizeof *b);
    tempdir_make(&b->dir);
    snprintf(b->endpoint, sizeof b->endpoint, "ipc://%s/b", b->dir.path);
    snprintf(b->root, sizeof b->root, "%s/root", b->dir.path);
    b->zmq = zmq_ctx_new();
    b->router = zmq_socket(b->zmq, ZMQ_ROUTER);
    int unlimited = 0; /* a full queue would lose frames */
    zmq_setsockopt(b->router, ZMQ_SNDHWM, &unlimited, sizeof unlimited);
    int none = 0; /* from the start: sessions take the value they find, and ending the context would
                     wait for them */
    zmq_setsockopt(b->router, ZMQ_LINGER, &none, sizeof none);
    assert_int_equal(zmq_bind(b->router, b->endpoint), 0);
    b->session = UINT64_C(1) << 32;
    b->parent_fd = -1;
    arena_init(&b->arena, 0);
}

void fake_worker(struct fake_broker *b, const char *const *options)
{
    const char *argv[40] = {FAKE_WORKER_PROGRAM, "--broker", b->endpoint, "--root", b->root,
                            "--log-level",       "warn"};
    size_t n = 7;
    for (; *options; options++)
        argv[n++] = *options;
    int parent[2];
    char number[16];
    assert_int_equal(pipe2(parent, O_CLOEXEC), 0);
    snprintf(number, sizeof number, "%d", parent[0]);
    argv[n++] = "--parent-fd";
    argv[n++] = number;
    b->parent_fd = parent[1];
    b->worker = fork();
    assert_true(b->worker >= 0);
    if (b->worker == 0) {
        fcntl(parent[0], F_SETFD, 0);
        execv(argv[0], (char *const *)argv);
        _exit(99);
    }
    close(parent[0]);
}

void fake_close(struct fake_broker *b)
{
    if (b->worker > 0) {
        kill(b->worker, SIGKILL);
        waitpid(b->worker, NULL, 0);
    }
    if (b->parent_fd >= 0)
        close(b->parent_fd);
    zmq_close(b->router);
    zmq_ctx_term(b->zmq);
    for (uint32_t i = 0; i < b->n_blobs; i++)
        free(b->blobs[i].bytes);
    arena_fini(&b->arena);
    tempdir_remove(&b->dir);
}

struct digest fake_blob(struct fake_broker *b, const char *bytes, size_t n)
{
    struct fake_blob *x = &b->blobs[b->n_blobs++];
    assert_true(b->n_blobs <= FAKE_MAX_BLOBS);
    x->digest = hash_bytes(str_make(bytes, n));
    x->bytes = malloc(n ? n : 1);
    memcpy(x->bytes, bytes, n);
    x->n = n;
    return x->digest;
}

static void send_in(struct fake_broker *b, uint64_t session, unsigned kind, const void *msg)
{
    struct buf body, frame;
    buf_init(&body, 0);
    buf_init(&frame, 0);
    message_encode(&body, kind, msg);
    struct frame f = {.major = PROTO_MAJOR,
                      .kind = (uint8_t)kind,
                      .session = session,
                      .seq = ++b->seq,
                      .body = buf_str(&body)};
    frame_write(&frame, &f);
    assert_true(buf_ok(&frame));
    zmq_send(b->router, b->peer, b->peer_n, ZMQ_SNDMORE);
    zmq_send(b->router, frame.p, frame.n, 0);
    buf_fini(&body);
    buf_fini(&frame);
}

void fake_send(struct fake_broker *b, unsigned kind, const void *msg)
{
    send_in(b, b->session, kind, msg);
}

static void keep_held(struct fake_broker *b, const struct held *v, uint32_t n)
{
    b->n_held = n < 64 ? n : 64;
    if (n > 0)
        memcpy(b->held, v, b->n_held * sizeof *v);
}

static void on_hello(struct fake_broker *b, const struct msg_hello *m)
{
    b->hellos++;
    b->hello = *m;
    keep_held(b, m->held.v, m->held.n);
    b->session++;
    b->seq = 0;
    b->credit = 0;
    struct msg_welcome w = {.version = 1,
                            .timeline = 7,
                            .epoch = 1,
                            .session = b->session,
                            .beat_ms = 500,
                            .lease_ms = 30000,
                            .orphan_ms = 600000,
                            .flush_ms = 20,
                            .hello = m->number};
    w.verdicts.v = b->verdicts;
    w.verdicts.n = b->n_verdicts;
    b->n_verdicts = 0;
    fake_send(b, MSG_WELCOME, &w);
}

static void on_get_blob(struct fake_broker *b, const struct msg_get_blob *m)
{
    b->wanted_blobs++;
    struct msg_blob r = {.digest = m->digest, .offset = m->offset, .unknown = true};
    for (uint32_t i = 0; i < b->n_blobs; i++) {
        struct fake_blob *x = &b->blobs[i];
        if (!digest_eq(x->digest, m->digest))
            continue;
        size_t n = x->n - m->offset < 100000 ? x->n - m->offset : 100000;
        r.unknown = false;
        r.size = x->n;
        r.bytes = str_make(x->bytes + m->offset, n);
        break;
    }
    fake_send(b, MSG_BLOB, &r);
}

static void ack(struct fake_broker *b, unsigned kind, uint64_t study, uint64_t trial,
                uint32_t attempt, int64_t step)
{
    struct msg_ack m = {study, trial, attempt, (uint8_t)kind, step};
    if (!b->mute)
        fake_send(b, MSG_ACK, &m);
}

/* Answers one message. */
static void answer(struct fake_broker *b, unsigned kind, const union message *m)
{
    struct msg_beat_ack beat_ack = {.number = m->beat.number, .flush_ms = 20};
    struct msg_drain_ok drain_ok = {0};
    switch (kind) {
    case MSG_HELLO:
        on_hello(b, &m->hello);
        break;
    case MSG_BEAT:
        keep_held(b, m->beat.held.v, m->beat.held.n);
        fake_send(b, MSG_BEAT_ACK, &beat_ack);
        break;
    case MSG_CREDIT:
        b->credit = m->credit.total;
        break;
    case MSG_GET_BLOB:
        on_get_blob(b, &m->get_blob);
        break;
    case MSG_DRAIN:
        fake_send(b, MSG_DRAIN_OK, &drain_ok);
        break;
    case MSG_START:
        ack(b, kind, m->start.study, m->start.trial, m->start.attempt, 0);
        break;
    case MSG_REPORT:
        assert_true(m->report.points.n > 0);
        ack(b, kind, m->report.study, m->report.trial, m->report.attempt,
            m->report.points.v[m->report.points.n - 1].step);
        break;
    case MSG_CHECKPOINT:
        ack(b, kind, m->checkpoint.study, m->checkpoint.trial, m->checkpoint.attempt,
            m->checkpoint.step);
        break;
    case MSG_FINAL:
        ack(b, kind, m->final.study, m->final.trial, m->final.attempt, 0);
        break;
    case MSG_RELEASE:
        ack(b, kind, m->release.study, m->release.trial, m->release.attempt, 0);
        break;
    default:
        break;
    }
}

/* One message, answered; its kind, or 0 if none came within ms. */
static unsigned receive(struct fake_broker *b, union message *out, int ms)
{
    zmq_pollitem_t item = {.socket = b->router, .events = ZMQ_POLLIN};
    struct errmsg em = {""};
    struct frame f;
    if (zmq_poll(&item, 1, ms) <= 0)
        return 0;
    int id = zmq_recv(b->router, b->peer, sizeof b->peer, 0);
    int n = zmq_recv(b->router, b->frame, sizeof b->frame, 0);
    assert_true(id > 0 && n > 0);
    b->peer_n = (size_t)id;
    arena_clear(&b->arena);
    if (frame_read(&f, str_make(b->frame, (size_t)n), FRAME_LIMIT_WORKER, &em) ||
        message_decode(out, f.kind, f.body, &b->arena, &em))
        fail_msg("the worker sent something that cannot be read: %s", em.text);
    answer(b, f.kind, out);
    return f.kind;
}

static bool seen_by_tests(unsigned kind)
{
    return kind == MSG_START || kind == MSG_REPORT || kind == MSG_CHECKPOINT || kind == MSG_FINAL ||
           kind == MSG_RELEASE;
}

static const union message *expect(struct fake_broker *b, unsigned kind, bool next)
{
    static union message m; /* one test at a time */
    int64_t until = clock_now() + PATIENCE_NS;
    while (clock_now() < until) {
        unsigned got = receive(b, &m, 100);
        if (got == kind)
            return &m;
        if (next && seen_by_tests(got)) {
            struct buf text;
            buf_init(&text, 0);
            message_print(&text, got, &m);
            fail_msg("expected %s, got %s %s", message_name(kind), message_name(got), buf_z(&text));
        }
    }
    fail_msg("%s did not come", message_name(kind));
    return NULL;
}

const union message *fake_expect(struct fake_broker *b, unsigned kind)
{
    return expect(b, kind, false);
}

const union message *fake_expect_next(struct fake_broker *b, unsigned kind)
{
    return expect(b, kind, true);
}

uint64_t fake_assign(struct fake_broker *b, struct digest spec, const char *params)
{
    union message m;
    int64_t until = clock_now() + PATIENCE_NS;
    while (b->credit <= b->attempts && clock_now() < until)
        (void)receive(b, &m, 100);
    assert_true(b->credit > b->attempts);
    b->attempts++;
    struct msg_assign a = {.study = 3,
                           .trial = b->attempts,
                           .attempt = 1,
                           .spec = spec,
                           .params = str_of(params ? params : "{}"),
                           .seed = 42,
                           .study_name = STR("unit")};
    fake_send(b, MSG_ASSIGN, &a);
    return b->attempts;
}

void fake_serve(struct fake_broker *b, int ms)
{
    union message m;
    int64_t until = clock_now() + ms * NS_PER_MS;
    while (clock_now() < until)
        (void)receive(b, &m, 10);
}

int fake_wait_exit(struct fake_broker *b)
{
    union message m;
    int status;
    int64_t until = clock_now() + PATIENCE_NS;
    while (clock_now() < until) {
        if (waitpid(b->worker, &status, WNOHANG) == b->worker) {
            b->worker = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        }
        (void)receive(b, &m, 10);
    }
    fail_msg("the worker did not end");
    return -1;
}
