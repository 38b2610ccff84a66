/* The owner: the only file that knows core, journal and sockets.
 *
 * Inputs go to the core and gather in one group while another is at the journal. When that is
 * durable its messages leave, its answers go to the core, and the gathered group follows. So
 * whatever came during one commit is the next one, and nothing is said before it is on the disk.
 * One loop thread runs all of this; the journal has its own. */
#include "broker.h"

#include <stdlib.h>
#include <zmq.h>

#include "alloc.h"
#include "clock.h"
#include "endpoint.h"
#include "envelope.h"
#include "fdwatch.h"
#include "intake.h"
#include "journal.h"
#include "keyfile.h"
#include "laggards.h"
#include "loading.h"
#include "log.h"
#include "place.h"
#include "record_log.h"
#include "router.h"
#include "zauth.h"

#define GROUP_RECORDS 4096u
#define GROUP_BYTES   ((size_t)4 << 20)
#define GROUP_ASKS    64u
/* At the journal; a peer that is faster than the disk would make more without bound. */
#define GROUPS_AHEAD 4u
#define HOUSEKEEPING NS_PER_S
#define SWEEP        (60 * NS_PER_S)
#define FLUSH_AT_END NS_PER_S
#define FULL_AT_END  (5 * NS_PER_S) /* for room, before what is under way is given up */
#define SPARE_GROUPS 4u
#define RECORD_SPARE (UINT64_C(256) << 20) /* what a recording leaves of the disk */

struct broker {
    struct broker_options o;
    struct loop loop;
    bool loop_open, async_open;
    uv_async_t durable; /* from the journal's thread */
    void *zmq;
    struct zauth *zauth;
    struct zcurve curve;
    struct fdwatch *parent;
    struct journal *journal;
    struct router *router;
    struct farm *farm;
    struct intake *in; /* every input of the farm goes through it */
    struct group *gather;
    struct group *spare[SPARE_GROUPS];
    size_t n_spare;
    unsigned in_flight;
    bool armed; /* a turn of ours is coming */
    bool ending, flushed;
    int64_t kept_at, swept_at, watchdog_at, ending_at;
    int64_t deaf_since; /* 0 = it reads */
    struct laggards laggards;
    uint64_t odd; /* messages of several frames so far */
};

/* ---- groups ---- */

static struct group *new_group(struct broker *b)
{
    return b->n_spare ? b->spare[--b->n_spare] : group_new();
}

static void recycle(struct broker *b, struct group *g)
{
    if (b->n_spare == SPARE_GROUPS || g->fx.bytes.cap > 2 * GROUP_BYTES) {
        group_free(g);
        return;
    }
    effects_clear(&g->fx);
    arena_clear(&g->arena);
    g->n_answers = 0;
    g->submitted = false;
    b->spare[b->n_spare++] = g;
}

static void peer_gone(struct broker *b, uint64_t peer, int64_t now)
{
    intake_count(b->in, peer, COUNT_UNSENT, 1);
    intake_peer_gone(b->in, now, peer, &b->gather->fx);
}

/* The group is durable: it speaks. */
static void release(struct broker *b, struct group *g, int64_t now)
{
    for (size_t i = 0; i < g->fx.n_messages; i++) {
        const struct fx_message *m = &g->fx.messages[i];
        if (!router_send(b->router, m->peer, m->session, m->kind, effects_str(&g->fx, m->body)))
            peer_gone(b, m->peer, now);
        else if (m->kind == MSG_EVENTS)
            laggards_notice(&b->laggards, b->router, b->in, m->peer);
    }
    for (size_t i = 0; i < g->fx.n_feed; i++) {
        const struct fx_feed *m = &g->fx.feed[i];
        router_publish(b->router, m->study, m->kind, effects_str(&g->fx, m->body));
    }
    record_log(&g->fx);
    for (size_t i = 0; i < g->n_answers; i++)
        intake_answer(b->in, now, &g->answers[i], &b->gather->fx);
    recycle(b, g);
}

static void take_done(struct broker *b, int64_t now)
{
    for (struct group *g; (g = journal_done(b->journal));) {
        b->in_flight -= g->submitted;
        release(b, g, now);
    }
}

static void submit(struct broker *b)
{
    struct group *g = b->gather;
    intake_group(b->in, &g->fx);
    b->gather = new_group(b);
    g->submitted = true;
    b->in_flight++;
    journal_submit(b->journal, g);
}

static bool is_large(const struct effects *fx)
{
    return fx->n_records >= GROUP_RECORDS || fx->bytes.n >= GROUP_BYTES || fx->n_asks >= GROUP_ASKS;
}

/* The journal has enough to do: what was gathered waits. */
static bool is_behind(const struct broker *b)
{
    return b->in_flight >= GROUPS_AHEAD && is_large(&b->gather->fx);
}

/* While the journal is behind nothing more is read, so that memory is bounded; peers wait in their
 * sockets. Nobody was silent meanwhile: it was us who did not listen. */
static void listen_if_not_behind(struct broker *b, int64_t now)
{
    bool behind = is_behind(b);
    if (behind == (b->deaf_since != 0))
        return;
    if (!behind)
        intake_deaf(b->in, now - b->deaf_since);
    b->deaf_since = behind ? now : 0;
    router_pause(b->router, behind);
}

static void recount(const struct broker *b)
{
    struct errmsg em;
    if (b->o.check && farm_check(b->farm, &em) != ERR_OK) {
        LOG_E("CHECK-FAILED", "text=\"%s\"", em.text);
        abort();
    }
}

/* Hands the gathered group over if the journal is free (or the group is large). Returns when the
 * core wants to be called again. */
static int64_t hand_over(struct broker *b, int64_t now)
{
    int64_t wake = CLOCK_NEVER;
    for (int turns = 0; turns < 4; turns++) {
        if (b->in_flight && (!is_large(&b->gather->fx) || is_behind(b)))
            return CLOCK_NEVER;
        wake = intake_tick(b->in, now, &b->gather->fx);
        recount(b);
        const struct effects *fx = &b->gather->fx;
        if (effects_empty(fx))
            return wake;
        if (b->in_flight || effects_writes(fx) || fx->n_asks) {
            submit(b);
            return CLOCK_NEVER;
        }
        struct group *g = b->gather;
        intake_group(b->in, fx);
        b->gather = new_group(b);
        release(b, g, now);
    }
    return now;
}

static void count_odd(struct broker *b)
{
    uint64_t odd = router_odd(b->router);
    if (odd != b->odd)
        intake_count(b->in, 0, COUNT_BAD_FRAME, odd - b->odd);
    b->odd = odd;
}

static void keep_house(struct broker *b, int64_t now)
{
    intake_full(b->in, now, journal_full(b->journal), &b->gather->fx);
    if (now - b->kept_at < HOUSEKEEPING)
        return;
    b->kept_at = now;
    intake_set_wall(b->in, clock_wall_ms() - now / NS_PER_MS);
    count_odd(b);
    if (b->watchdog_at && now >= b->watchdog_at) {
        loop_notify("WATCHDOG=1", -1);
        b->watchdog_at = now + loop_watchdog_interval();
    }
}

static bool peer_known(void *self, uint64_t peer)
{
    const struct broker *b = self;
    return farm_peer_known(b->farm, peer);
}

static void sweep(struct broker *b, int64_t now)
{
    if (now - b->swept_at < SWEEP)
        return;
    b->swept_at = now;
    router_sweep(b->router, peer_known, b);
}

/* The rows are brought up to date with the last group, then the loop ends. */
static void end_in_order(struct broker *b, int64_t now)
{
    bool stuck = journal_full(b->journal) && now - b->ending_at > FULL_AT_END;
    if (!b->flushed && !b->in_flight) {
        b->flushed = true;
        intake_flush_rows(b->in, now, true, &b->gather->fx);
        submit(b);
    } else if (!b->in_flight || stuck) {
        loop_stop(&b->loop);
    }
}

static void on_turn(struct loop *l, int64_t now)
{
    struct broker *b = CONTAINER_OF(l, struct broker, loop);
    b->armed = false;
    keep_house(b, now);
    take_done(b, now);
    laggards_look(&b->laggards, b->router, b->in);
    listen_if_not_behind(b, now);
    sweep(b, now);
    int64_t wake = hand_over(b, now);
    if (b->ending)
        end_in_order(b, now);
    int64_t house = now + (b->laggards.n ? LAGGARDS_LOOK : b->watchdog_at ? NS_PER_S : SWEEP);
    if (b->armed) /* a message came while this one was sending */
        wake = now;
    loop_wake_at(l, wake < house ? wake : house);
}

/* Makes the loop come to on_turn() soon. */
static void arm(struct broker *b)
{
    if (b->armed)
        return;
    b->armed = true;
    loop_wake_at(&b->loop, clock_now());
}

/* ---- events ---- */

static void on_wake(struct loop *l, int64_t now)
{
    (void)l;
    (void)now; /* on_turn follows */
}

static void on_message(void *self, const struct farm_input *in, struct str body)
{
    struct broker *b = self;
    int64_t now = clock_now();
    intake_message(b->in, now, in, body, &b->gather->fx);
    listen_if_not_behind(b, now);
    arm(b);
}

static void on_bad(void *self, uint64_t peer, uint64_t session, unsigned kind, err_t e,
                   const char *text)
{
    struct broker *b = self;
    LOG_D("BAD-FRAME", "kind=%u error=%s text=\"%s\"", kind, err_name(e), text);
    intake_bad_frame(b->in, peer, session, kind, e, text, &b->gather->fx);
    listen_if_not_behind(b, clock_now());
    arm(b);
}

static void on_count(void *self, uint64_t peer, enum counter c, uint64_t n)
{
    struct broker *b = self;
    intake_count(b->in, peer, c, n);
}

static void on_gap(void *self, uint64_t peer, uint64_t session)
{
    struct broker *b = self;
    intake_gap(b->in, peer, session, &b->gather->fx);
    arm(b);
}

static uint8_t on_role(void *self, uint64_t session)
{
    const struct broker *b = self;
    return farm_session_role(b->farm, session);
}

static void on_feed_wanted(void *self, bool wanted)
{
    struct broker *b = self;
    intake_set_feed(b->in, wanted);
    arm(b);
}

static void on_durable(uv_async_t *async)
{
    struct broker *b = async->data;
    arm(b);
}

/* On the journal's thread. */
static void wake_loop(void *self)
{
    struct broker *b = self;
    uv_async_send(&b->durable);
}

static void stop(struct broker *b)
{
    if (b->ending) {
        loop_stop(&b->loop);
        return;
    }
    LOG_I("STOPPING", "epoch=%llu", (unsigned long long)journal_ids(b->journal).epoch);
    loop_notify("STOPPING=1", -1);
    b->ending = true;
    b->ending_at = clock_now();
    arm(b);
}

static void on_stop(struct loop *l, int stops)
{
    (void)stops;
    stop(CONTAINER_OF(l, struct broker, loop));
}

static void on_parent_gone(void *self)
{
    stop(self);
}

static void on_hup(struct loop *l)
{
    struct errmsg em;
    (void)l;
    if (log_reopen(&em) != ERR_OK)
        LOG_E("LOG-REOPEN", "text=\"%s\"", em.text);
}

/* ---- start ---- */

/* A file that is there is never written over: then the name gets the number of this start. */
static err_t open_tape(struct broker *b, struct tape **tape, struct errmsg *em)
{
    struct tape_config c = {.path = b->o.record, .limit = b->o.record_limit, .spare = RECORD_SPARE};
    struct buf name = {0};
    *tape = NULL;
    if (!c.path)
        return ERR_OK;
    err_t e = tape_create(tape, &c, em);
    if (e == ERR_EXISTS) {
        buf_printf(&name, "%s.%llu", b->o.record,
                   (unsigned long long)journal_ids(b->journal).epoch);
        c.path = buf_z(&name);
        e = tape_create(tape, &c, em);
    }
    if (e == ERR_OK)
        LOG_I("RECORDING", "file=%s limit=%llu", c.path, (unsigned long long)c.limit);
    buf_fini(&name);
    return e == ERR_OK ? ERR_OK : errmsg_wrap(em, e, "--record");
}

static err_t make_farm(struct broker *b, struct errmsg *em)
{
    struct tape *tape;
    struct farm_config c;
    struct journal_ids ids = journal_ids(b->journal);
    farm_config_defaults(&c);
    c.farm = ids.farm;
    c.timeline = ids.timeline;
    c.epoch = ids.epoch;
    c.lease_ns = b->o.lease_ttl;
    c.beat_ns = b->o.beat;
    c.orphan_ns = b->o.orphan_grace;
    c.flush_ns = b->o.flush;
    c.restart_grace_ns = b->o.restart_grace;
    c.row_ns = b->o.rows;
    c.max_sessions = (uint32_t)b->o.max_sessions;
    c.max_workers = (uint32_t)b->o.max_workers;
    c.lost_limit = (uint32_t)b->o.lost_limit;
    c.feed = router_feed(b->router);
    c.version = TUNEFARM_VERSION;
    err_t e = open_tape(b, &tape, em);
    if (e != ERR_OK)
        return e;
    b->farm = farm_new(&c);
    b->in = intake_new(b->farm, &c, tape);
    return ERR_OK;
}

static err_t load(struct broker *b, struct errmsg *em)
{
    uint32_t sum;
    int64_t now = clock_now();
    intake_set_wall(b->in, clock_wall_ms() - now / NS_PER_MS);
    err_t e = loading_run(b->journal, b->farm, b->o.db, &sum, em);
    if (e == ERR_OK)
        intake_load_done(b->in, clock_now(), journal_ids(b->journal).last_seq, sum, &b->gather->fx);
    return e;
}

static bool wants_keys(const struct broker_options *o)
{
    for (size_t i = 0; i < o->listen.n; i++) {
        if (str_starts(str_of(o->listen.v[i]), "tcp:"))
            return true;
    }
    return o->feed && str_starts(str_of(o->feed), "tcp:");
}

static err_t open_keys(struct broker *b, struct errmsg *em)
{
    char path[KEYFILE_PATH_SIZE];
    bool created = false;
    if (!wants_keys(&b->o))
        return ERR_OK;
    err_t e = ERR_OK;
    if (b->o.key)
        e = str_copyz(path, sizeof path, str_of(b->o.key))
                ? ERR_OK
                : errmsg_set(em, ERR_LIMIT, "--key: the name is too long");
    else
        e = keyfile_default_path(path, em);
    if (e == ERR_OK)
        e = keyfile_load_or_create(path, &b->curve, &created, em);
    if (e != ERR_OK)
        return e;
    if (created)
        LOG_I("KEY-MADE", "file=%s", path);
    b->curve.server = true;
    const char *keys[] = {b->curve.public_key};
    return zauth_start(&b->zauth, b->zmq, keys, 1, em);
}

/* Every tcp address must refuse a key that is not the farm's. */
static err_t test_door(struct broker *b, struct errmsg *em)
{
    err_t e = ERR_OK;
    for (size_t i = 0; i < b->o.listen.n && e == ERR_OK; i++) {
        const char *at = router_endpoint(b->router, i);
        if (str_starts(str_of(at), "tcp:"))
            e = zauth_self_test(b->zmq, at, b->curve.public_key, em);
    }
    const char *feed = router_feed(b->router);
    if (e == ERR_OK && str_starts(str_of(feed), "tcp:"))
        e = zauth_self_test(b->zmq, feed, b->curve.public_key, em);
    return e;
}

static err_t open_sockets(struct broker *b, struct errmsg *em)
{
    struct endpoint first, feed = {0};
    err_t e = endpoint_parse(&first, str_of(b->o.listen.v[0]), em);
    if (e == ERR_OK && !b->o.feed)
        e = endpoint_feed(&first, &feed, em);
    for (size_t i = 0; i < b->o.listen.n && e == ERR_OK; i++)
        e = place_check(b->o.listen.v[i], em);
    if (e != ERR_OK)
        return e;
    bool none = b->o.feed && str_is(str_of(b->o.feed), "none");
    struct router_config c = {.listen = b->o.listen.v,
                              .n_listen = b->o.listen.n,
                              .feed = none        ? NULL
                                      : b->o.feed ? b->o.feed
                                                  : feed.text,
                              .curve = b->zauth ? &b->curve : NULL};
    struct router_events ev = {b, on_message, on_bad, on_count, on_gap, on_role, on_feed_wanted};
    if (c.feed)
        e = place_check(c.feed, em);
    if (e == ERR_OK)
        e = router_open(&b->router, &b->loop, b->zmq, &c, &ev, em);
    return e == ERR_OK ? test_door(b, em) : e;
}

static err_t open_loop(struct broker *b, struct errmsg *em)
{
    err_t e = loop_init(&b->loop, em);
    if (e != ERR_OK)
        return e;
    b->loop_open = true;
    b->loop.on_wake = on_wake;
    b->loop.on_turn = on_turn;
    b->loop.on_stop = on_stop;
    b->loop.on_hup = on_hup;
    if (uv_async_init(&b->loop.uv, &b->durable, on_durable) != 0)
        return errmsg_set(em, ERR_FAILED, "the loop cannot be opened");
    b->async_open = true;
    b->durable.data = b;
    b->zmq = zmq_ctx_new();
    if (!b->zmq)
        return errmsg_set(em, ERR_FAILED, "ZeroMQ cannot be opened");
    zmq_ctx_set(b->zmq, ZMQ_MAX_SOCKETS, 1023);
    return ERR_OK;
}

err_t broker_open(struct broker **out, const struct broker_options *o, struct errmsg *em)
{
    static const char *const listen_default[] = {"tcp://127.0.0.1:7077"};
    struct broker *b = alloc_zero(sizeof *b);
    b->o = *o;
    if (!o->listen.n)
        b->o.listen = (struct opt_list){(const char **)listen_default, 1};
    b->gather = group_new();
    struct journal_config jc = {.file = o->db,
                                .ballast = o->ballast,
                                .sql_ns = o->sql_time,
                                .envelope = envelope_read,
                                .wake = wake_loop,
                                .self = b};
    err_t e = journal_open(&b->journal, &jc, em);
    if (e == ERR_OK)
        e = open_loop(b, em);
    if (e == ERR_OK)
        e = open_keys(b, em);
    if (e == ERR_OK)
        e = open_sockets(b, em);
    if (e == ERR_OK)
        e = make_farm(b, em);
    if (e == ERR_OK)
        e = load(b, em);
    int parent = daemonopt_fd(o->common.parent_fd);
    if (e == ERR_OK && parent >= 0)
        e = fdwatch_open(&b->parent, &b->loop, parent, on_parent_gone, b, em);
    if (e != ERR_OK) {
        broker_close(b);
        return e;
    }
    *out = b;
    return ERR_OK;
}

err_t broker_run(struct broker *b, void (*ready)(void *self), void *self, struct errmsg *em)
{
    err_t e = journal_start(b->journal, em);
    if (e != ERR_OK)
        return e;
    struct farm_counts n = farm_counts(b->farm);
    record_log_timeline(b->journal, b->o.db);
    LOG_I("READY", "db=%s epoch=%llu listen=%s feed=%s studies=%llu trials=%llu open=%llu", b->o.db,
          (unsigned long long)journal_ids(b->journal).epoch, router_endpoint(b->router, 0),
          router_feed(b->router), (unsigned long long)n.studies, (unsigned long long)n.trials,
          (unsigned long long)n.open_trials);
    if (loop_watchdog_interval() > 0)
        b->watchdog_at = clock_now() + loop_watchdog_interval();
    loop_notify("READY=1", daemonopt_fd(b->o.common.ready_fd));
    ready(self);
    arm(b);
    e = loop_run(&b->loop);
    router_flush(b->router, FLUSH_AT_END);
    struct journal_stats s = journal_stats(b->journal);
    LOG_I("ENDED", "groups=%llu records=%llu commit_mean_us=%llu commit_max_us=%llu",
          (unsigned long long)s.groups, (unsigned long long)s.records,
          (unsigned long long)(s.groups ? s.commit_ns / s.groups / 1000 : 0),
          (unsigned long long)(s.commit_max_ns / 1000));
    return e;
}

void broker_close(struct broker *b)
{
    if (!b)
        return;
    fdwatch_close(b->parent);
    router_close(b->router);
    zauth_stop(b->zauth);
    journal_close(b->journal);
    if (b->async_open)
        uv_close((uv_handle_t *)&b->durable, NULL);
    if (b->loop_open)
        loop_fini(&b->loop);
    if (b->zmq)
        zmq_ctx_term(b->zmq);
    intake_free(b->in);
    farm_free(b->farm);
    group_free(b->gather);
    laggards_fini(&b->laggards);
    for (size_t i = 0; i < b->n_spare; i++)
        group_free(b->spare[i]);
    free(b);
}
