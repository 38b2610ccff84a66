/* The worker's shell in the simulator: carries out the effects of the real core, and fetches specs
 * from the broker by their digest. A crash of the worker takes its children with it. */
#include "sim.h"

#include <stdlib.h>

#include "alloc.h"
#include "hash.h"
#include "oracle.h"
#include "codec.h"

#define FETCH_AGAIN (5 * SEC)
#define FETCH_TRIES 5

struct fetch {
    struct list link;
    struct digest digest;
    unsigned tries;
};

int64_t worker_now(const struct sim *s, const struct sim_worker *w)
{
    return node_now(s, &w->node);
}

static bool current(const struct sim_worker *w, const struct sim_event *e)
{
    return w->core && e->a == w->node.generation;
}

/* ---- specs ---- */

static struct fetch *find_fetch(struct sim_worker *w, struct digest d)
{
    LIST_FOREACH (it, &w->fetches) {
        struct fetch *f = CONTAINER_OF(it, struct fetch, link);
        if (digest_eq(f->digest, d))
            return f;
    }
    return NULL;
}

static void end_fetch(struct fetch *f)
{
    list_remove(&f->link);
    free(f);
}

static void on_fetch_due(struct sim *s, struct sim_event *e);

static void ask(struct sim *s, struct sim_worker *w, struct fetch *f)
{
    struct msg_get_blob m = {.digest = f->digest};
    if (worker_session(w->core))
        net_send_msg(s, &w->node, worker_session(w->core), MSG_GET_BLOB, &m);
    f->tries++;
    struct sim_event *e =
        sim_at_with(s, s->now + FETCH_AGAIN, on_fetch_due, w,
                    str_make((const char *)f->digest.b, sizeof f->digest.b), (struct str){0});
    e->a = w->node.generation;
}

static void on_fetch_due(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    struct digest d;
    memcpy(d.b, e->bytes, sizeof d.b);
    struct fetch *f = current(w, e) ? find_fetch(w, d) : NULL;
    if (!f)
        return;
    if (f->tries < FETCH_TRIES) {
        ask(s, w, f);
        return;
    }
    end_fetch(f);
    sim_step(s);
    worker_on_fetch_failed(w->core, worker_now(s, w), d, STR("the broker did not answer"), false,
                           &w->out);
    worker_work(s, w);
}

static void on_blob(struct sim *s, struct sim_worker *w, const struct msg_blob *m)
{
    struct fetch *f = find_fetch(w, m->digest);
    if (!f)
        return;
    end_fetch(f);
    if (m->unknown)
        worker_on_fetch_failed(w->core, worker_now(s, w), m->digest, STR("it is unknown"), true,
                               &w->out);
    else
        worker_on_spec(w->core, worker_now(s, w), m->digest, m->bytes, &w->out);
    worker_work(s, w);
}

static void on_files(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    struct digest d;
    if (!current(w, e))
        return;
    memcpy(d.b, e->bytes, sizeof d.b);
    sim_step(s);
    worker_on_files(w->core, worker_now(s, w), d, &w->out);
    worker_work(s, w);
}

static void fetch(struct sim *s, struct sim_worker *w, const struct worker_fx *fx)
{
    struct str digest = str_make((const char *)fx->digest.b, sizeof fx->digest.b);
    if (fx->kind == WFX_FETCH_FILES) {
        struct sim_event *e = sim_at_with(s, s->now + sim_between(s, 1 * MS, 200 * MS), on_files, w,
                                          digest, (struct str){0});
        e->a = w->node.generation;
        return;
    }
    struct fetch *f = alloc_zero(sizeof *f);
    f->digest = fx->digest;
    list_push(&w->fetches, &f->link);
    ask(s, w, f);
}

/* ---- checkpoints ---- */

/* What stands at a place is told by its name; on storage that all workers share it is there,
 * mostly. e: generation, run, WFX_CHECK or WFX_SEAL. */
static void on_looked_at(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    struct str place = str_make(e->bytes, e->n);
    if (!current(w, e))
        return;
    struct seal found = {.verdict = SEAL_OK, .uri = place, .size = place.n};
    if (sim_chance(s, 0.05))
        found = (struct seal){.verdict = SEAL_ABSENT, .text = STR("it is not there")};
    else if (e->c == WFX_SEAL && sim_chance(s, 0.05))
        found.verdict = SEAL_ELSEWHERE;
    else
        found.digest = hash_bytes(place);
    sim_step(s);
    if (e->c == WFX_SEAL)
        worker_on_sealed(w->core, worker_now(s, w), e->b, &found, &w->out);
    else
        worker_on_checked(w->core, worker_now(s, w), e->b, &found, &w->out);
    worker_work(s, w);
}

static void look_at(struct sim *s, struct sim_worker *w, const struct worker_fx *fx)
{
    struct sim_event *e =
        sim_at_with(s, s->now + sim_between(s, 1 * MS, sim_chance(s, 0.1) ? 20 * SEC : 500 * MS),
                    on_looked_at, w, fx->body, (struct str){0});
    e->a = w->node.generation;
    e->b = fx->run->run;
    e->c = fx->kind;
}

/* ---- effects ---- */

static void on_successor(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    if (!w->core)
        worker_start(s, w);
}

static void on_gone(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    if (!current(w, e))
        return;
    worker_crash(s, w);
    sim_at(s, s->now + sim_between(s, SEC, 30 * SEC), on_successor, w, 0, 0);
}

static void append(struct sim_worker *w, const struct worker_fx *fx)
{
    uint32_t n = (uint32_t)fx->body.n;
    buf_addc(&w->spool, (char)fx->message);
    buf_add(&w->spool, &n, sizeof n);
    buf_add_str(&w->spool, fx->body);
}

/* The record at *at; false: there is none. */
static bool next_record(const struct sim_worker *w, size_t *at, unsigned *kind, struct str *body)
{
    uint32_t n;
    if (*at == w->spool.n)
        return false;
    *kind = (uint8_t)w->spool.p[*at];
    memcpy(&n, w->spool.p + *at + 1, sizeof n);
    *body = str_make(w->spool.p + *at + 1 + sizeof n, n);
    *at += 1 + sizeof n + n;
    return true;
}

/* What was not on the disk yet when the process was killed: some records at the end. */
static void tear(struct sim *s, struct sim_worker *w)
{
    size_t at = 0, keep = 0, unwritten;
    unsigned kind;
    struct str body;
    if (w->spool.n == 0 || !sim_chance(s, 0.3))
        return;
    unwritten = (size_t)sim_between(s, 0, (int64_t)w->spool.n);
    while (next_record(w, &at, &kind, &body) && at <= w->spool.n - unwritten)
        keep = at;
    w->spool.n = keep;
}

static void restore(struct sim *s, struct sim_worker *w)
{
    size_t at = 0;
    unsigned kind;
    struct str body;
    union message m;
    struct arena a;
    arena_init(&a, 0);
    while (next_record(w, &at, &kind, &body)) {
        SIM_CHECK(s, !message_decode(&m, kind, body, &a, NULL), "a damaged spool");
        SIM_CHECK(s, worker_restore(w->core, kind, &m), "no room for a spool");
        arena_clear(&a);
    }
    arena_fini(&a);
    if (worker_restored(w->core, worker_now(s, w), &w->out) == 0)
        buf_clear(&w->spool);
}

static void carry_out(struct sim *s, struct sim_worker *w, const struct worker_fx *fx)
{
    switch (fx->kind) {
    case WFX_SEND:
        oracle_worker_says(s, w, fx->message, fx->body);
        net_send(s, &w->node, fx->session, fx->message, fx->body);
        break;
    case WFX_FETCH_SPEC:
    case WFX_FETCH_FILES:
        fetch(s, w, fx);
        break;
    case WFX_SPAWN:
        child_spawn(s, w, fx->run);
        break;
    case WFX_SIGNAL:
        child_signal(s, w, fx->run_id, fx->signal);
        break;
    case WFX_LINE:
        child_line(s, w, fx->run_id);
        break;
    case WFX_END:
        child_rest(w, fx->run_id);
        break;
    case WFX_EXIT:
        sim_at(s, s->now, on_gone, w, w->node.generation, 0);
        break;
    case WFX_CHECK:
    case WFX_SEAL:
        look_at(s, w, fx);
        break;
    case WFX_SPOOL:
        append(w, fx);
        break;
    case WFX_SPOOL_NEW:
        buf_clear(&w->spool);
        break;
    case WFX_TIDY:
    case WFX_ASK: /* no study here asks by a signal */
    case WFX_ORPHAN:
    case WFX_DROP_SPEC:
    case WFX_FACT:
        break;
    }
}

static void on_tick(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    if (!current(w, e) || w->wake > s->now)
        return;
    if (w->node.paused_until > s->now) {
        w->wake = w->node.paused_until;
        sim_at(s, w->wake, on_tick, w, e->a, 0);
        return;
    }
    w->wake = CLOCK_NEVER;
    worker_work(s, w);
}

void worker_work(struct sim *s, struct sim_worker *w)
{
    sim_step(s);
    int64_t wake = worker_tick(w->core, worker_now(s, w), &w->out);
    for (size_t i = 0; i < w->out.n; i++)
        carry_out(s, w, &w->out.v[i]);
    worker_out_clear(&w->out);
    if (s->steps % 16 == 0)
        worker_check(w->core);
    int64_t at = sim_clock_when(s, &w->node.clock, wake);
    if (at != CLOCK_NEVER && at < w->wake) {
        w->wake = at;
        sim_at(s, w->wake, on_tick, w, w->node.generation, 0);
    }
}

/* ---- the connection ---- */

static struct sim_worker *worker_of(struct sim_node *n)
{
    return CONTAINER_OF(n, struct sim_worker, node);
}

static void on_receive(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
                       const union message *m)
{
    struct sim_worker *w = worker_of(n);
    if (kind == MSG_ACK)
        oracle_ack(s, &m->ack);
    if (kind == MSG_BLOB && session == worker_session(w->core)) {
        on_blob(s, w, &m->blob);
        return;
    }
    bool told = session && session == worker_session(w->core);
    worker_on_message(w->core, worker_now(s, w), session, kind, m, &w->out);
    worker_work(s, w);
    oracle_worker_heard(s, w, told, kind, m);
}

static void on_connected(struct sim *s, struct sim_node *n)
{
    struct sim_worker *w = worker_of(n);
    worker_on_connected(w->core, worker_now(s, w), &w->out);
    worker_work(s, w);
}

static void on_gap(struct sim *s, struct sim_node *n)
{
    struct sim_worker *w = worker_of(n);
    worker_on_gap(w->core, worker_now(s, w), &w->out);
    worker_work(s, w);
}

static void on_disconnected(struct sim *s, struct sim_node *n)
{
    struct sim_worker *w = worker_of(n);
    worker_on_disconnected(w->core, worker_now(s, w), &w->out);
    worker_work(s, w);
}

/* ---- start and end ---- */

void worker_start(struct sim *s, struct sim_worker *w)
{
    struct sim_node *n = &w->node;
    n->generation++;
    n->name = "worker";
    n->up = true;
    n->receive = on_receive;
    n->on_connected = on_connected;
    n->on_disconnected = on_disconnected;
    n->on_gap = on_gap;
    w->slots = (uint32_t)sim_between(s, 1, 4);
    for (size_t i = 0; i < sizeof w->id.b; i++)
        w->id.b[i] = (uint8_t)rng_u64(&s->rng);
    struct worker_config c = {.peer = w->id,
                              .host = "sim",
                              .name = "",
                              .software = "{}",
                              .pid = n->generation,
                              .slots = w->slots,
                              .cpus = w->slots,
                              .memory = UINT64_C(1) << 33,
                              .drain_ns = 5 * SEC,
                              .orphan_ns = -1,
                              .spool = true,
                              .seed = rng_u64(&s->rng)};
    w->core = worker_new(&c, worker_now(s, w));
    worker_out_init(&w->out);
    w->wake = CLOCK_NEVER;
    w->hello = w->beat = 0;
    list_init(&w->children);
    list_init(&w->fetches);
    restore(s, w);
    net_connect(s, n);
}

void worker_crash(struct sim *s, struct sim_worker *w)
{
    w->node.up = false;
    net_disconnect(s, &w->node, true);
    tear(s, w);
    child_kill_all(w);
    LIST_FOREACH_SAFE (it, next, &w->fetches) {
        end_fetch(CONTAINER_OF(it, struct fetch, link));
    }
    worker_free(w->core);
    worker_out_fini(&w->out);
    w->core = NULL;
}

void worker_end(struct sim *s, struct sim_worker *w, bool at_once)
{
    sim_step(s);
    if (at_once)
        worker_release_all(w->core, worker_now(s, w), &w->out);
    else
        worker_drain(w->core, worker_now(s, w), &w->out);
    worker_work(s, w);
}
