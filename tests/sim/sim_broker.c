/* The broker's shell in the simulator: one group of effects gathers while another is being
 * committed; nothing leaves before its group is on the disk. A crash in the middle of a commit
 * keeps the group or forgets it, and nobody is told. A restart loads the rows and the records
 * behind them, or now and then the journal alone. Every entry into the core is shown to the oracle,
 * with what it made. */
#include "sim.h"

#include <stdlib.h>

#include "alloc.h"
#include "envelope.h"
#include "oracle.h"

int64_t broker_now(const struct sim *s)
{
    return sim_clock_at(&s->broker_clock, s->now);
}

static struct effects *effects_take(struct sim *s)
{
    for (size_t i = 0; i < 2; i++) {
        struct effects *fx = s->spare[i];
        if (!fx)
            continue;
        s->spare[i] = NULL;
        return fx;
    }
    struct effects *fx = alloc_zero(sizeof *fx);
    effects_init(fx);
    return fx;
}

static void effects_drop(struct sim *s, struct effects *fx)
{
    if (!fx)
        return;
    effects_clear(fx);
    for (size_t i = 0; i < 2; i++) {
        if (s->spare[i])
            continue;
        s->spare[i] = fx;
        return;
    }
    effects_fini(fx);
    free(fx);
}

static void pump(struct sim *s);

/* ---- entries into the core ---- */

static struct oracle_cause begin(struct sim *s, enum oracle_entry entry)
{
    sim_step(s);
    return (struct oracle_cause){
        .entry = entry, .records = s->gather->n_records, .messages = s->gather->n_messages};
}

void broker_input(struct sim *s, uint64_t peer, uint64_t session, unsigned kind,
                  const union message *m)
{
    struct envelope env;
    struct errmsg em = {""};
    struct farm_input in = {.peer = peer, .session = session, .kind = (uint8_t)kind, .msg = m};
    if (kind == MSG_SUBMIT) {
        if (envelope_read(m->submit.spec, &s->scratch, &env, &em) == ERR_OK)
            in.envelope = &env;
        else
            in.fault = em.text;
    }
    struct oracle_cause c = begin(s, ENTRY_MESSAGE);
    c.peer = peer;
    c.session = session;
    c.kind = kind;
    c.msg = m;
    oracle_before(s, &c);
    farm_on_message(s->farm, broker_now(s), &in, s->gather);
    oracle_after(s, &c);
    pump(s);
}

void broker_bad_frame(struct sim *s, uint64_t peer, uint64_t session, unsigned kind, err_t e,
                      const char *text)
{
    struct oracle_cause c = begin(s, ENTRY_BAD_FRAME);
    farm_on_bad_frame(s->farm, peer, session, kind, e, text, s->gather);
    oracle_after(s, &c);
    pump(s);
}

void broker_gap(struct sim *s, uint64_t peer, uint64_t session)
{
    struct oracle_cause c = begin(s, ENTRY_GAP);
    c.session = session;
    farm_on_gap(s->farm, peer, session, s->gather);
    oracle_after(s, &c);
}

void broker_peer_gone(struct sim *s, uint64_t peer)
{
    struct oracle_cause c = begin(s, ENTRY_PEER_GONE);
    c.peer = peer;
    farm_on_peer_gone(s->farm, broker_now(s), peer, s->gather);
    oracle_after(s, &c);
    pump(s);
}

static void set_full(struct sim *s, bool full)
{
    struct oracle_cause c = begin(s, ENTRY_FULL);
    farm_on_full(s->farm, broker_now(s), full, s->gather);
    oracle_after(s, &c);
}

static void take_answers(struct sim *s, const struct effects *fx)
{
    for (size_t i = 0; i < fx->n_asks; i++) {
        struct oracle_cause c = begin(s, ENTRY_ANSWER);
        disk_answer(s, &fx->asks[i], s->gather);
        oracle_after(s, &c);
    }
}

static int64_t tick(struct sim *s)
{
    struct oracle_cause c = begin(s, ENTRY_TICK);
    int64_t wake = farm_tick(s->farm, broker_now(s), s->gather);
    oracle_after(s, &c);
    return wake;
}

/* ---- groups ---- */

static void on_committed(struct sim *s, struct sim_event *e);

static void commit_again(struct sim *s, int64_t at)
{
    sim_at(s, at, on_committed, NULL, s->broker_generation, 0);
}

/* A full disk takes what the ballast leaves room for, and the core makes nothing but ends. */
static bool has_room(struct sim *s)
{
    if (!s->disk_full || !effects_writes(s->flight))
        return true;
    set_full(s, true);
    if (!s->ballast)
        return false;
    s->ballast--;
    return true;
}

static void send_group(struct sim *s, const struct effects *fx)
{
    for (size_t i = 0; i < fx->n_messages; i++) {
        const struct fx_message *m = &fx->messages[i];
        oracle_sends(s, m, effects_str(fx, m->body));
        net_answer(s, m->peer, m->session, m->kind, effects_str(fx, m->body));
    }
    for (size_t i = 0; i < fx->n_feed; i++)
        oracle_publishes(s, &fx->feed[i], effects_str(fx, fx->feed[i].body));
}

static void on_committed(struct sim *s, struct sim_event *e)
{
    if (!s->farm || e->a != s->broker_generation)
        return;
    if (s->broker_paused > s->now || s->stalled_until > s->now) {
        commit_again(s, s->broker_paused > s->stalled_until ? s->broker_paused : s->stalled_until);
        return;
    }
    if (s->fails_next && effects_writes(s->flight)) {
        s->fails_next = false;
        s->crashes++;
        broker_crash_in_commit(s, s->fails_kept);
        return;
    }
    if (!has_room(s)) {
        commit_again(s, s->now + 500 * MS);
        return;
    }
    struct effects *fx = s->flight;
    s->flight = NULL;
    if (effects_writes(fx)) {
        oracle_commits(s, fx);
        disk_commit(s, fx);
    }
    send_group(s, fx);
    take_answers(s, fx);
    effects_drop(s, fx);
    if (!s->disk_full)
        set_full(s, false);
    oracle_boundary(s);
    pump(s);
}

static void on_wake(struct sim *s, struct sim_event *e)
{
    if (!s->farm || e->a != s->broker_generation || s->broker_wake > s->now)
        return;
    if (s->broker_paused > s->now) {
        s->broker_wake = s->broker_paused;
        sim_at(s, s->broker_wake, on_wake, NULL, s->broker_generation, 0);
        return;
    }
    s->broker_wake = CLOCK_NEVER;
    pump(s);
}

static void wake_at(struct sim *s, int64_t local)
{
    int64_t at = sim_clock_when(s, &s->broker_clock, local);
    if (at == CLOCK_NEVER || at >= s->broker_wake)
        return;
    s->broker_wake = at;
    sim_at(s, at, on_wake, NULL, s->broker_generation, 0);
}

/* Hands a group over if none is under way. */
static void pump(struct sim *s)
{
    if (s->flight)
        return;
    int64_t wake = tick(s);
    if (effects_empty(s->gather)) {
        wake_at(s, wake);
        return;
    }
    s->flight = s->gather;
    s->gather = effects_take(s);
    commit_again(s, s->now + (effects_writes(s->flight) ? sim_between(s, 100000, 8 * MS) : 1000));
}

/* ---- start and end ---- */

static struct farm *make_farm(struct sim *s, bool from_rows)
{
    struct farm_config c = s->config;
    c.epoch = disk_epoch(s);
    struct farm *f = farm_new(&c);
    disk_load(s, f, from_rows);
    return f;
}

struct farm *broker_fold(struct sim *s, bool from_rows)
{
    return make_farm(s, from_rows);
}

void broker_start(struct sim *s)
{
    disk_next_epoch(s);
    s->broker_generation++;
    s->broker_wake = CLOCK_NEVER;
    s->gather = effects_take(s);
    s->farm = make_farm(s, sim_chance(s, 0.8));
    farm_set_feed(s->farm, s->plan.feed);
    oracle_recovers(s);
    struct oracle_cause c = begin(s, ENTRY_START);
    farm_load_done(s->farm, broker_now(s), disk_records(s), s->gather);
    oracle_after(s, &c);
    pump(s);
}

void broker_crash_in_commit(struct sim *s, bool kept)
{
    if (!s->farm)
        return;
    if (s->flight && kept && !s->disk_full && effects_writes(s->flight)) {
        oracle_commits(s, s->flight);
        disk_commit(s, s->flight);
    }
    effects_drop(s, s->flight);
    effects_drop(s, s->gather);
    s->flight = s->gather = NULL;
    farm_free(s->farm);
    s->farm = NULL;
    s->broker_paused = 0;
    for (size_t i = 0; i < SIM_NODES; i++)
        net_disconnect(s, s->nodes[i], false);
}

void broker_crash(struct sim *s)
{
    broker_crash_in_commit(s, false);
}
