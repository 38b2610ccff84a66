/* The run: a heap of events at virtual times, faults from the seed's plan, an end in quiet.
 *
 * Phase one lasts as long as the plan does; then everything is started again, no fault happens any
 * more, and every study must end (liveness). Nothing here knows how broker, worker or optimizer
 * work inside. */
#include "sim.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "oracle.h"

#define REST_WITHIN (40 * 60 * SEC)
#define STEP_LIMIT  4000000

struct sim_event *sim_at_with(struct sim *s, int64_t at,
                              void (*run)(struct sim *, struct sim_event *), void *who,
                              struct str head, struct str tail)
{
    struct sim_event *e = malloc(sizeof *e + head.n + tail.n);
    REQUIRE(e != NULL);
    *e = (struct sim_event){.run = run, .who = who, .n = head.n + tail.n};
    if (head.n)
        memcpy(e->bytes, head.p, head.n);
    if (tail.n)
        memcpy(e->bytes + head.n, tail.p, tail.n);
    heap_insert(&s->events, &e->node, at < s->now ? s->now : at);
    return e;
}

struct sim_event *sim_at(struct sim *s, int64_t at, void (*run)(struct sim *, struct sim_event *),
                         void *who, uint64_t a, uint64_t b)
{
    struct sim_event *e = sim_at_with(s, at, run, who, (struct str){0}, (struct str){0});
    e->a = a;
    e->b = b;
    return e;
}

bool sim_chance(struct sim *s, double p)
{
    return p > 0 && rng_unit(&s->rng) < p;
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

void sim_step(struct sim *s)
{
    s->steps++;
    SIM_CHECK(s, s->steps < STEP_LIMIT, "I14: no rest after %llu steps",
              (unsigned long long)s->steps);
}

void sim_fail(const struct sim *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "\nsimulator: seed %llu, virtual time %.6f s: ", (unsigned long long)s->seed,
            (double)s->now / 1e9);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    abort();
}

/* ---- clocks ---- */

int64_t sim_clock_at(const struct sim_clock *c, int64_t now)
{
    if (now <= c->base)
        return c->local;
    int64_t gone = now - c->base;
    return c->local + gone + gone / 1000000 * c->ppm;
}

int64_t sim_clock_when(const struct sim *s, const struct sim_clock *c, int64_t local)
{
    if (local == CLOCK_NEVER)
        return CLOCK_NEVER;
    int64_t left = local - c->local;
    int64_t at = c->base + left - left / (1000000 + c->ppm) * c->ppm + 1;
    return at > s->now ? at : s->now + 1;
}

void sim_clock_suspend(struct sim_clock *c, int64_t now, int64_t until)
{
    if (now < c->base)
        return;
    c->local = sim_clock_at(c, now);
    c->base = until;
}

/* ---- the run ---- */

static void run_event(struct sim *s)
{
    struct sim_event *e = CONTAINER_OF(heap_top(&s->events), struct sim_event, node);
    s->now = e->node.key;
    heap_remove(&s->events, &e->node);
    e->run(s, e);
    free(e);
}

static void start_all(struct sim *s)
{
    if (!s->farm)
        broker_start(s);
    for (size_t i = 0; i < s->n_optimizers; i++)
        if (!s->optimizers[i].node.up)
            optimizer_start(s, &s->optimizers[i]);
    for (size_t i = 0; i < SIM_WORKERS; i++)
        if (!s->workers[i].core)
            worker_start(s, &s->workers[i]);
    if (!s->client.node.up)
        client_start(s);
}

/* What a fault left behind ends now; nothing new begins. */
static void end_faults(struct sim *s)
{
    s->quiet = true;
    s->quiet_since = s->now;
    s->disk_full = false;
    s->fails_next = false;
    s->plan.latency_now = 5 * MS;
    s->plan.latency_most = 5 * MS;
    for (unsigned i = FAULT_DRIFT + 1; i < FAULT_KINDS; i++)
        s->plan.rate[i] = 0;
    for (size_t i = 0; i < SIM_NODES; i++) {
        struct sim_node *n = s->nodes[i];
        for (int d = 0; d < 2; d++)
            n->lossy_until[d] = n->repeats_until[d] = n->lost_until[d] = 0;
    }
}

/* Pauses and clogged links last into the quiet; so does a worker's wait before its next HELLO. */
static bool all_move(const struct sim *s)
{
    for (size_t i = 0; i < SIM_NODES; i++) {
        const struct sim_node *n = s->nodes[i];
        if (n->paused_until > s->now || n->last_arrival[0] > s->now + SEC ||
            n->last_arrival[1] > s->now + SEC)
            return false;
    }
    for (size_t i = 0; i < SIM_WORKERS; i++)
        if (!s->workers[i].core || !worker_session(s->workers[i].core))
            return false;
    return true;
}

static bool at_rest(const struct sim *s)
{
    if (!s->farm || s->flight || !all_move(s))
        return false;
    struct farm_counts c = farm_counts(s->farm);
    for (int i = 0; i < SIM_STUDIES; i++)
        if (!s->client.submitted[i])
            return false;
    return c.open_trials == 0 && oracle_all_ended(s) && s->stranger.welcomed &&
           s->client.tail_next > disk_records(s);
}

static _Noreturn void fail_at_rest(const struct sim *s)
{
    char text[512];
    oracle_unrest(s, text, sizeof text);
    sim_fail(s, "I14: no rest long after the last fault: %s", text);
}

static void come_to_rest(struct sim *s)
{
    end_faults(s);
    malice_behave(s);
    int64_t until = s->now + REST_WITHIN, next_start = 0;
    while (!at_rest(s)) {
        if (s->now >= next_start) { /* a worker that was ending may end now and leave a hole */
            start_all(s);
            next_start = s->now + 5 * SEC;
        }
        SIM_CHECK(s, heap_top(&s->events) != NULL, "I14: nothing happens any more");
        if (s->now >= until)
            fail_at_rest(s);
        oracle_quiet(s);
        run_event(s);
    }
    until = s->now + 6 * s->config.beat_ns + 20 * SEC; /* whoever runs on has to hear of it */
    while (s->now < until || s->flight || !effects_empty(s->gather))
        run_event(s);
}

static void drop_events(struct sim *s)
{
    for (struct heap_node *n; (n = heap_top(&s->events)) != NULL;) {
        heap_remove(&s->events, n);
        free(CONTAINER_OF(n, struct sim_event, node));
    }
    heap_fini(&s->events);
}

static void release(struct sim *s)
{
    s->quiet = true;
    for (size_t i = 0; i < SIM_WORKERS; i++)
        if (s->workers[i].core)
            worker_crash(s, &s->workers[i]);
    for (size_t i = 0; i < s->n_optimizers; i++)
        optimizer_crash(s, &s->optimizers[i]);
    broker_crash(s);
    client_fini(s);
    drop_events(s);
    for (size_t i = 0; i < 2; i++) {
        if (!s->spare[i])
            continue;
        effects_fini(s->spare[i]);
        free(s->spare[i]);
    }
    for (size_t i = 0; i < SIM_FRAMES; i++)
        buf_fini(&s->frames[i].bytes);
    for (int i = 0; i < SIM_STUDIES; i++)
        buf_fini(&s->specs[i]);
    buf_fini(&s->frame);
    arena_fini(&s->scratch);
    arena_fini(&s->scratch2);
    oracle_free(s->oracle);
    disk_free(s->disk);
    free(s);
}

/* Some seeds have a broker with shorter patience, so that expiry and return meet more often. */
static void draw_config(struct sim *s)
{
    static const struct {
        int64_t lease, beat, grace;
    } rows[] = {
        {30 * SEC, 5 * SEC, 15 * SEC}, {12 * SEC, 2 * SEC, 6 * SEC}, {4 * SEC, SEC, 2 * SEC}};
    uint64_t row = rng_below(&s->rng, 3);
    farm_config_defaults(&s->config);
    s->config.farm = s->config.timeline = 1;
    s->config.version = "sim";
    s->config.lease_ns = rows[row].lease;
    s->config.beat_ns = rows[row].beat;
    s->config.restart_grace_ns = rows[row].grace;
    s->config.orphan_ns = sim_chance(s, 0.5) ? 600 * SEC : 20 * SEC;
    s->config.lost_limit = sim_chance(s, 0.5) ? 8 : 3;
}

static void draw_clock(struct sim *s, struct sim_clock *c)
{
    int64_t drift = sim_between(s, -10000, 10000), start = sim_between(s, SEC, 1000 * SEC);
    *c = (struct sim_clock){.local = start, .ppm = s->plan.rate[FAULT_DRIFT] > 0 ? drift : 0};
}

static struct sim *open_run(const struct sim_scenario *c)
{
    struct sim *s = alloc_zero(sizeof *s);
    mallopt(M_MMAP_THRESHOLD, 256 << 10); /* a farm's rings are large, and hardly touched */
    s->seed = c->seed;
    s->now = 1;
    rng_seed_at(&s->rng, UINT64_C(0x7475656661726d), c->seed);
    heap_init(&s->events);
    arena_init(&s->scratch, 0);
    arena_init(&s->scratch2, 0);
    buf_init(&s->frame, 0);
    s->disk = disk_new();
    s->oracle = oracle_new();
    faults_draw(&s->plan, c->seed);
    draw_config(s);
    s->n_optimizers = !s->plan.prunes && sim_chance(s, 0.3) ? 2 : 1;
    for (size_t i = 0; i < SIM_WORKERS; i++)
        s->nodes[i] = &s->workers[i].node;
    for (size_t i = 0; i < SIM_OPTIMIZERS; i++)
        s->nodes[SIM_WORKERS + i] = &s->optimizers[i].node;
    s->nodes[SIM_NODES - 2] = &s->client.node;
    s->nodes[SIM_NODES - 1] = &s->stranger.node;
    faults_arm(s, c);
    draw_clock(s, &s->broker_clock);
    for (size_t i = 0; i < SIM_NODES; i++) {
        s->nodes[i]->index = (uint8_t)i;
        draw_clock(s, &s->nodes[i]->clock);
    }
    return s;
}

void sim_run_scenario(const struct sim_scenario *c, struct sim_result *out)
{
    struct sim *s = open_run(c);
    broker_start(s);
    start_all(s);
    stranger_start(s);
    while (s->now < s->plan.until && heap_top(&s->events))
        run_event(s);
    come_to_rest(s);
    oracle_end(s);
    *out = (struct sim_result){s->hash,        s->steps,        s->faults, s->crashes,
                               s->disconnects, disk_records(s), s->cells};
    release(s);
}

struct sim_result sim_run(uint64_t seed)
{
    struct sim_scenario c = {.seed = seed};
    struct sim_result r;
    sim_run_scenario(&c, &r);
    return r;
}
