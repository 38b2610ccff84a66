/* The worker's shell in the simulator: carries out the effects of the real core. Children are a few
 * random numbers: how many steps, how long each, and how it ends. A crash of the worker takes its
 * children with it. */
#include "sim.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "codec.h"

struct child {
    struct list link;
    struct sim_worker *worker;
    uint64_t run, generation;
    int64_t pause;
    int steps, said;
    bool crashes, hangs, deaf, nan, gone;
};

static void work(struct sim *s, struct sim_worker *w);

static void on_tick(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    if (!w->core || e->a != w->generation || w->wake > s->now)
        return;
    if (w->node.paused_until > s->now) {
        sim_at(s, w->node.paused_until, on_tick, w, e->a, 0);
        return;
    }
    w->wake = CLOCK_NEVER;
    work(s, w);
}

static struct child *find_child(struct sim_worker *w, uint64_t run)
{
    LIST_FOREACH (it, &w->children) {
        struct child *c = CONTAINER_OF(it, struct child, link);
        if (c->run == run)
            return c;
    }
    return NULL;
}

static void bury(struct child *c)
{
    list_remove(&c->link);
    free(c);
}

static void on_exit_child(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    struct child *c = w->core && e->b == w->generation ? find_child(w, e->a) : NULL;
    if (!c)
        return;
    struct child_end end = {.exit_code = c->crashes ? 1 : 0,
                            .signal = c->gone ? SIGKILL : 0,
                            .output = c->crashes ? STR("it broke") : STR("")};
    uint64_t run = c->run;
    bury(c);
    worker_on_child_exit(w->core, s->now, run, &end, &w->out);
    work(s, w);
}

static void end_child(struct sim *s, struct child *c, int64_t after)
{
    sim_at(s, s->now + after, on_exit_child, c->worker, c->run, c->generation);
}

static void on_say(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    struct child *c = w->core && e->b == w->generation ? find_child(w, e->a) : NULL;
    if (!c || c->gone)
        return;
    char line[96];
    int n;
    bool last = ++c->said >= c->steps;
    double loss = c->nan && last ? (double)NAN : 1.0 / (1 + c->said) + 1e-3 * (double)(c->run % 97);
    if (c->hangs && last)
        return;
    if (c->crashes && last) {
        end_child(s, c, 1 * MS);
        return;
    }
    n = isnan(loss) ? snprintf(line, sizeof line, "{\"step\":%d,\"loss\":NaN}", c->said)
                    : snprintf(line, sizeof line, "{\"step\":%d,\"loss\":%.17g}", c->said, loss);
    worker_on_child_line(w->core, s->now, c->run, str_make(line, (size_t)n), &w->out);
    if (last)
        end_child(s, c, sim_between(s, 0, 20 * MS));
    else
        sim_at(s, s->now + c->pause, on_say, w, c->run, c->generation);
    work(s, w);
}

static void on_spawned(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    struct child *c = w->core && e->b == w->generation ? find_child(w, e->a) : NULL;
    if (!c)
        return;
    if (sim_chance(s, s->faults.spawn_fail)) {
        uint64_t run = c->run;
        bury(c);
        worker_on_spawn_failed(w->core, s->now, run, STR("no process can be started now"), false,
                               &w->out);
    } else {
        worker_on_child_started(w->core, s->now, c->run, 1000 + c->run, &w->out);
        sim_at(s, s->now + c->pause, on_say, w, c->run, c->generation);
    }
    work(s, w);
}

static void spawn(struct sim *s, struct sim_worker *w, const struct worker_run *r)
{
    struct child *c = alloc_zero(sizeof *c);
    *c = (struct child){
        .worker = w,
        .run = r->run,
        .generation = w->generation,
        .steps = (int)sim_between(s, 1, 6),
        .pause = sim_between(s, 5 * MS, sim_chance(s, 0.2) ? 10 * SEC : 500 * MS),
        .crashes = sim_chance(s, s->faults.child_crash),
        .hangs = sim_chance(s, s->faults.child_hang),
        .deaf = sim_chance(s, s->faults.child_deaf),
        .nan = sim_chance(s, s->faults.child_nan),
    };
    list_push(&w->children, &c->link);
    sim_at(s, s->now + sim_between(s, 1 * MS, 30 * MS), on_spawned, w, r->run, w->generation);
}

static void give_signal(struct sim *s, struct sim_worker *w, uint64_t run, int number)
{
    struct child *c = find_child(w, run);
    if (!c || c->gone || (number == SIGTERM && c->deaf))
        return;
    c->gone = true;
    end_child(s, c, sim_between(s, 1 * MS, 50 * MS));
}

static void on_spec(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    if (!w->core || e->b != w->generation)
        return;
    struct digest d;
    memcpy(d.b, e->bytes.p, sizeof d.b);
    if (e->a < SIM_STUDIES)
        worker_on_spec(w->core, s->now, d, sim_spec(s, (int)e->a), &w->out);
    else
        worker_on_files(w->core, s->now, d, &w->out);
    work(s, w);
}

static void fetch(struct sim *s, struct sim_worker *w, const struct worker_fx *fx)
{
    uint64_t which = SIM_STUDIES; /* files */

    if (fx->kind == WFX_FETCH_SPEC)
        which = (uint64_t)sim_study_of(s, fx->digest);
    struct sim_event *e =
        sim_at(s, s->now + sim_between(s, 1 * MS, 200 * MS), on_spec, w, which, w->generation);
    char *p = malloc(sizeof fx->digest.b);
    REQUIRE(p != NULL);
    memcpy(p, fx->digest.b, sizeof fx->digest.b);
    e->bytes = str_make(p, sizeof fx->digest.b);
}

static void on_gone(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    if (w->core && e->a == w->generation)
        worker_crash(s, w);
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
    if (worker_restored(w->core, s->now, &w->out) == 0)
        buf_clear(&w->spool);
}

static void carry_out(struct sim *s, struct sim_worker *w, const struct worker_fx *fx)
{
    switch (fx->kind) {
    case WFX_SEND:
        sim_send_to_broker(s, &w->node, fx->session, fx->message, fx->body);
        break;
    case WFX_FETCH_SPEC:
    case WFX_FETCH_FILES:
        fetch(s, w, fx);
        break;
    case WFX_SPAWN:
        spawn(s, w, fx->run);
        break;
    case WFX_SIGNAL:
        give_signal(s, w, fx->run_id, fx->signal);
        break;
    case WFX_EXIT:
        w->ending = true;
        sim_at(s, s->now, on_gone, w, w->generation, 0);
        break;
    case WFX_SPOOL:
        append(w, fx);
        break;
    case WFX_SPOOL_NEW:
        buf_clear(&w->spool);
        break;
    case WFX_ORPHAN:
    case WFX_DROP_SPEC:
    case WFX_LINE:
    case WFX_END:
    case WFX_FACT:
        break;
    }
}

static void work(struct sim *s, struct sim_worker *w)
{
    int64_t wake = worker_tick(w->core, s->now, &w->out);
    for (size_t i = 0; i < w->out.n; i++)
        carry_out(s, w, &w->out.v[i]);
    worker_out_clear(&w->out);
    if (s->steps % 16 == 0)
        worker_check(w->core);
    if (wake != CLOCK_NEVER && wake < w->wake) {
        w->wake = wake > s->now ? wake : s->now + 1;
        sim_at(s, w->wake, on_tick, w, w->generation, 0);
    }
}

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
    worker_on_message(w->core, s->now, session, kind, m, &w->out);
    work(s, w);
}

static void on_connected(struct sim *s, struct sim_node *n)
{
    struct sim_worker *w = worker_of(n);
    worker_on_connected(w->core, s->now, &w->out);
    work(s, w);
}

static void on_gap(struct sim *s, struct sim_node *n)
{
    struct sim_worker *w = worker_of(n);
    worker_on_gap(w->core, s->now, &w->out);
    work(s, w);
}

static void on_disconnected(struct sim *s, struct sim_node *n)
{
    struct sim_worker *w = worker_of(n);
    worker_on_disconnected(w->core, s->now, &w->out);
    work(s, w);
}

void worker_start(struct sim *s, struct sim_worker *w)
{
    w->generation++;
    w->slots = (uint32_t)sim_between(s, 1, 4);
    struct worker_config c = {.host = "sim",
                              .name = "",
                              .software = "{}",
                              .pid = w->generation,
                              .slots = w->slots,
                              .cpus = w->slots,
                              .memory = UINT64_C(1) << 33,
                              .drain_ns = 5 * SEC,
                              .orphan_ns = -1,
                              .spool = true,
                              .seed = rng_u64(&s->rng)};
    for (size_t i = 0; i < sizeof c.peer.b; i++)
        c.peer.b[i] = (uint8_t)rng_u64(&s->rng);
    w->core = worker_new(&c, s->now);
    worker_out_init(&w->out);
    w->wake = CLOCK_NEVER;
    w->ending = false;
    list_init(&w->children);
    restore(s, w);
    w->node = (struct sim_node){.name = "worker",
                                .up = true,
                                .peer = w->node.peer,
                                .receive = on_receive,
                                .on_connected = on_connected,
                                .on_disconnected = on_disconnected,
                                .on_gap = on_gap};
    sim_connect(s, &w->node);
}

void worker_crash(struct sim *s, struct sim_worker *w)
{
    w->node.up = false;
    sim_disconnect(s, &w->node);
    tear(s, w);
    LIST_FOREACH_SAFE (it, next, &w->children) {
        bury(CONTAINER_OF(it, struct child, link));
    }
    worker_free(w->core);
    worker_out_fini(&w->out);
    w->core = NULL;
}

void worker_end(struct sim *s, struct sim_worker *w)
{
    worker_drain(w->core, s->now, &w->out);
    work(s, w);
}
