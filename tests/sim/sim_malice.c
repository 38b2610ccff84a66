/* Peers that misbehave. The stranger is a peer of its own with sessions of any role; flipped,
 * repeated and invented frames also come over the connections of the others, as from a program gone
 * wrong. Everything passes the real reader and decoder. Called by sim_faults.c. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "codec.h"
#include "frame.h"
#include "oracle.h"

static const unsigned worker_kinds[] = {MSG_CREDIT,     MSG_START, MSG_REPORT,
                                        MSG_CHECKPOINT, MSG_FINAL, MSG_RELEASE,
                                        MSG_DRAIN,      MSG_BEAT,  MSG_GET_BLOB};
static const unsigned optimizer_kinds[] = {MSG_PULL,        MSG_PROPOSE, MSG_PRUNE,
                                           MSG_CLOSE_STUDY, MSG_BEAT,    MSG_GET_BLOB};
static const unsigned client_kinds[] = {MSG_ENQUEUE, MSG_CANCEL, MSG_PAUSE,    MSG_RESUME,
                                        MSG_TAIL,    MSG_SQL,    MSG_PUT_BLOB, MSG_SUBMIT,
                                        MSG_BEAT,    MSG_GET_LOG};
#define COUNT(v) (sizeof(v) / sizeof *(v))

static void send_frame(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
                       struct str body)
{
    struct frame f = {
        .major = PROTO_MAJOR, .kind = (uint8_t)kind, .session = session, .seq = 1, .body = body};
    struct buf b;
    buf_init(&b, 0);
    frame_write(&b, &f);
    net_send_raw(s, n, buf_str(&b));
    buf_fini(&b);
}

static void say(struct sim *s, struct sim_node *n, unsigned kind, const union message *m)
{
    struct buf b;
    uint64_t session = n == &s->stranger.node ? s->stranger.session : n->sequence.out_session;
    buf_init(&b, 0);
    message_encode(&b, kind, m);
    if (buf_ok(&b))
        send_frame(s, n, session, kind, buf_str(&b));
    buf_fini(&b);
}

static void random_id(struct rng *r, struct id128 *id)
{
    for (size_t i = 0; i < sizeof id->b; i++)
        id->b[i] = (uint8_t)rng_u64(r);
}

static void say_hello(struct sim *s, uint8_t role, struct id128 id)
{
    struct sim_stranger *x = &s->stranger;
    struct msg_hello h = {.role = role,
                          .version_min = PROTO_MAJOR,
                          .version_max = PROTO_MAJOR,
                          .peer = id,
                          .host = STR("elsewhere"),
                          .software = STR("{}"),
                          .slots = 2,
                          .number = ++x->hellos};
    union message m = {.hello = h};
    x->session = 0;
    x->role = role;
    x->id = id;
    say(s, &s->stranger.node, MSG_HELLO, &m);
}

/* Any connection: the stranger's own in every second case. */
static struct sim_node *any_connection(struct sim *s, struct rng *r)
{
    struct sim_node *n = s->nodes[rng_below(r, SIM_NODES)];
    return n->connected && rng_unit(r) < 0.5 ? n : &s->stranger.node;
}

static const struct sim_frame *any_frame(struct sim *s, struct rng *r)
{
    size_t n = s->n_frames < SIM_FRAMES ? s->n_frames : SIM_FRAMES;
    return n ? &s->frames[rng_below(r, n)] : NULL;
}

/* The checksum is right, so that the decoder meets the damage. */
void malice_flip(struct sim *s, struct rng *r)
{
    for (uint64_t i = 1 + rng_below(r, 8); i > 0; i--) {
        const struct sim_frame *kept = any_frame(s, r);
        struct frame f;
        if (!kept || frame_read(&f, buf_str(&kept->bytes), FRAME_LIMIT, NULL) != ERR_OK)
            return;
        struct buf body;
        buf_init(&body, 0);
        buf_add_str(&body, f.body);
        for (uint64_t flips = 1 + rng_below(r, 3); flips > 0 && body.n; flips--)
            body.p[rng_below(r, body.n)] ^= (char)(1 << rng_below(r, 8));
        send_frame(s, any_connection(s, r), f.session, f.kind, buf_str(&body));
        buf_fini(&body);
    }
}

void malice_replay(struct sim *s, struct rng *r)
{
    for (uint64_t i = 1 + rng_below(r, 20); i > 0; i--) {
        const struct sim_frame *kept = any_frame(s, r);
        if (kept)
            net_send_raw(s, any_connection(s, r), buf_str(&kept->bytes));
    }
}

static void to_role(struct sim *s, struct rng *r)
{
    struct sim_stranger *x = &s->stranger;
    if (x->session && rng_unit(r) < 0.7)
        return;
    random_id(r, &x->id);
    say_hello(s, (uint8_t)(ROLE_WORKER + rng_below(r, 3)), x->id);
}

static unsigned kind_of_role(uint8_t role, struct rng *r)
{
    switch (role) {
    case ROLE_WORKER:
        return worker_kinds[rng_below(r, COUNT(worker_kinds))];
    case ROLE_OPTIMIZER:
        return optimizer_kinds[rng_below(r, COUNT(optimizer_kinds))];
    default:
        return client_kinds[rng_below(r, COUNT(client_kinds))];
    }
}

/* What a forged message is about: a trial that there may be, often one in a state that is rare. */
struct target {
    uint64_t study, trial;
    uint32_t attempt, epoch;
    int64_t step;
    struct str name;
    struct sim_node *owner; /* the worker that holds the attempt, if any */
};

static bool in_state(const struct fate *f, uint64_t state)
{
    return state >= TRIAL_COMPLETE ? trial_state_final(f->state) : f->state == state;
}

static struct sim_node *owner_of(struct sim *s, const struct fate *f)
{
    for (size_t i = 0; f->attempt && i < SIM_WORKERS; i++)
        if (s->workers[i].core && id128_eq(s->workers[i].id, f->lives[f->attempt].who))
            return &s->workers[i].node;
    return NULL;
}

static void aim_at(struct sim *s, const struct chapter *c, const struct fate *f, struct rng *r,
                   struct target *t)
{
    const struct life *l = f->attempt ? &f->lives[f->attempt] : NULL;
    t->trial = (uint64_t)(f - c->fates);
    t->attempt = rng_unit(r) < 0.75 ? f->attempt : (uint32_t)rng_below(r, 5);
    t->step = l && l->has_step && rng_unit(r) < 0.7 ? l->last_step : t->step;
    t->owner = owner_of(s, f);
}

static struct target any_target(struct sim *s, struct rng *r)
{
    static const int64_t steps[] = {-1, 0, 1, 2, 3, 5, 8, INT64_C(1) << 53, INT64_MIN, INT64_MAX};
    const struct model *m = &s->oracle->applied;
    struct target t = {.study = rng_unit(r) < 0.9 ? 1 + rng_below(r, SIM_STUDIES) : rng_below(r, 9),
                       .trial = rng_below(r, 40),
                       .attempt = (uint32_t)rng_below(r, 5),
                       .epoch = (uint32_t)rng_below(r, 8),
                       .step = steps[rng_below(r, COUNT(steps))],
                       .name = STR("s7")};
    const struct chapter *c = model_study(m, t.study);
    if (!c)
        return t;
    uint64_t state = rng_below(r, TRIAL_COMPLETE + 1), first = c->n ? rng_below(r, c->n) : 0;
    t.name = str_of(c->name);
    t.epoch = rng_unit(r) < 0.8 ? c->epoch : t.epoch;
    for (size_t i = 0; i < c->n; i++) {
        const struct fate *f = &c->fates[(first + i) % c->n];
        if (in_state(f, state)) {
            aim_at(s, c, f, r, &t);
            break;
        }
    }
    return t;
}

static void aim_report(struct msg_report *m, const struct target *t)
{
    m->study = t->study, m->trial = t->trial, m->attempt = t->attempt;
    if (m->points.n > 4)
        m->points.n = 4;
    struct point *v = (struct point *)(uintptr_t)m->points.v;
    for (uint32_t i = 0; i < m->points.n; i++) {
        v[i].step = t->step > 0 ? t->step - m->points.n + i : t->step;
        v[i].metrics = (struct str){0};
    }
}

/* A message of the kind that could be meant. */
static void fill(struct sim *s, unsigned kind, union message *m, const struct target *t,
                 struct rng *r)
{
    arena_clear(&s->scratch2);
    message_sample(m, kind, r, &s->scratch2);
    switch (kind) {
    case MSG_START:
        m->start.study = t->study, m->start.trial = t->trial;
        m->start.attempt = t->attempt, m->start.resume %= RESUME_CHANGED + 2;
        break;
    case MSG_REPORT:
        aim_report(&m->report, t);
        break;
    case MSG_CHECKPOINT:
        m->checkpoint.study = t->study, m->checkpoint.trial = t->trial;
        m->checkpoint.attempt = t->attempt, m->checkpoint.step = t->step;
        break;
    case MSG_FINAL:
        m->final.study = t->study, m->final.trial = t->trial, m->final.attempt = t->attempt;
        m->final.status = (uint8_t)rng_below(r, 3), m->final.metrics = (struct str){0};
        m->final.has_step = false;
        m->final.has_value = m->final.has_value && rng_unit(r) < 0.6;
        break;
    case MSG_RELEASE:
        m->release.study = t->study, m->release.trial = t->trial;
        m->release.attempt = t->attempt;
        break;
    case MSG_PROPOSE:
        m->propose.study = t->study, m->propose.epoch = t->epoch;
        break;
    case MSG_PRUNE:
        m->prune = (struct msg_prune){.study = t->study,
                                      .epoch = t->epoch,
                                      .trial = t->trial,
                                      .attempt = t->attempt,
                                      .step = t->step,
                                      .pause = rng_unit(r) < 0.5};
        break;
    case MSG_CLOSE_STUDY:
        m->close_study.study = t->study, m->close_study.epoch = t->epoch + 1;
        break;
    case MSG_CANCEL:
        m->cancel.study = t->name, m->cancel.one = rng_unit(r) < 0.98, m->cancel.trial = t->trial;
        break;
    case MSG_PAUSE:
        m->pause.study = t->name, m->pause.one = rng_unit(r) < 0.9, m->pause.trial = t->trial;
        break;
    case MSG_RESUME:
        m->resume.study = t->name, m->resume.one = rng_unit(r) < 0.9, m->resume.trial = t->trial;
        break;
    case MSG_ENQUEUE:
        m->enqueue.study = t->name, m->enqueue.params = STR("{\"y\":1}");
        break;
    default:
        break;
    }
}

/* Of the stranger's role and by it, or by a program gone wrong: the worker that holds the attempt,
 * or an optimizer. */
void malice_forge(struct sim *s, struct rng *r)
{
    to_role(s, r);
    for (uint64_t i = 1 + rng_below(r, 40); i > 0; i--) {
        union message m;
        struct target t = any_target(s, r);
        struct sim_node *from = &s->stranger.node;
        uint8_t role = s->stranger.role;
        if (t.owner && rng_unit(r) < 0.5) {
            from = t.owner;
            role = ROLE_WORKER;
        } else if (rng_unit(r) < 0.3) {
            from = &s->optimizers[0].node;
            role = ROLE_OPTIMIZER;
        }
        unsigned kind = kind_of_role(role, r);
        if (from != &s->stranger.node && (kind == MSG_BEAT || kind == MSG_CREDIT))
            kind = role == ROLE_WORKER ? MSG_REPORT : MSG_PRUNE;
        fill(s, kind, &m, &t, r);
        say(s, from, kind, &m);
    }
}

static unsigned any_kind(struct rng *r)
{
    for (;;) {
        unsigned kind = 1 + (unsigned)rng_below(r, 100);
        if (message_known(kind))
            return kind;
    }
}

/* Random valid messages of every kind, from anybody. */
void malice_garbage(struct sim *s, struct rng *r)
{
    for (uint64_t i = 1 + rng_below(r, 10); i > 0; i--) {
        union message m;
        struct buf b;
        unsigned kind = any_kind(r);
        struct sim_node *n = any_connection(s, r);
        arena_clear(&s->scratch2);
        message_sample(&m, kind, r, &s->scratch2);
        buf_init(&b, 0);
        message_encode(&b, kind, &m);
        uint64_t session = rng_unit(r) < 0.5 ? s->stranger.session : n->sequence.out_session;
        if (buf_ok(&b))
            send_frame(s, n, session, kind, buf_str(&b));
        buf_fini(&b);
    }
}

/* {key: a text of n bytes} */
static void long_text(struct buf *b, unsigned key, size_t n)
{
    char head[] = {(char)0x81,      (char)key,      (char)0xdb, (char)(n >> 24),
                   (char)(n >> 16), (char)(n >> 8), (char)n};
    buf_add(b, head, sizeof head);
    for (size_t i = 0; i < n; i++)
        buf_addc(b, 'a');
}

/* {key: a list of n times {}} or, with none of them, a promise of n. */
static void long_list(struct buf *b, unsigned key, uint32_t n, bool kept)
{
    char head[] = {(char)0x81,      (char)key,      (char)0xdd, (char)(n >> 24),
                   (char)(n >> 16), (char)(n >> 8), (char)n};
    buf_add(b, head, sizeof head);
    for (uint32_t i = 0; kept && i < n; i++)
        buf_addc(b, (char)0x80);
}

void malice_oversize(struct sim *s, struct rng *r)
{
    static const unsigned kinds[] = {MSG_HELLO,  MSG_BEAT,    MSG_REPORT, MSG_FINAL, MSG_PROPOSE,
                                     MSG_SUBMIT, MSG_ENQUEUE, MSG_SQL,    MSG_BYE};
    for (uint64_t i = 1 + rng_below(r, 6); i > 0; i--) {
        struct buf b;
        unsigned kind = kinds[rng_below(r, COUNT(kinds))], key = 1 + (unsigned)rng_below(r, 16);
        buf_init(&b, 0);
        switch (rng_below(r, 4)) {
        case 0:
            long_text(&b, key, rng_below(r, 70000));
            break;
        case 1:
            long_list(&b, key, (uint32_t)rng_below(r, 20000), true);
            break;
        case 2:
            long_list(&b, key, UINT32_C(1) << (20 + rng_below(r, 12)), false);
            break;
        default:
            for (uint64_t depth = rng_below(r, 200); depth > 0; depth--)
                buf_add(&b, "\x81\x01", 2);
            break;
        }
        send_frame(s, any_connection(s, r), s->stranger.session, kind, buf_str(&b));
        buf_fini(&b);
    }
}

void malice_role(struct sim *s, struct rng *r)
{
    to_role(s, r);
    for (uint64_t i = 1 + rng_below(r, 12); i > 0; i--) {
        union message m;
        uint8_t other = (uint8_t)(ROLE_WORKER + (s->stranger.role + rng_below(r, 2)) % 3);
        unsigned kind = kind_of_role(other, r);
        struct target t = any_target(s, r);
        fill(s, kind, &m, &t, r);
        say(s, &s->stranger.node, kind, &m);
    }
}

/* The name of another process, which then has to say HELLO again. */
void malice_impostor(struct sim *s, struct rng *r)
{
    const struct sim_worker *w = &s->workers[rng_below(r, SIM_WORKERS)];
    say_hello(s, rng_unit(r) < 0.8 ? ROLE_WORKER : ROLE_CLIENT, w->id);
    union message m;
    struct target t = any_target(s, r);
    fill(s, MSG_FINAL, &m, &t, r);
    say(s, &s->stranger.node, MSG_FINAL, &m);
}

/* ---- I22: behind what is malformed, a HELLO in order is answered ---- */

static void on_behave(struct sim *s, struct sim_event *e)
{
    (void)e;
    struct sim_stranger *x = &s->stranger;
    struct rng r;
    if (x->welcomed)
        return;
    sim_at(s, s->now + 3 * SEC, on_behave, NULL, 0, 0);
    if (!x->node.connected)
        return;
    rng_seed(&r, s->seed + x->hellos);
    net_send_raw(s, &x->node, STR("TFM1 and no more"));
    send_frame(s, &x->node, 0, MSG_REPORT, STR("\xc1\xc1\xc1"));
    send_frame(s, &x->node, 77, 255, STR(""));
    random_id(&r, &x->id);
    say_hello(s, ROLE_CLIENT, x->id);
}

void malice_behave(struct sim *s)
{
    s->stranger.welcomed = false;
    sim_at(s, s->now, on_behave, NULL, 0, 0);
}

static void on_receive(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
                       const union message *m)
{
    struct sim_stranger *x = &s->stranger;
    (void)session;
    if (kind != MSG_WELCOME || m->welcome.hello != x->hellos)
        return;
    x->session = m->welcome.session;
    x->welcomed = s->quiet;
    if (s->quiet) { /* it goes, so that nothing waits for it */
        union message bye = {.bye = {.why = STR("")}};
        say(s, n, MSG_BYE, &bye);
    }
}

static void on_connection(struct sim *s, struct sim_node *n)
{
    (void)n;
    s->stranger.session = 0;
}

void stranger_start(struct sim *s)
{
    struct sim_node *n = &s->stranger.node;
    n->generation++;
    n->name = "stranger";
    n->up = true;
    n->receive = on_receive;
    n->on_connected = n->on_disconnected = n->on_gap = on_connection;
    net_connect(s, n);
}
