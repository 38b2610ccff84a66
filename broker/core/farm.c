/* The aggregate and its entry points: which message goes to whom, and what is done at every turn.
 *
 * The owner (broker.c) and the simulator call what farm.h declares. Who may send what stands in one
 * table here; nothing that is not in it has an effect. */
#include "farm.h"

#include <stdlib.h>

#include "attach.h"
#include "dispatch.h"
#include "farm_session.h"
#include "inspect.h"
#include "leave.h"
#include "on_client.h"
#include "on_optimizer.h"
#include "on_worker.h"
#include "put.h"
#include "relay.h"
#include "rows.h"
#include "stream.h"
#include "upkeep.h"
#include "study.h"
#include "tally.h"
#include "trial.h"
#include "want.h"
#include "remote.h"

#define RECENT_ENTRIES 32768u
#define RECENT_BYTES   (8u << 20)

void farm_config_defaults(struct farm_config *c)
{
    *c = (struct farm_config){.epoch = 1,
                              .lease_ns = 30 * NS_PER_S,
                              .beat_ns = 5 * NS_PER_S,
                              .orphan_ns = 600 * NS_PER_S,
                              .flush_ns = 100 * NS_PER_MS,
                              .restart_grace_ns = 15 * NS_PER_S,
                              .row_ns = NS_PER_S,
                              .max_sessions = 20000,
                              .max_workers = 10000,
                              .lost_limit = 8,
                              .put_limit = (size_t)256 << 20,
                              .feed = "",
                              .version = ""};
}

struct farm *farm_new(const struct farm_config *c)
{
    struct farm *f = alloc_zero(sizeof *f);
    f->c = *c;
    f->feed = str_dupz(str_of(c->feed));
    f->version = str_dupz(str_of(c->version));
    f->put_budget.limit = c->put_limit;
    struct list *lists[] = {&f->active,        &f->touched, &f->tails,        &f->pump,
                            &f->optimizers,    &f->free,    &f->dirty_trials, &f->dirty_studies,
                            &f->dirty_workers, &f->puts};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_init(lists[i]);
    struct idmap *maps[] = {&f->names,   &f->sessions, &f->peers,         &f->workers,
                            &f->pending, &f->requests, &f->worker_numbers};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        idmap_init(maps[i]);
    heap_init(&f->leases);
    heap_init(&f->orphans);
    heap_init(&f->delayed);
    recent_init(&f->recent, RECENT_ENTRIES, RECENT_BYTES);
    return f;
}

void farm_free(struct farm *f)
{
    if (!f)
        return;
    session_free_all(f);
    size_t pos = 0;
    for (struct worker *w; (w = idmap_next(&f->workers, &pos));)
        remote_free(w);
    pos = 0;
    for (struct pending *p; (p = idmap_next(&f->pending, &pos));)
        free(p);
    LIST_FOREACH_SAFE (it, tmp, &f->puts) {
        put_end_all(f, CONTAINER_OF(it, struct put, in_farm)->session);
    }
    for (size_t i = 0; i < f->n_studies; i++)
        study_free(f->studies[i]);
    kept_free_all(f);
    upkeep_free(f);
    struct idmap *maps[] = {&f->names,   &f->sessions, &f->peers,
                            &f->workers, &f->pending,  &f->worker_numbers};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        idmap_fini(maps[i]);
    heap_fini(&f->leases);
    heap_fini(&f->orphans);
    heap_fini(&f->delayed);
    recent_fini(&f->recent);
    free(f->worker_ids);
    free(f->line);
    free(f->studies);
    free(f->feed);
    free(f->version);
    free(f);
}

void farm_set_wall(struct farm *f, int64_t offset_ms)
{
    int64_t jump = offset_ms - f->wall_offset;
    if (f->loaded_at && (jump > CLOCK_JUMP_MS || jump < -CLOCK_JUMP_MS)) {
        f->clock_jumps++;
        f->clock_jump_ms = jump;
    }
    f->wall_offset = offset_ms;
}

void farm_set_feed(struct farm *f, bool wanted)
{
    f->feed_wanted = wanted;
}

/* ---- messages ---- */

#define W (1u << ROLE_WORKER)
#define O (1u << ROLE_OPTIMIZER)
#define C (1u << ROLE_CLIENT)

static const struct route {
    unsigned roles;
    void (*fn)(const struct act *a, struct session *s, const union message *m);
} routes[] = {
    [MSG_BEAT] = {W | O | C, session_on_beat},
    [MSG_BYE] = {W | O | C, session_on_bye},
    [MSG_CREDIT] = {W, on_worker_credit},
    [MSG_START] = {W, on_worker_start},
    [MSG_REPORT] = {W, on_worker_report},
    [MSG_CHECKPOINT] = {W, on_worker_checkpoint},
    [MSG_FINAL] = {W, on_worker_final},
    [MSG_RELEASE] = {W, on_worker_release},
    [MSG_DRAIN] = {W, on_worker_drain},
    [MSG_GET_BLOB] = {W | O | C, put_on_get},
    [MSG_GET_LOG] = {C, relay_on_get_log},
    [MSG_LOG_TEXT] = {W, relay_on_log_text},
    [MSG_PULL] = {O, on_optimizer_pull},
    [MSG_PROPOSE] = {O, on_optimizer_propose},
    [MSG_CLOSE_STUDY] = {O, on_optimizer_close_study},
    [MSG_PRUNE] = {O, on_optimizer_prune},
    [MSG_PUT_BLOB] = {C, put_on_put},
    [MSG_ENQUEUE] = {C, on_client_enqueue},
    [MSG_CANCEL] = {C, on_client_cancel},
    [MSG_PAUSE] = {C, on_client_pause},
    [MSG_RESUME] = {C, on_client_resume},
    [MSG_DRAIN_WORKER] = {C, leave_on_drain_worker},
    [MSG_SQL] = {C, on_client_sql},
    [MSG_TAIL] = {C, on_client_tail},
    [MSG_INSPECT] = {C, inspect_on_ask},
    [MSG_BACKUP] = {C, upkeep_on_backup},
    [MSG_COMPACT] = {C, upkeep_on_compact},
};

static unsigned roles_of(unsigned kind)
{
    if (kind == MSG_SUBMIT)
        return C;
    return kind < sizeof routes / sizeof *routes ? routes[kind].roles : 0;
}

/* The session of a frame, if it is current and its own. */
static struct session *current_session(const struct act *a, const struct farm_input *in)
{
    struct session *s = session_get(a->f, in->session);
    if (s && s->peer == in->peer)
        return s;
    tally(a->f, idmap_get(&a->f->peers, in->peer), COUNT_STALE_SESSION, 1);
    session_error(a->fx, in->peer, in->session, in->kind, ERR_STALE,
                  "the session is not current; say HELLO again");
    return NULL;
}

void farm_on_message(struct farm *f, int64_t now, const struct farm_input *in, struct effects *fx)
{
    struct act a = {f, now, fx};
    if (in->kind == MSG_HELLO) {
        session_on_hello(&a, in);
        return;
    }
    struct session *s = current_session(&a, in);
    if (!s)
        return;
    s->seen = s->heard = now;
    if (!(roles_of(in->kind) >> s->role & 1)) {
        tally(f, s, COUNT_REFUSED_ROLE, 1);
        session_error(fx, in->peer, in->session, in->kind, ERR_REFUSED,
                      "a peer of this role may not send this message");
        return;
    }
    if (in->kind == MSG_SUBMIT)
        on_client_submit(&a, s, in);
    else
        routes[in->kind].fn(&a, s, in->msg);
}

void farm_on_bad_frame(struct farm *f, uint64_t peer, uint64_t session, unsigned kind, err_t e,
                       const char *text, struct effects *fx)
{
    (void)f;
    session_error(fx, peer, session, kind, e, text);
}

void farm_on_gap(struct farm *f, uint64_t peer, uint64_t session, struct effects *fx)
{
    const struct session *s = session_get(f, session);
    if (s && s->peer == peer)
        session_error(fx, peer, session, 0, ERR_STALE,
                      "messages of this session were lost; say HELLO again");
}

void farm_on_peer_gone(struct farm *f, int64_t now, uint64_t peer, struct effects *fx)
{
    struct act a = {f, now, fx};
    session_on_peer_gone(&a, peer);
}

void farm_on_peer_busy(struct farm *f, uint64_t peer, bool busy)
{
    struct session *s = idmap_get(&f->peers, peer);
    if (!s)
        return;
    s->busy = busy;
    if (!busy)
        stream_wake_all(f, s);
}

void farm_on_answer(struct farm *f, int64_t now, const struct answer *answer, struct effects *fx)
{
    struct act a = {f, now, fx};
    struct pending *p = idmap_get(&f->pending, answer->token);
    if (!p)
        return;
    switch (p->kind) {
    case PENDING_STREAM:
        stream_on_answer(&a, p, answer);
        break;
    case PENDING_BLOB:
        put_on_blob(&a, p, answer);
        break;
    case PENDING_HAVE:
        put_on_have(&a, p, answer);
        break;
    case PENDING_SQL:
    case PENDING_MACHINE:
    case PENDING_CHECK:
        on_client_rows_answer(&a, p, answer);
        if (!answer->complete)
            return;
        break;
    case PENDING_UPKEEP:
        upkeep_on_answer(&a, p, answer);
        if (!answer->complete)
            return;
        break;
    default:
        break;
    }
    free(idmap_remove(&f->pending, answer->token));
}

void farm_on_deaf(struct farm *f, int64_t ns)
{
    size_t pos = 0;
    for (struct session *s; (s = idmap_next(&f->sessions, &pos));)
        s->seen += ns;
}

void farm_on_full(struct farm *f, int64_t now, bool full, struct effects *fx)
{
    (void)now;
    (void)fx;
    f->full = full;
}

/* ---- the turn ---- */

static void release_delayed(const struct act *a)
{
    struct farm *f = a->f;
    for (struct heap_node *x; (x = heap_top(&f->delayed)) && x->key <= a->now;) {
        struct trial *t = CONTAINER_OF(x, struct trial_open, delayed)->trial;
        struct record r = {.kind = REC_QUEUED, .trial = t->number};
        verb_record(a, t->study, &r, NULL);
    }
}

/* A closed study whose last trial became final has ended. */
static void end_studies(const struct act *a)
{
    LIST_FOREACH (it, &a->f->touched) {
        struct study *s = CONTAINER_OF(it, struct study, touched);
        if (s->state != STUDY_CLOSED || study_unfinished(s))
            continue;
        struct record r = {.kind = REC_STUDY_ENDED};
        verb_record(a, s, &r, NULL);
        if (s->optimizer)
            a->f->ended = true;
    }
}

static void settle_ended(const struct act *a)
{
    if (!a->f->ended)
        return;
    a->f->ended = false;
    for (size_t i = 0; i < a->f->n_studies; i++)
        attach_settle(a, a->f->studies[i]);
}

static void beacon(const struct act *a)
{
    struct farm *f = a->f;
    if (a->now < f->beacon_at || !f->feed_wanted)
        return;
    struct farm_counts c = farm_counts(f);
    struct counters sums = farm_counters(f);
    struct count counts[COUNTERS];
    struct msg_beacon m = {.seq = f->seq,
                           .epoch = f->c.epoch,
                           .workers = (uint32_t)c.workers,
                           .running = (uint32_t)c.running};
    m.counts.v = counts;
    for (unsigned i = 0; i < COUNTERS; i++) {
        if (sums.v[i])
            counts[m.counts.n++] = (struct count){str_of(counter_name(i)), sums.v[i]};
    }
    effects_feed(a->fx, 0, MSG_BEACON, &m);
    f->beacon_at = a->now + NS_PER_S;
}

static int64_t next_wake(const struct farm *f, int64_t now)
{
    int64_t times[] = {session_next_expiry(f),
                       relay_next(f),
                       leave_next(f),
                       rows_next(f),
                       want_next(f, now),
                       heap_top(&f->delayed) ? heap_top(&f->delayed)->key : CLOCK_NEVER,
                       f->feed_wanted ? f->beacon_at : CLOCK_NEVER};
    int64_t at = f->again ? now : CLOCK_NEVER;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        at = times[i] < at ? times[i] : at;
    return at;
}

int64_t farm_tick(struct farm *f, int64_t now, struct effects *fx)
{
    struct act a = {f, now, fx};
    f->again = false;
    session_expire(&a);
    release_delayed(&a);
    relay_expire(&a);
    leave_expire(&a);
    if (f->attach_wanted && !f->full)
        attach_all(&a);
    if (!f->full)
        dispatch_run(&a);
    end_studies(&a);
    stream_move_all(&a);
    settle_ended(&a);
    if (!f->full)
        want_send_all(&a);
    farm_flush_rows(f, now, false, fx);
    beacon(&a);
    return next_wake(f, now);
}

/* ---- looking in ---- */

uint8_t farm_session_role(const struct farm *f, uint64_t session)
{
    const struct session *s = session_get(f, session);
    return s ? s->role : 0;
}

bool farm_peer_known(const struct farm *f, uint64_t peer)
{
    return idmap_get(&f->peers, peer) != NULL;
}

uint64_t farm_seq(const struct farm *f)
{
    return f->seq;
}

struct farm_counts farm_counts(const struct farm *f)
{
    struct farm_counts c = f->counts;
    c.studies = f->n_studies;
    c.workers = f->workers.n;
    LIST_FOREACH (it, &f->optimizers) {
        c.optimizers++;
    }
    c.clients = f->sessions.n - f->workers.n - c.optimizers;
    for (size_t i = 0; i < f->n_studies; i++) {
        const struct study *s = f->studies[i];
        c.trials += s->n_trials;
        c.open_trials += study_unfinished(s);
        c.queued += s->count[TRIAL_QUEUED];
        c.running += study_running(s);
    }
    return c;
}

bool farm_trial(const struct farm *f, uint64_t study, uint64_t trial, struct trial_image *out)
{
    const struct study *s = study_get(f, study);
    const struct trial *t = s ? trial_get(s, trial) : NULL;
    if (t)
        trial_fill(t, out);
    return t != NULL;
}

bool farm_study(const struct farm *f, uint64_t study, struct study_image *out)
{
    const struct study *s = study_get(f, study);
    if (s)
        study_fill(s, 0, out);
    return s != NULL;
}
