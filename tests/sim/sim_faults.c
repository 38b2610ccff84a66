/* Drawing the plan of a seed, and carrying out its events.
 *
 * Called by sim.c at the start; afterwards the events come from the heap. Durations and victims are
 * drawn from the event's own number, never from the world's, so that an event does the same
 * whatever else was left out. It must not know how cores work. */
#include "sim_faults.h"

#include "sim.h"

#define NAME(name, text) text,
static const char *const names[FAULT_KINDS] = {SIM_FAULT_LIST(NAME)};
#undef NAME

const char *fault_name(unsigned kind)
{
    return kind < FAULT_KINDS ? names[kind] : "?";
}

bool fault_find(const char *name, unsigned *kind)
{
    for (*kind = 0; *kind < FAULT_KINDS; ++*kind)
        if (strcmp(names[*kind], name) == 0)
            return true;
    return false;
}

/* ---- the plan ---- */

static int64_t between(struct rng *r, int64_t lo, int64_t hi)
{
    return lo + (int64_t)rng_below(r, (uint64_t)(hi - lo + 1));
}

/* Mostly short, now and then up to `most`. */
static int64_t lasting(struct rng *r, int64_t least, int64_t most)
{
    double u = rng_unit(r);
    return least + (int64_t)((double)(most - least) * u * u * u);
}

static void draw_rates(struct sim_plan *p, struct rng *r)
{
    static const struct {
        unsigned kind;
        double seeds, most;
    } rows[] = {{FAULT_DRIFT, 0.5, 1},        {FAULT_CHILD_CRASH, 0.5, 0.3},
                {FAULT_CHILD_HANG, 0.3, 0.1}, {FAULT_CHILD_DEAF, 0.3, 0.5},
                {FAULT_CHILD_NAN, 0.3, 0.2},  {FAULT_SPAWN_FAIL, 0.2, 0.1},
                {FAULT_SLOW_NET, 0.3, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double on = rng_unit(r), much = rng_unit(r);
        p->rate[rows[i].kind] = on < rows[i].seeds ? rows[i].most * much : 0;
    }
    p->latency_most = 5 * MS;
}

/* Forged messages reach states that accidents hardly do. */
static unsigned weight(unsigned kind)
{
    return kind == FAULT_FORGE ? 3 : 1;
}

static void draw_events(struct sim_plan *p, struct rng *r)
{
    unsigned kinds[3 * FAULT_EVENTS], n = 0;
    double share = rng_between(r, 0.15, 0.8);
    for (unsigned i = 0; i < FAULT_EVENTS; i++)
        for (unsigned k = rng_unit(r) < share ? weight(i) : 0; k > 0; k--)
            kinds[n++] = i;
    if (!n)
        kinds[n++] = (unsigned)rng_below(r, FAULT_EVENTS);
    uint32_t events = (uint32_t)between(r, 12, 60);
    for (uint32_t i = 0; i < events; i++)
        p->v[p->n++] = (struct sim_fault){.at = between(r, 200 * MS, p->until),
                                          .seed = rng_u64(r),
                                          .kind = (uint8_t)kinds[rng_below(r, n)]};
}

void faults_draw(struct sim_plan *p, uint64_t seed)
{
    struct rng r;
    *p = (struct sim_plan){0};
    rng_seed_at(&r, UINT64_C(0x6661756c7473), seed);
    p->until = between(&r, 30, 90) * SEC;
    p->prunes = rng_unit(&r) < 0.25;
    p->feed = rng_unit(&r) < 0.5;
    p->tpe = rng_unit(&r) < 0.1;
    draw_rates(p, &r);
    draw_events(p, &r);
}

/* ---- the events ---- */

static struct sim_worker *any_worker(struct sim *s, struct rng *r)
{
    return &s->workers[rng_below(r, SIM_WORKERS)];
}

static struct sim_optimizer *any_optimizer(struct sim *s, struct rng *r)
{
    return &s->optimizers[rng_below(r, s->n_optimizers)];
}

static struct sim_node *any_node(struct sim *s, struct rng *r)
{
    struct sim_node *n = s->nodes[rng_below(r, SIM_NODES)];
    return n->up ? n : &any_worker(s, r)->node;
}

static void on_restart_broker(struct sim *s, struct sim_event *e)
{
    (void)e;
    if (!s->farm)
        broker_start(s);
}

static void restart_broker(struct sim *s, struct rng *r)
{
    s->crashes++;
    sim_at(s, s->now + lasting(r, 10 * MS, 20 * SEC), on_restart_broker, NULL, 0, 0);
}

static bool broker_crashes(struct sim *s, struct rng *r)
{
    if (!s->farm)
        return false;
    broker_crash_in_commit(s, rng_unit(r) < 0.5);
    restart_broker(s, r);
    return true;
}

static void on_restart_worker(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    if (!w->core)
        worker_start(s, w);
}

static bool worker_crashes(struct sim *s, struct rng *r)
{
    struct sim_worker *w = any_worker(s, r);
    if (!w->core)
        return false;
    s->crashes++;
    worker_crash(s, w);
    sim_at(s, s->now + lasting(r, 10 * MS, 60 * SEC), on_restart_worker, w, 0, 0);
    return true;
}

static bool worker_drains(struct sim *s, struct rng *r)
{
    struct sim_worker *w = any_worker(s, r);
    if (!w->core || w->node.paused_until > s->now)
        return false;
    worker_end(s, w, rng_unit(r) < 0.3);
    sim_at(s, s->now + between(r, 10 * SEC, 60 * SEC), on_restart_worker, w, 0, 0);
    return true;
}

static void on_restart_optimizer(struct sim *s, struct sim_event *e)
{
    struct sim_optimizer *o = e->who;
    if (!o->node.up)
        optimizer_start(s, o);
}

static bool optimizer_crashes(struct sim *s, struct rng *r)
{
    struct sim_optimizer *o = any_optimizer(s, r);
    if (!o->node.up)
        return false;
    s->crashes++;
    optimizer_crash(s, o);
    sim_at(s, s->now + lasting(r, 10 * MS, 20 * SEC), on_restart_optimizer, o, 0, 0);
    return true;
}

static void on_restart_client(struct sim *s, struct sim_event *e)
{
    (void)e;
    if (!s->client.node.up)
        client_start(s);
}

static bool client_crashes(struct sim *s, struct rng *r)
{
    if (!s->client.node.up)
        return false;
    s->crashes++;
    client_crash(s);
    sim_at(s, s->now + lasting(r, 10 * MS, 20 * SEC), on_restart_client, NULL, 0, 0);
    return true;
}

static bool breaks(struct sim *s, struct rng *r)
{
    struct sim_node *n = any_node(s, r);
    if (!n->connected)
        return false;
    net_disconnect(s, n, true);
    return true;
}

static bool half_opens(struct sim *s, struct rng *r)
{
    struct sim_node *n = any_node(s, r);
    if (!n->connected)
        return false;
    net_disconnect(s, n, false);
    return true;
}

static void on_break_later(struct sim *s, struct sim_event *e)
{
    struct sim_node *n = e->who;
    if (!s->quiet && n->connected && n->peer == e->a)
        net_disconnect(s, n, true);
}

/* What is sent in one direction goes nowhere; in the end the connection may break, or go on. */
static bool one_way(struct sim *s, struct rng *r)
{
    struct sim_node *n = any_node(s, r);
    uint64_t d = rng_below(r, 2);
    int64_t until = s->now + lasting(r, SEC, 50 * SEC);
    n->lost_until[d] = until;
    if (rng_unit(r) < 0.5)
        sim_at(s, until, on_break_later, n, n->peer, 0);
    return true;
}

static bool clogs(struct sim *s, struct rng *r)
{
    struct sim_node *n = any_node(s, r);
    net_hold(s, n, (enum sim_direction)rng_below(r, 2), s->now + lasting(r, SEC, 40 * SEC));
    return true;
}

static void on_clog(struct sim *s, struct sim_event *e)
{
    if (!s->quiet) {
        net_hold(s, e->who, TO_BROKER, (int64_t)e->a);
        net_hold(s, e->who, FROM_BROKER, (int64_t)e->a);
    }
}

/* Links are stopped one by one and released in random order. */
static bool swizzles(struct sim *s, struct rng *r)
{
    int64_t at = s->now, begin_release = s->now + between(r, 2 * SEC, 20 * SEC);
    for (size_t i = 0; i < SIM_NODES; i++) {
        if (rng_unit(r) < 0.4)
            continue;
        at += lasting(r, 10 * MS, 3 * SEC);
        sim_at(s, at, on_clog, s->nodes[i], (uint64_t)(begin_release + between(r, 0, 20 * SEC)), 0);
    }
    return true;
}

static bool loses(struct sim *s, struct rng *r)
{
    struct sim_node *n = any_node(s, r);
    n->lossy_until[rng_below(r, 2)] = s->now + lasting(r, SEC, 30 * SEC);
    return true;
}

static bool repeats(struct sim *s, struct rng *r)
{
    struct sim_node *n = any_node(s, r);
    n->repeats_until[rng_below(r, 2)] = s->now + lasting(r, SEC, 30 * SEC);
    return true;
}

static bool delays(struct sim *s, struct rng *r)
{
    s->plan.delayed_until = s->now + lasting(r, SEC, 30 * SEC);
    s->plan.latency_now = between(r, 50 * MS, 2 * SEC);
    return true;
}

/* A process stands still; what was sent to it meanwhile comes in a burst. */
static bool pauses(struct sim *s, struct rng *r)
{
    int64_t until = s->now + lasting(r, 100 * MS, 60 * SEC);
    if (rng_unit(r) < 0.2) {
        s->broker_paused = until;
        return s->farm != NULL;
    }
    struct sim_node *n = any_node(s, r);
    n->paused_until = until;
    n->stood += until - s->now;
    return true;
}

/* A machine stands still, and with it its clock. */
static bool suspends(struct sim *s, struct rng *r)
{
    int64_t until = s->now + lasting(r, SEC, 90 * SEC);
    if (rng_unit(r) < 0.2) {
        s->broker_paused = until;
        sim_clock_suspend(&s->broker_clock, s->now, until);
        return s->farm != NULL;
    }
    struct sim_node *n = any_node(s, r);
    n->paused_until = until;
    n->stood += until - s->now;
    sim_clock_suspend(&n->clock, s->now, until);
    return true;
}

static void on_room(struct sim *s, struct sim_event *e)
{
    (void)e;
    s->disk_full = false;
}

static bool disk_fills(struct sim *s, struct rng *r)
{
    if (s->disk_full)
        return false;
    s->disk_full = true;
    s->ballast = rng_below(r, 100);
    sim_at(s, s->now + lasting(r, 100 * MS, 30 * SEC), on_room, NULL, 0, 0);
    return true;
}

static bool disk_stalls(struct sim *s, struct rng *r)
{
    s->stalled_until = s->now + lasting(r, SEC, 12 * SEC);
    return true;
}

/* The next commit fails: its outcome is unknown, and the broker has to end without a word. */
static bool disk_fails(struct sim *s, struct rng *r)
{
    if (!s->farm || s->fails_next)
        return false;
    s->fails_next = true;
    s->fails_kept = rng_unit(r) < 0.5;
    restart_broker(s, r);
    return true;
}

#define MALICE(name)                                                                               \
    static bool name##s(struct sim *s, struct rng *r)                                              \
    {                                                                                              \
        malice_##name(s, r);                                                                       \
        return true;                                                                               \
    }
MALICE(flip)
MALICE(replay)
MALICE(forge)
MALICE(garbage)
MALICE(oversize)
MALICE(role)
MALICE(impostor)
#undef MALICE

static bool (*const acts[FAULT_EVENTS])(struct sim *s, struct rng *r) = {
    [FAULT_BROKER_CRASH] = broker_crashes,
    [FAULT_WORKER_CRASH] = worker_crashes,
    [FAULT_OPTIMIZER_CRASH] = optimizer_crashes,
    [FAULT_CLIENT_CRASH] = client_crashes,
    [FAULT_DRAIN] = worker_drains,
    [FAULT_BREAK] = breaks,
    [FAULT_HALF_OPEN] = half_opens,
    [FAULT_ONE_WAY] = one_way,
    [FAULT_CLOG] = clogs,
    [FAULT_SWIZZLE] = swizzles,
    [FAULT_LOSS] = loses,
    [FAULT_REPEAT] = repeats,
    [FAULT_DELAY] = delays,
    [FAULT_PAUSE] = pauses,
    [FAULT_SUSPEND] = suspends,
    [FAULT_DISK_FULL] = disk_fills,
    [FAULT_DISK_STALL] = disk_stalls,
    [FAULT_DISK_ERROR] = disk_fails,
    [FAULT_FLIP] = flips,
    [FAULT_REPLAY] = replays,
    [FAULT_FORGE] = forges,
    [FAULT_GARBAGE] = garbages,
    [FAULT_OVERSIZE] = oversizes,
    [FAULT_WRONG_ROLE] = roles,
    [FAULT_IMPOSTOR] = impostors,
};

static void on_fault(struct sim *s, struct sim_event *e)
{
    const struct sim_fault *f = &s->plan.v[e->a];
    struct rng r;
    rng_seed(&r, f->seed);
    if (!s->quiet && acts[f->kind](s, &r))
        s->faults++;
}

static bool kept(const struct sim_scenario *c, uint32_t number)
{
    for (size_t i = 0; c->only && i < c->n_only; i++)
        if (c->only[i] == number)
            return true;
    return !c->only;
}

void faults_arm(struct sim *s, const struct sim_scenario *c)
{
    struct sim_plan *p = &s->plan;
    if (c->until_ms && c->until_ms * MS < p->until)
        p->until = c->until_ms * MS;
    for (unsigned i = FAULT_DRIFT; i < FAULT_KINDS; i++)
        if (c->without >> i & 1)
            p->rate[i] = 0;
    if (p->rate[FAULT_SLOW_NET] > 0)
        p->latency_most = 1 * SEC;
    for (uint32_t i = 0; i < p->n; i++)
        if (!(c->without >> p->v[i].kind & 1) && kept(c, i) && p->v[i].at <= p->until)
            sim_at(s, p->v[i].at, on_fault, NULL, i, 0);
}
