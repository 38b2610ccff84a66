/* The session of an imagined worker: HELLO with what it holds, beats, credit, one attempt, its
 * points, and all that was not acknowledged once more after a new session.
 *
 * Called by crowd.c, which owns sockets and descriptors. With ZMQ_IMMEDIATE a DEALER takes a
 * message exactly while it is connected, which saves ten thousand monitors. Points are a function
 * of their step, so what is not acknowledged needs no memory. */
#include "crowd_worker.h"

#include <errno.h>
#include <zmq.h>

#include "clock.h"
#include "codec.h"
#include "frame.h"

#define HELLO_PATIENCE (15 * NS_PER_S)
#define POINTS_MOST    256
#define LATE_MOST      NS_PER_S

static int64_t jitter(struct crowd *c, int64_t ns)
{
    return (int64_t)((double)ns * rng_between(&c->rng, 0.9, 1.1));
}

static int64_t least(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static void set_timer(struct crowd_worker *w)
{
    int64_t at = CLOCK_NEVER;
    if (w->state == CROWD_GREETING)
        at = w->hello_again;
    if (w->state == CROWD_UP)
        at = least(w->next_beat, w->attempt == CROWD_RUNNING ? w->next_report : CLOCK_NEVER);
    if (at != w->timer.key || !heap_has(&w->timer))
        heap_update(&w->crowd->timers, &w->timer, at);
}

/* ---- out ---- */

/* False: not connected. */
static bool say(struct crowd_worker *w, unsigned kind, const void *m)
{
    struct crowd *c = w->crowd;
    buf_clear(&c->body);
    message_encode(&c->body, kind, m);
    struct frame f = {.major = PROTO_MAJOR,
                      .kind = (uint8_t)kind,
                      .session = w->session,
                      .body = buf_str(&c->body)};
    struct sequence before = w->sequence;
    sequence_stamp(&w->sequence, &f);
    buf_clear(&c->frame);
    frame_write(&c->frame, &f);
    REQUIRE(buf_ok(&c->frame));
    int n;
    do
        n = zmq_send(w->socket, c->frame.p, c->frame.n, ZMQ_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        w->sequence = before;
    return n >= 0;
}

static struct held held_of(const struct crowd_worker *w)
{
    uint8_t phase = w->attempt == CROWD_STARTING ? 0 : w->attempt == CROWD_RUNNING ? 1 : 3;
    bool any = w->step >= 0;
    return (struct held){w->study, w->trial, w->number, phase, any ? w->step : 0, any};
}

static void greet(struct crowd_worker *w, int64_t now)
{
    struct held held = held_of(w);
    struct msg_hello m = {.role = ROLE_WORKER,
                          .version_min = PROTO_MAJOR,
                          .version_max = PROTO_MAJOR,
                          .peer = w->id,
                          .host = STR("crowd"),
                          .pid = 1,
                          .slots = 1,
                          .number = ++w->hellos,
                          .timeline = w->timeline};
    m.held.v = &held;
    m.held.n = w->attempt != CROWD_IDLE;
    w->state = CROWD_GREETING;
    w->session = 0;
    w->hello_again = now + jitter(w->crowd, HELLO_PATIENCE);
    say(w, MSG_HELLO, &m);
}

static void start(struct crowd_worker *w)
{
    struct msg_start m = {.study = w->study, .trial = w->trial, .attempt = w->number, .pid = 1};
    say(w, MSG_START, &m);
}

static void final(struct crowd_worker *w)
{
    struct msg_final m = {.study = w->study,
                          .trial = w->trial,
                          .attempt = w->number,
                          .has_value = true,
                          .value = 1.0 / (double)(w->step + 2),
                          .has_step = w->step >= 0,
                          .last_step = w->step >= 0 ? w->step : 0,
                          .runtime_ms = 1};
    w->attempt = CROWD_FINISHING;
    say(w, MSG_FINAL, &m);
}

static void offer(struct crowd_worker *w)
{
    struct msg_credit m = {w->granted + 1};
    if (w->attempt == CROWD_IDLE && w->credit <= w->granted && say(w, MSG_CREDIT, &m))
        w->credit = m.total;
}

/* The points behind `after` up to `upto` in one frame. */
static void report(struct crowd_worker *w, int64_t after, int64_t upto)
{
    struct point points[POINTS_MOST];
    struct msg_report m = {.study = w->study, .trial = w->trial, .attempt = w->number};
    for (int64_t s = after + 1; s <= upto; s++)
        points[m.points.n++] =
            (struct point){.step = s, .has_value = true, .value = 1.0 / (double)(s + 1)};
    m.points.v = points;
    int64_t now = clock_now();
    if (!say(w, MSG_REPORT, &m) || w->n_flying == CROWD_FLYING)
        return;
    uint32_t at = (w->first + w->n_flying++) % CROWD_FLYING;
    w->flying[at].step = upto;
    w->flying[at].at = now;
    w->flying[at].points = m.points.n;
    if (now >= w->crowd->window->from && now < w->crowd->window->to)
        CROWD_ADD(w->crowd->tally->sent, 1);
}

static void report_due(struct crowd_worker *w, int64_t now)
{
    struct crowd *c = w->crowd;
    while (now - w->next_report > LATE_MOST) {
        w->next_report += c->interval;
        CROWD_ADD(c->tally->missed, 1);
    }
    w->next_report += c->interval;
    if (w->n_flying == CROWD_FLYING) {
        CROWD_ADD(c->tally->missed, 1);
        return;
    }
    int64_t upto = w->step + c->batch;
    report(w, w->step, upto);
    w->step = upto;
    if (c->steps && (uint64_t)upto + 1 >= c->steps)
        final(w);
}

static void beat(struct crowd_worker *w, int64_t now)
{
    struct held held = held_of(w);
    struct msg_beat m = {.number = ++w->beats};
    m.held.v = &held;
    m.held.n = w->attempt != CROWD_IDLE;
    w->next_beat = now + jitter(w->crowd, w->beat_ns);
    say(w, MSG_BEAT, &m);
}

/* Everything that is not acknowledged, in order. */
static void repeat(struct crowd_worker *w)
{
    w->first = w->n_flying = 0;
    if (w->attempt != CROWD_IDLE)
        start(w);
    for (int64_t at = w->acked; at < w->step;) {
        int64_t upto = least(at + POINTS_MOST, w->step);
        report(w, at, upto);
        at = upto;
    }
    if (w->attempt == CROWD_FINISHING)
        final(w);
}

/* ---- in ---- */

static void forget_attempt(struct crowd_worker *w)
{
    if (w->attempt == CROWD_RUNNING || w->attempt == CROWD_FINISHING)
        CROWD_ADD(w->crowd->tally->running, (uint64_t)-1);
    w->attempt = CROWD_IDLE;
    w->first = w->n_flying = 0;
    w->step = w->acked = -1;
}

static bool is_mine(const struct crowd_worker *w, uint64_t study, uint64_t trial, uint32_t number)
{
    return w->attempt != CROWD_IDLE && w->study == study && w->trial == trial &&
           w->number == number;
}

static void joined(struct crowd_worker *w, uint64_t epoch, int64_t now)
{
    struct crowd_tally *t = w->crowd->tally;
    if (epoch > t->epoch) {
        t->joined = t->kept = t->dropped = 0;
        t->epoch = epoch;
    }
    if (epoch == t->epoch && w->epoch != epoch) {
        t->last_at = now;
        CROWD_ADD(t->joined, 1);
    }
    w->epoch = epoch;
}

static void judged(struct crowd_worker *w, const struct verdict *v)
{
    struct crowd_tally *t = w->crowd->tally;
    if (!is_mine(w, v->study, v->trial, v->attempt) || v->verdict == VERDICT_STOP)
        return;
    if (v->verdict == VERDICT_KEEP) {
        CROWD_ADD(t->kept, 1);
    } else if (v->verdict == VERDICT_ADOPT) {
        w->number = v->new_attempt;
        CROWD_ADD(t->dropped, 1);
    } else {
        forget_attempt(w);
        CROWD_ADD(t->dropped, v->verdict == VERDICT_KILL);
    }
}

static void on_welcome(struct crowd_worker *w, const struct msg_welcome *m, int64_t now)
{
    if (w->state != CROWD_GREETING || m->hello != w->hellos)
        return;
    w->state = CROWD_UP;
    w->session = m->session;
    w->timeline = m->timeline;
    w->beats = w->credit = w->granted = 0;
    w->beat_ns = m->beat_ms * NS_PER_MS;
    w->next_beat = now + jitter(w->crowd, w->beat_ns);
    joined(w, m->epoch, now);
    for (uint32_t i = 0; i < m->verdicts.n; i++)
        judged(w, &m->verdicts.v[i]);
    w->next_report = now + (int64_t)(rng_unit(&w->crowd->rng) * (double)w->crowd->interval);
    repeat(w);
    offer(w);
}

static void on_assign(struct crowd_worker *w, const struct msg_assign *m)
{
    w->granted++;
    if (w->attempt != CROWD_IDLE)
        return; /* more than was offered: the next beat tells what is held */
    w->study = m->study;
    w->trial = m->trial;
    w->number = m->attempt;
    w->attempt = CROWD_STARTING;
    w->step = w->acked = -1;
    start(w);
}

static void acked_one(struct crowd_worker *w, int64_t now)
{
    struct crowd_tally *t = w->crowd->tally;
    int64_t at = w->flying[w->first].at;
    uint32_t points = w->flying[w->first].points;
    w->first = (w->first + 1) % CROWD_FLYING;
    w->n_flying--;
    CROWD_ADD(t->points, points);
    if (at < w->crowd->window->from || at >= w->crowd->window->to)
        return;
    uint64_t us = (uint64_t)((now - at) / 1000);
    CROWD_ADD(t->acked, 1);
    CROWD_ADD(t->acked_points, points);
    CROWD_ADD(t->late[crowd_bucket(us)], 1);
    if (us > t->worst_us)
        t->worst_us = us;
}

static void on_ack(struct crowd_worker *w, const struct msg_ack *m, int64_t now)
{
    if (!is_mine(w, m->study, m->trial, m->attempt))
        return;
    if (m->of == MSG_START && w->attempt == CROWD_STARTING) {
        w->attempt = CROWD_RUNNING;
        w->next_report = now + (int64_t)(rng_unit(&w->crowd->rng) * (double)w->crowd->interval);
        CROWD_ADD(w->crowd->tally->running, 1);
    } else if (m->of == MSG_REPORT && m->step > w->acked && m->step <= w->step) {
        w->acked = m->step;
        while (w->n_flying && w->flying[w->first].step <= m->step)
            acked_one(w, now);
    } else if (m->of == MSG_FINAL && w->attempt == CROWD_FINISHING) {
        CROWD_ADD(w->crowd->tally->finals, 1);
        forget_attempt(w);
        offer(w);
    }
}

static void on_message(struct crowd_worker *w, unsigned kind, const union message *m, int64_t now)
{
    switch (kind) {
    case MSG_WELCOME:
        on_welcome(w, &m->welcome, now);
        break;
    case MSG_ASSIGN:
        on_assign(w, &m->assign);
        break;
    case MSG_ACK:
        on_ack(w, &m->ack, now);
        break;
    case MSG_STOP:
        if (w->attempt == CROWD_RUNNING &&
            is_mine(w, m->stop.study, m->stop.trial, m->stop.attempt))
            final(w);
        break;
    case MSG_KILL:
        if (is_mine(w, m->kill.study, m->kill.trial, m->kill.attempt))
            forget_attempt(w);
        offer(w);
        break;
    case MSG_NAK:
        CROWD_ADD(w->crowd->tally->refused, 1);
        break;
    case MSG_ERROR:
        if (str_is(m->error.name, "STALE"))
            greet(w, now);
        else
            CROWD_ADD(w->crowd->tally->refused, 1);
        break;
    default:
        break;
    }
}

static void on_frame(struct crowd_worker *w, struct str bytes)
{
    struct crowd *c = w->crowd;
    struct frame f;
    union message m;
    if (frame_read(&f, bytes, FRAME_LIMIT, NULL) != ERR_OK) {
        CROWD_ADD(c->tally->refused, 1);
        return;
    }
    bool gap = sequence_follow(&w->sequence, &f);
    bool old = f.session != w->session && f.kind != MSG_WELCOME;
    if (old || !message_known(f.kind))
        return;
    arena_clear(&c->arena);
    if (message_decode(&m, f.kind, f.body, &c->arena, NULL) != ERR_OK) {
        CROWD_ADD(c->tally->refused, 1);
        return;
    }
    int64_t now = clock_now();
    w->heard = now;
    on_message(w, f.kind, &m, now);
    if (gap) {
        CROWD_ADD(c->tally->gaps, 1);
        greet(w, now);
    }
}

static int events_of(const struct crowd_worker *w)
{
    int events = 0;
    size_t n = sizeof events;
    return zmq_getsockopt(w->socket, ZMQ_EVENTS, &events, &n) == 0 ? events : 0;
}

static void receive_one(struct crowd_worker *w)
{
    zmq_msg_t m;
    zmq_msg_init(&m);
    if (zmq_msg_recv(&m, w->socket, ZMQ_DONTWAIT) >= 0)
        on_frame(w, str_make(zmq_msg_data(&m), zmq_msg_size(&m)));
    zmq_msg_close(&m);
}

/* Looks once more after everything that it does, because a send takes the descriptor's sign away.
 */
void crowd_worker_ready(struct crowd_worker *w)
{
    for (bool more = true; more;) {
        int events = events_of(w);
        bool connected = events & ZMQ_POLLOUT;
        bool greets = connected && w->state == CROWD_DOWN;
        more = greets || (events & ZMQ_POLLIN);
        if (!connected)
            w->state = CROWD_DOWN;
        if (greets)
            greet(w, clock_now());
        if (events & ZMQ_POLLIN)
            receive_one(w);
    }
    set_timer(w);
}

void crowd_worker_tick(struct crowd_worker *w)
{
    int64_t now = clock_now();
    if (w->state == CROWD_GREETING && now >= w->hello_again)
        greet(w, now);
    if (w->state == CROWD_UP && now >= w->next_beat) {
        if (now > w->heard + 3 * w->beat_ns)
            greet(w, now);
        else
            beat(w, now);
    }
    if (w->state == CROWD_UP && w->attempt == CROWD_RUNNING && now >= w->next_report)
        report_due(w, now);
    crowd_worker_ready(w);
}

void crowd_worker_init(struct crowd_worker *w, struct crowd *c, void *socket, int64_t now)
{
    *w = (struct crowd_worker){.crowd = c, .socket = socket, .heard = now, .step = -1, .acked = -1};
    for (size_t i = 0; i < sizeof w->id.b; i++)
        w->id.b[i] = (uint8_t)rng_below(&c->rng, 256);
    set_timer(w);
}
