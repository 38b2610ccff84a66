/* The worker's shell in the simulator: carries out the effects of the real core, and fetches specs
 * from the broker by their digest. A crash of the worker takes its children with it. */
#include "sim.h"

#include <stdlib.h>

#include "alloc.h"
#include "oracle.h"

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

/* ---- effects ---- */

static void on_gone(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    if (current(w, e))
        worker_crash(s, w);
}

static void carry_out(struct sim *s, struct sim_worker *w, const struct worker_fx *fx)
{
    switch (fx->kind) {
    case WFX_SEND:
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
    worker_on_message(w->core, worker_now(s, w), session, kind, m, &w->out);
    worker_work(s, w);
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
                              .seed = rng_u64(&s->rng)};
    w->core = worker_new(&c, worker_now(s, w));
    worker_out_init(&w->out);
    w->wake = CLOCK_NEVER;
    list_init(&w->children);
    list_init(&w->fetches);
    net_connect(s, n);
}

void worker_crash(struct sim *s, struct sim_worker *w)
{
    w->node.up = false;
    net_disconnect(s, &w->node, true);
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
