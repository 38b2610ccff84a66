/* Sessions and leases.
 *
 * A session begins with HELLO and lasts until BYE, until the same process says HELLO again, or
 * until it was silent for lease_ns. Safety never hangs on that: what a worker says carries the
 * attempt, and the attempt decides. When a worker is given up, its attempts expire; when it comes
 * back, verdict.c says what becomes of those it still holds.
 *
 * A session's place in the lease heap may be early, because not every message moves it: when it
 * comes to the top, `seen` tells whether it is due. */
#include "farm_session.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "alloc.h"
#include "attach.h"
#include "frame.h"
#include "json.h"
#include "leave.h"
#include "put.h"
#include "stream.h"
#include "tally.h"
#include "trial.h"
#include "verdict.h"
#include "remote.h"

#define LABEL_BYTES  128u
#define WALL_MOST_MS (INT64_C(1) << 53) /* a clock beyond it is none */

struct session *session_get(const struct farm *f, uint64_t number)
{
    return idmap_get(&f->sessions, number);
}

void session_error(struct effects *fx, uint64_t peer, uint64_t session, unsigned kind, err_t e,
                   const char *text)
{
    struct msg_error m = {.code = (uint8_t)e,
                          .name = str_of(err_name(e)),
                          .text = str_of(text),
                          .kind = (uint8_t)kind};
    m.text.n = str_utf8_cut(m.text, 1024);
    effects_send(fx, peer, session, MSG_ERROR, &m);
}

static void read_version(struct str software, char *out, size_t size)
{
    struct json_object *v = NULL;
    if (json_parse(software, JSON_STRICT, &v, NULL) == ERR_OK)
        (void)str_copyz(out, size, str_of(json_object_get_string(json_get(v, "tunefarm"))));
    json_object_put(v);
}

static struct session *session_new(const struct act *a, const struct farm_input *in)
{
    struct farm *f = a->f;
    const struct msg_hello *h = &in->msg->hello;
    struct session *s = alloc_zero(sizeof *s);
    s->number = f->c.epoch << 32 | ++f->session_counter;
    s->peer = in->peer;
    s->role = h->role;
    s->id = h->peer;
    s->host = str_dupz(h->host);
    read_version(h->software, s->version, sizeof s->version);
    if (h->name.n) {
        s->name = str_dupz(h->name);
    } else {
        struct buf name = {0};
        buf_printf(&name, STR_FMT ":%llu", STR_ARG(h->host), (unsigned long long)h->pid);
        s->name = buf_takez(&name);
    }
    list_init(&s->studies);
    list_init(&s->streams);
    list_init(&s->in_role);
    s->seen = s->heard = a->now;
    heap_insert(&f->leases, &s->lease, a->now + f->c.lease_ns);
    idmap_put(&f->sessions, s->number, s);
    idmap_put(&f->peers, s->peer, s);
    return s;
}

static void session_free(struct session *s)
{
    free(s->name);
    free(s->host);
    free(s->tally);
    free(s);
}

/* Takes a session away. What a worker held stays with struct worker, which the caller settles. */
static void session_drop(const struct act *a, struct session *s)
{
    struct farm *f = a->f;
    attach_lose_all(a, s);
    stream_end_all(f, s);
    put_end_all(f, s->number);
    list_remove(&s->in_role);
    heap_remove(&f->leases, &s->lease);
    idmap_remove(&f->sessions, s->number);
    if (idmap_get(&f->peers, s->peer) == s)
        idmap_remove(&f->peers, s->peer);
    session_free(s);
}

static void worker_record(const struct act *a, const struct worker *w, enum record_kind kind,
                          struct str text, struct str note)
{
    struct record r = {.kind = (uint8_t)kind, .who = w->id, .text = text, .note = note};
    if (kind == REC_WORKER_JOINED)
        r.number = w->session->number;
    verb_record(a, NULL, &r, NULL);
}

static void worker_leaves(const struct act *a, struct session *s, enum worker_state state,
                          struct str note)
{
    struct worker *w = s->worker;
    LIST_FOREACH_SAFE (it, tmp, &w->held) {
        struct trial *t = CONTAINER_OF(it, struct trial_open, held)->trial;
        if (state == WORKER_LEFT)
            verb_release(a, t, STR("the worker left"));
        else
            verb_lost(a, t, "the worker is silent");
    }
    worker_record(a, w, REC_WORKER_LEFT, (struct str){0}, note);
    remote_image(w, state, farm_wall(a->f, s->seen), a->fx);
    s->worker = NULL;
    leave_ends(a, w);
    remote_remove(a->f, w);
}

static void end_session(const struct act *a, struct session *s, enum worker_state state,
                        struct str note)
{
    if (s->worker)
        worker_leaves(a, s, state, note);
    session_drop(a, s);
}

/* ---- HELLO ---- */

static void worker_json(struct buf *out, const struct session *s, const struct msg_hello *h,
                        const struct worker *w)
{
    struct jsonw j;
    jsonw_init(&j, out);
    jsonw_object(&j);
    jsonw_kstr(&j, "name", str_of(s->name));
    jsonw_kstr(&j, "host", str_of(s->host));
    jsonw_ku64(&j, "pid", h->pid);
    jsonw_ku64(&j, "slots", h->slots);
    if (h->have.n) {
        jsonw_kf64(&j, "cpu", h->have.v[0].cpu);
        jsonw_ku64(&j, "gpu", h->have.v[0].gpu);
        jsonw_ku64(&j, "memory", h->have.v[0].memory);
    }
    jsonw_keyz(&j, "labels");
    jsonw_raw(&j, str_of(w->labels_json));
    jsonw_kstr(&j, "software", h->software);
    jsonw_end(&j);
}

/* The worker of a new session: the one of that process if it is there, else a new one. NULL:
 * refused. */
static struct worker *meet_worker(const struct act *a, struct session *s, const struct msg_hello *h)
{
    struct worker *w = remote_find(a->f, h->peer);
    if (w) {
        struct session *old = w->session;
        remote_renew(a->f, w, s, h);
        tally_move(old, s);
        tally(a->f, s, COUNT_REPEATED_HELLO, 1);
        old->worker = NULL;
        session_drop(a, old);
        return w;
    }
    w = remote_add(a->f, s, h);
    if (!w)
        return NULL;
    w->joined_ms = farm_wall(a->f, a->now);
    struct buf text = {0};
    worker_json(&text, s, h, w);
    worker_record(a, w, REC_WORKER_JOINED, buf_str(&text), (struct str){0});
    buf_fini(&text);
    return w;
}

static void send_welcome(const struct act *a, const struct session *s, const struct msg_hello *h,
                         const struct verdict *verdicts, uint32_t n)
{
    const struct farm_config *c = &a->f->c;
    struct msg_welcome m = {
        .version = frame_negotiate(h->version_min, h->version_max, PROTO_MAJOR, PROTO_MAJOR),
        .farm = c->farm,
        .timeline = c->timeline,
        .epoch = c->epoch,
        .session = s->number,
        .beat_ms = (uint32_t)(c->beat_ns / NS_PER_MS),
        .lease_ms = (uint32_t)(c->lease_ns / NS_PER_MS),
        .orphan_ms = (uint32_t)(c->orphan_ns / NS_PER_MS),
        .flush_ms = (uint32_t)(c->flush_ns / NS_PER_MS),
        .seq = a->f->seq,
        .feed = str_of(a->f->feed),
        .hello = h->number};
    m.verdicts.v = verdicts;
    m.verdicts.n = n;
    effects_send(a->fx, s->peer, s->number, MSG_WELCOME, &m);
}

/* What a worker tells about itself becomes one record, whose text has a limit. */
static bool labels_fit(const struct msg_hello *h)
{
    for (uint32_t i = 0; i < h->labels.n; i++) {
        if (!h->labels.v[i].n || h->labels.v[i].n > LABEL_BYTES)
            return false;
    }
    return true;
}

static const char *hello_fault(const struct farm *f, const struct msg_hello *h, err_t *e)
{
    *e = ERR_INVALID;
    if (h->role < ROLE_WORKER || h->role > ROLE_CLIENT)
        return "HELLO.role is none of worker, optimizer, client";
    *e = ERR_VERSION;
    if (!frame_negotiate(h->version_min, h->version_max, PROTO_MAJOR, PROTO_MAJOR))
        return "this broker speaks protocol version 1 only";
    *e = ERR_INVALID;
    if (h->role == ROLE_WORKER && h->slots > 65536)
        return "HELLO.slots is over 65536";
    if (h->role == ROLE_WORKER && !labels_fit(h))
        return "HELLO.labels: each has 1 to 128 bytes";
    *e = ERR_LIMIT;
    if (f->sessions.n >= f->c.max_sessions ||
        (h->role == ROLE_WORKER && f->workers.n >= f->c.max_workers))
        return "the broker has as many sessions as it may have";
    return NULL;
}

/* The same connection or the same process says HELLO again: its session before that is over. */
static void drop_former(const struct act *a, const struct farm_input *in)
{
    struct farm *f = a->f;
    const struct msg_hello *h = &in->msg->hello;
    struct session *s = idmap_get(&f->peers, in->peer);
    if (s && s->worker && (h->role != ROLE_WORKER || !id128_eq(s->id, h->peer))) {
        end_session(a, s, WORKER_GONE, STR("replaced"));
    } else if (s && !s->worker) {
        tally(f, s, COUNT_REPEATED_HELLO, id128_eq(s->id, h->peer));
        session_drop(a, s);
    } else if (s) {
        idmap_remove(&f->peers, in->peer); /* its worker is met again below */
    }
    if (h->role != ROLE_OPTIMIZER)
        return;
    LIST_FOREACH_SAFE (it, tmp, &f->optimizers) {
        struct session *o = CONTAINER_OF(it, struct session, in_role);
        if (id128_eq(o->id, h->peer))
            session_drop(a, o);
    }
}

/* Processes that have ended, as their successor knows by their locks: what it does not have of
 * theirs is lost, and nothing more is granted to them. */
static void end_formers(const struct act *a, const struct worker *w)
{
    for (uint32_t i = 0; i < w->n_formers; i++) {
        struct worker *x = remote_find(a->f, w->formers[i]);
        if (x && x != w)
            end_session(a, x->session, WORKER_GONE, STR("its successor is here"));
    }
}

void session_on_hello(const struct act *a, const struct farm_input *in)
{
    const struct msg_hello *h = &in->msg->hello;
    err_t e;
    const char *fault = hello_fault(a->f, h, &e);
    if (fault) {
        farm_count(a->f, in->peer,
                   e == ERR_VERSION ? COUNT_OTHER_VERSION
                   : e == ERR_LIMIT ? COUNT_TOO_MANY_SESSIONS
                                    : COUNT_INVALID_HELLO,
                   1);
        session_error(a->fx, in->peer, in->session, MSG_HELLO, e, fault);
        return;
    }
    drop_former(a, in);
    struct session *s = session_new(a, in);
    struct verdict *verdicts = NULL;
    uint32_t n = 0;
    if (s->role == ROLE_WORKER) {
        struct worker *w = meet_worker(a, s, h);
        if (!w) {
            tally(a->f, s, COUNT_INVALID_HELLO, 1);
            session_error(a->fx, in->peer, in->session, MSG_HELLO, ERR_INVALID,
                          "HELLO.peer is taken by another worker");
            session_drop(a, s);
            return;
        }
        verdicts = alloc_array(h->held.n + 1, sizeof *verdicts);
        bool foreign = h->timeline && h->timeline != a->f->c.timeline;
        n = verdict_on_hello(a, w, h->held.v, h->held.n, foreign, verdicts);
        end_formers(a, w);
    } else if (s->role == ROLE_OPTIMIZER) {
        list_push(&a->f->optimizers, &s->in_role);
        attach_hope(a->f);
    }
    send_welcome(a, s, h, verdicts, n);
    if (s->worker)
        leave_remind(a, s->worker);
    free(verdicts);
}

/* ---- while it lasts ---- */

void session_on_beat(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_beat *b = &m->beat;
    if (b->wall_ms > 0 && b->wall_ms < WALL_MOST_MS) {
        s->clock_ms = b->wall_ms - farm_wall(a->f, a->now);
        s->has_clock = true;
    }
    struct msg_beat_ack ack = {.number = b->number,
                               .flush_ms = (uint32_t)(a->f->c.flush_ns / NS_PER_MS)};
    struct verdict *verdicts = NULL;
    if (s->worker) {
        struct worker *w = s->worker;
        tally_told(a->f, s, b->counts.v, b->counts.n);
        if (b->draining) {
            leave_begins(a, w, 0, STR(""));
        } else if (w->draining) { /* a DRAIN that was not meant: a level, not an edge */
            w->draining = false;
            remote_mark(a->f, w);
            remote_regain(a->f, w);
        }
        verdicts = alloc_array(b->held.n + 1, sizeof *verdicts);
        ack.verdicts.n = verdict_on_beat(a, w, b->held.v, b->held.n, verdicts);
        ack.verdicts.v = verdicts;
        leave_fill(w, a->now, &ack);
        if (a->now - w->row_at > 30 * NS_PER_S) {
            w->row_at = a->now;
            remote_mark(a->f, w);
        }
    }
    effects_send(a->fx, s->peer, s->number, MSG_BEAT_ACK, &ack);
    free(verdicts);
}

void session_on_bye(const struct act *a, struct session *s, const union message *m)
{
    end_session(a, s, WORKER_LEFT, m->bye.why.n ? m->bye.why : STR("bye"));
}

void session_on_peer_gone(const struct act *a, uint64_t peer)
{
    struct session *s = idmap_get(&a->f->peers, peer);
    if (!s || a->f->c.lease_ns <= GONE_LEASE)
        return;
    int64_t seen = a->now - a->f->c.lease_ns + GONE_LEASE;
    if (seen < s->seen) {
        s->seen = seen;
        heap_update(&a->f->leases, &s->lease, seen + a->f->c.lease_ns);
    }
}

static void expire_sessions(const struct act *a)
{
    struct farm *f = a->f;
    for (struct heap_node *x; (x = heap_top(&f->leases)) && x->key <= a->now;) {
        struct session *s = CONTAINER_OF(x, struct session, lease);
        if (s->seen + f->c.lease_ns > a->now) {
            heap_update(&f->leases, x, s->seen + f->c.lease_ns);
        } else {
            tally(f, s, COUNT_SILENT, 1);
            end_session(a, s, WORKER_GONE, STR("silent"));
        }
    }
}

void session_expire(const struct act *a)
{
    struct farm *f = a->f;
    expire_sessions(a);
    for (struct heap_node *x; (x = heap_top(&f->orphans)) && x->key <= a->now;)
        verb_lost(a, CONTAINER_OF(x, struct trial_open, orphan)->trial,
                  "the worker did not come back after the broker's start");
}

int64_t session_next_expiry(const struct farm *f)
{
    int64_t at = CLOCK_NEVER;
    if (heap_top(&f->leases))
        at = heap_top(&f->leases)->key;
    if (heap_top(&f->orphans) && heap_top(&f->orphans)->key < at)
        at = heap_top(&f->orphans)->key;
    return at;
}

void session_free_all(struct farm *f)
{
    size_t pos = 0;
    for (struct session *s; (s = idmap_next(&f->sessions, &pos));) {
        stream_end_all(f, s);
        session_free(s);
    }
}
