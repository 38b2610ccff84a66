/* The run: a heap of events at virtual times, faults drawn from the seed, an end in quiet.
 *
 * Phase one lasts as long as faults do; then everything is started again, no fault happens any
 * more, and every study must end (liveness). Nothing here knows how broker or worker work inside.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"

#define FAULTS_FOR  (90 * SEC)
#define REST_WITHIN (40 * 60 * SEC)
#define STEP_LIMIT  4000000

struct sim_event *sim_at(struct sim *s, int64_t at, void (*run)(struct sim *, struct sim_event *),
                         void *who, uint64_t a, uint64_t b)
{
    struct sim_event *e = alloc_zero(sizeof *e);
    e->run = run;
    e->who = who;
    e->a = a;
    e->b = b;
    heap_insert(&s->events, &e->node, at < s->now ? s->now : at);
    return e;
}

bool sim_chance(struct sim *s, double p)
{
    return rng_unit(&s->rng) < p;
}

int64_t sim_between(struct sim *s, int64_t lo, int64_t hi)
{
    return lo + (int64_t)rng_below(&s->rng, (uint64_t)(hi - lo + 1));
}

void sim_trace(struct sim *s, uint64_t x)
{
    s->hash = (s->hash ^ x) * UINT64_C(0x9E3779B97F4A7C15);
    s->hash ^= s->hash >> 29;
}

void sim_fail(const struct sim *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "\nsimulator: seed %llu, virtual time %.6f s: ", (unsigned long long)s->seed,
            (double)s->now / 1e9);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\nagain with: SIM_SEED=%llu test_sim\n", (unsigned long long)s->seed);
    va_end(ap);
    abort();
}

/* The time until the next event of a process with so many a second. */
static int64_t wait_for(struct sim *s, double rate)
{
    double u = rng_open(&s->rng);
    double seconds = (1 / u - 1) / rate; /* heavy-tailed: bursts and long calms */
    return (int64_t)((seconds > 1000 ? 1000 : seconds) * 1e9) + 1;
}

static void on_restart_broker(struct sim *s, struct sim_event *e)
{
    (void)e;
    if (!s->farm)
        broker_start(s);
}

static void crash_broker(struct sim *s)
{
    if (!s->farm)
        return;
    s->crashes++;
    broker_crash(s);
    sim_at(s, s->now + sim_between(s, 10 * MS, 20 * SEC), on_restart_broker, NULL, 0, 0);
}

static struct sim_worker *any_worker(struct sim *s)
{
    return &s->workers[rng_below(&s->rng, SIM_WORKERS)];
}

static void on_restart_worker(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    if (!w->core)
        worker_start(s, w);
}

static void crash_worker(struct sim *s)
{
    struct sim_worker *w = any_worker(s);
    if (!w->core)
        return;
    s->crashes++;
    worker_crash(s, w);
    sim_at(s, s->now + sim_between(s, 10 * MS, 60 * SEC), on_restart_worker, w, 0, 0);
}

static void drain_worker(struct sim *s)
{
    struct sim_worker *w = any_worker(s);
    if (w->core)
        worker_end(s, w);
    sim_at(s, s->now + sim_between(s, 10 * SEC, 60 * SEC), on_restart_worker, w, 0, 0);
}

static void on_restart_optimizer(struct sim *s, struct sim_event *e)
{
    (void)e;
    if (!s->optimizer.node.up)
        optimizer_start(s);
}

static void crash_optimizer(struct sim *s)
{
    if (!s->optimizer.node.up)
        return;
    s->crashes++;
    optimizer_crash(s);
    sim_at(s, s->now + sim_between(s, 10 * MS, 10 * SEC), on_restart_optimizer, NULL, 0, 0);
}

static void break_connection(struct sim *s)
{
    uint64_t i = rng_below(&s->rng, SIM_WORKERS + 2);
    struct sim_node *n = i < SIM_WORKERS    ? &s->workers[i].node
                         : i == SIM_WORKERS ? &s->optimizer.node
                                            : &s->client.node;
    if (!n->up || !n->connected)
        return;
    s->disconnects++;
    sim_disconnect(s, n);
}

static void pause_worker(struct sim *s)
{
    struct sim_worker *w = any_worker(s);
    if (w->core)
        w->node.paused_until = s->now + sim_between(s, 100 * MS, 60 * SEC);
}

static void on_full_over(struct sim *s, struct sim_event *e)
{
    (void)e;
    broker_full(s, false);
}

static void fill_disk(struct sim *s)
{
    if (s->disk_is_full)
        return;
    broker_full(s, true);
    sim_at(s, s->now + sim_between(s, 100 * MS, 20 * SEC), on_full_over, NULL, 0, 0);
}

static const struct {
    void (*act)(struct sim *s);
    size_t rate; /* offset in sim_faults */
} FAULTS[] = {
    {crash_broker, offsetof(struct sim_faults, broker_crash)},
    {crash_worker, offsetof(struct sim_faults, worker_crash)},
    {crash_optimizer, offsetof(struct sim_faults, optimizer_crash)},
    {break_connection, offsetof(struct sim_faults, disconnect)},
    {pause_worker, offsetof(struct sim_faults, pause)},
    {fill_disk, offsetof(struct sim_faults, disk_full)},
    {drain_worker, offsetof(struct sim_faults, worker_drain)},
};

static double fault_rate(const struct sim *s, uint64_t i)
{
    return *(const double *)(const void *)((const char *)&s->faults + FAULTS[i].rate);
}

static void on_fault(struct sim *s, struct sim_event *e)
{
    if (s->quiet)
        return;
    FAULTS[e->a].act(s);
    sim_at(s, s->now + wait_for(s, fault_rate(s, e->a)), on_fault, NULL, e->a, 0);
}

static double some(struct sim *s, double p, double most)
{
    return sim_chance(s, p) ? most * rng_unit(&s->rng) : 0;
}

static void draw_faults(struct sim *s)
{
    s->faults = (struct sim_faults){
        .broker_crash = some(s, 0.5, 0.2),
        .worker_crash = some(s, 0.5, 0.3),
        .optimizer_crash = some(s, 0.5, 0.2),
        .disconnect = some(s, 0.6, 0.5),
        .pause = some(s, 0.3, 0.2),
        .drop = some(s, 0.4, 0.05),
        .slow_commit = some(s, 0.3, 0.02),
        .disk_full = some(s, 0.2, 0.1),
        .child_crash = some(s, 0.5, 0.2),
        .child_hang = some(s, 0.3, 0.05),
        .child_deaf = some(s, 0.3, 0.5),
        .child_nan = some(s, 0.3, 0.2),
        .spawn_fail = some(s, 0.2, 0.1),
        .worker_drain = some(s, 0.3, 0.1),
        .latency_max = sim_chance(s, 0.3) ? 2 * SEC : 5 * MS,
    };
    for (uint64_t i = 0; i < sizeof FAULTS / sizeof FAULTS[0]; i++)
        if (fault_rate(s, i) > 0)
            sim_at(s, wait_for(s, fault_rate(s, i)), on_fault, NULL, i, 0);
}

static void step(struct sim *s)
{
    struct sim_event *e = CONTAINER_OF(heap_top(&s->events), struct sim_event, node);
    s->now = e->node.key;
    heap_remove(&s->events, &e->node);
    s->steps++;
    SIM_CHECK(s, s->steps < STEP_LIMIT, "no rest after %llu steps", (unsigned long long)s->steps);
    e->run(s, e);
    free((void *)(uintptr_t)e->bytes.p);
    free(e);
}

static bool all_ended(const struct sim *s)
{
    struct farm_counts c = farm_counts(s->farm);
    return c.studies == SIM_STUDIES && c.open_trials == 0;
}

static void start_all(struct sim *s)
{
    if (s->disk_is_full)
        broker_full(s, false);
    if (!s->farm)
        broker_start(s);
    if (!s->optimizer.node.up)
        optimizer_start(s);
    for (size_t i = 0; i < SIM_WORKERS; i++) {
        s->workers[i].node.paused_until = 0;
        if (!s->workers[i].core)
            worker_start(s, &s->workers[i]);
    }
}

static void come_to_rest(struct sim *s)
{
    s->quiet = true;
    s->faults = (struct sim_faults){.latency_max = 5 * MS};
    int64_t until = s->now + REST_WITHIN;
    int64_t next_start = 0;
    for (;;) {
        if (s->now >= next_start) { /* a worker that was ending may end now and leave a hole */
            start_all(s);
            next_start = s->now + 5 * SEC;
        }
        bool done = s->farm && all_ended(s) && s->optimizer.node.up;
        for (int i = 0; i < SIM_STUDIES; i++)
            done = done && s->client.done[i];
        if (done && !s->flight)
            break;
        SIM_CHECK(s, heap_top(&s->events) != NULL, "nothing happens any more");
        SIM_CHECK(s, s->now < until, "a study has not ended long after the last fault");
        step(s);
    }
}

static void drop_events(struct sim *s)
{
    struct heap_node *n;
    while ((n = heap_top(&s->events)) != NULL) {
        heap_remove(&s->events, n);
        struct sim_event *e = CONTAINER_OF(n, struct sim_event, node);
        free((void *)(uintptr_t)e->bytes.p);
        free(e);
    }
    heap_fini(&s->events);
}

static void release(struct sim *s)
{
    for (size_t i = 0; i < SIM_WORKERS; i++) {
        if (s->workers[i].core)
            worker_crash(s, &s->workers[i]);
        buf_fini(&s->workers[i].spool);
    }
    broker_crash(s);
    drop_events(s);
    for (int i = 0; i < SIM_STUDIES; i++)
        buf_fini(&s->specs[i]);
    arena_fini(&s->scratch);
    free(s->acks);
}

struct sim_result sim_run(uint64_t seed)
{
    struct sim *s = alloc_zero(sizeof *s);
    s->seed = seed;
    s->now = 1;
    rng_seed_at(&s->rng, UINT64_C(0x7475656661726d), seed);
    heap_init(&s->events);
    arena_init(&s->scratch, 0);
    draw_faults(s);
    broker_start(s);
    optimizer_start(s);
    for (size_t i = 0; i < SIM_WORKERS; i++)
        worker_start(s, &s->workers[i]);
    client_start(s);
    while (s->now < FAULTS_FOR && heap_top(&s->events))
        step(s);
    come_to_rest(s);
    oracle_end(s);
    struct sim_result r = {s->hash, s->steps, s->crashes, s->disconnects, disk_records(s)};
    release(s);
    sim_disk_free(s);
    free(s);
    return r;
}
