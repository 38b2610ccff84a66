/* The entry points of the worker's core: each finds the attempt it is about and hands on to the
 * file that knows. Called by agent.c and by the simulator. It must not know sockets, processes,
 * disk or clock (worker_core.h). */
#include "worker_core.h"

#include <stdlib.h>

#include "alloc.h"
#include "worker_impl.h"

uint64_t worker_key(uint64_t study, uint64_t trial)
{
    uint64_t x = (study * UINT64_C(0x9e3779b97f4a7c15)) ^ trial;
    return x ? x : 1;
}

struct attempt *worker_find(const struct worker *w, uint64_t study, uint64_t trial, uint32_t number)
{
    struct attempt *a = idmap_get(&w->by_key, worker_key(study, trial));
    while (a && (a->desc.study != study || a->desc.trial != trial || a->number != number))
        a = a->same;
    return a;
}

struct attempt *worker_run_of(const struct worker *w, uint64_t run)
{
    return run ? idmap_get(&w->by_run, run) : NULL;
}

struct worker *worker_new(const struct worker_config *c, int64_t now)
{
    REQUIRE(c->slots >= 1 && c->slots <= WORKER_MAX_SLOTS && c->n_labels <= 64);
    struct worker *w = alloc_zero(sizeof *w);
    w->c = *c;
    rng_seed(&w->rng, c->seed);
    w->window.counts = &w->told.now;
    slots_init(&w->slots, c->slots, c->cpus, c->memory, c->gpus, c->n_gpus);
    list_init(&w->attempts);
    list_init(&w->short_of);
    idmap_init(&w->by_run);
    idmap_init(&w->by_key);
    heap_init(&w->wakes);
    spec_cache_init(&w->specs);
    link_init(&w->link, now);
    drain_init(&w->drain, now);
    return w;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    LIST_FOREACH_SAFE (it, tmp, &w->attempts)
        attempt_free(w, CONTAINER_OF(it, struct attempt, link));
    spec_cache_fini(&w->specs);
    heap_fini(&w->wakes);
    idmap_fini(&w->by_run);
    idmap_fini(&w->by_key);
    free(w);
}

/* ---- the connection ---- */

void worker_on_connected(struct worker *w, int64_t now, struct worker_out *fx)
{
    w->link.hellos = 0;
    link_hello(w, now, fx);
}

void worker_on_disconnected(struct worker *w, int64_t now, struct worker_out *fx)
{
    worker_count(w, COUNT_RECONNECT, w->link.state != LINK_DOWN);
    link_down(w, now, fx);
}

void worker_on_gap(struct worker *w, int64_t now, struct worker_out *fx)
{
    if (w->link.state != LINK_UP)
        return;
    worker_count(w, COUNT_LOST_BROKER_FRAMES, 1);
    link_hello(w, now, fx);
}

void worker_count(struct worker *w, enum counter c, uint64_t n)
{
    counter_add(&w->told.now.v[c], n);
}

struct counters worker_counters(const struct worker *w)
{
    return w->told.now;
}

void worker_set_wall(struct worker *w, int64_t offset_ms)
{
    w->wall_offset = offset_ms;
    w->has_wall = true;
}

static void settle(struct worker *w, struct attempt *a, unsigned kind, int64_t step, int64_t now,
                   struct worker_out *fx)
{
    outbox_settle(&a->outbox, kind, step, now);
    spooling_review(w, a, fx);
    if (a->state == ATTEMPT_DONE && outbox_empty(&a->outbox)) {
        attempt_free(w, a);
        return;
    }
    attempt_rearm(w, a);
}

/* The trial is over; a failed one may be tried again. */
static void tidy(const struct attempt *a, struct worker_out *fx)
{
    struct worker_fx *x = worker_out_add(fx, WFX_TIDY);
    x->study_name = worker_out_text(fx, a->desc.study_name);
    x->trial = a->desc.trial;
    x->farm = a->desc.farm;
}

static void on_ack(struct worker *w, int64_t now, const struct msg_ack *m, struct worker_out *fx)
{
    struct attempt *a = worker_find(w, m->study, m->trial, m->attempt);
    if (!a)
        return;
    if (m->of == MSG_FINAL || m->of == MSG_RELEASE) {
        worker_out_fact(fx, FACT_ACKED, a, "of=%s", message_name(m->of));
        if (m->of == MSG_FINAL && a->tidy && a->outbox.final &&
            a->outbox.final->status != FINAL_ERROR)
            tidy(a, fx);
        if (a->state == ATTEMPT_DONE)
            outbox_clear(&a->outbox); /* nothing before it can matter any more */
    }
    settle(w, a, m->of, m->step, now, fx);
}

static void on_nak(struct worker *w, int64_t now, const struct msg_nak *m, struct worker_out *fx)
{
    struct attempt *a = worker_find(w, m->study, m->trial, m->attempt);
    if (!a)
        return;
    worker_out_fact(fx, FACT_DROPPED, a, "of=%s nak=%s", message_name(m->of),
                    nak_code_name(m->code));
    worker_count(w, COUNT_BROKER_NAK, 1);
    worker_count(w, COUNT_RESULT_DROPPED, a->state == ATTEMPT_DONE);
    if (m->code == NAK_SUPERSEDED || m->code == NAK_FINISHED || m->code == NAK_UNKNOWN) {
        struct attempt_input in = {.lost_to = nak_code_name(m->code)};
        if (attempt_wanted(a))
            attempt_event(w, a, EVENT_KILL, &in, now, fx);
        return;
    }
    if (m->of == MSG_FINAL)
        attempt_orphan(w, a, nak_code_name(m->code), now, fx);
    settle(w, a, m->of, INT64_MAX, now, fx);
}

static void on_stop(struct worker *w, int64_t now, const struct msg_stop *m, struct worker_out *fx)
{
    struct attempt *a = worker_find(w, m->study, m->trial, m->attempt);
    struct attempt_input in = {
        .cause = END_STOP, .stop_why = m->why, .grace_ns = (int64_t)m->grace_ms * NS_PER_MS};
    if (a && attempt_wanted(a))
        attempt_event(w, a, EVENT_STOP, &in, now, fx);
}

static void on_kill(struct worker *w, int64_t now, const struct msg_kill *m, struct worker_out *fx)
{
    struct attempt *a = worker_find(w, m->study, m->trial, m->attempt);
    struct attempt_input in = {.lost_to = stop_why_name(m->why)};
    if (a && attempt_wanted(a))
        attempt_event(w, a, EVENT_KILL, &in, now, fx);
}

static void in_session(struct worker *w, int64_t now, unsigned kind, const union message *m,
                       struct worker_out *fx)
{
    w->link.heard = now;
    switch (kind) {
    case MSG_ASSIGN:
        grant_on_assign(w, now, &m->assign, fx);
        break;
    case MSG_ACK:
        on_ack(w, now, &m->ack, fx);
        break;
    case MSG_NAK:
        on_nak(w, now, &m->nak, fx);
        break;
    case MSG_STOP:
        on_stop(w, now, &m->stop, fx);
        break;
    case MSG_KILL:
        on_kill(w, now, &m->kill, fx);
        break;
    case MSG_BEAT_ACK:
        link_on_beat_ack(w, now, &m->beat_ack, fx);
        break;
    case MSG_LEAVE:
        drain_on_order(w, now, m->leave.at_once, m->leave.deadline_ms, fx);
        break;
    default: /* DRAIN_OK, and what the shell answers */
        break;
    }
}

void worker_on_message(struct worker *w, int64_t now, uint64_t session, unsigned kind,
                       const union message *m, struct worker_out *fx)
{
    if (kind == MSG_WELCOME)
        link_on_welcome(w, now, &m->welcome, fx);
    else if (kind == MSG_ERROR)
        link_on_error(w, now, session, &m->error, fx);
    else if (w->link.state == LINK_UP && session == w->link.session)
        in_session(w, now, kind, m, fx);
    else
        worker_count(w, COUNT_OTHER_SESSION, 1);
}

/* ---- the evaluator ---- */

void worker_on_child_started(struct worker *w, int64_t now, uint64_t run, uint64_t pid,
                             struct worker_out *fx)
{
    struct attempt *a = worker_run_of(w, run);
    struct attempt_input in = {.pid = pid};
    if (a)
        attempt_event(w, a, EVENT_STARTED, &in, now, fx);
}

void worker_on_spawn_failed(struct worker *w, int64_t now, uint64_t run, struct str text,
                            bool forever, struct worker_out *fx)
{
    struct attempt *a = worker_run_of(w, run);
    if (!a)
        return;
    worker_count(w, COUNT_SPAWN_FAILED, 1);
    char z[1024];
    (void)str_copyz(z, sizeof z, str_make(text.p, str_utf8_cut(text, sizeof z - 1)));
    attempt_fail(a, z, forever);
    attempt_event(w, a, EVENT_FAILED, NULL, now, fx);
}

static bool listens(const struct attempt *a)
{
    return a && attempt_wanted(a) && a->desc.spec && attempt_has_child(a);
}

void worker_on_child_line(struct worker *w, int64_t now, uint64_t run, struct str line,
                          struct worker_out *fx)
{
    struct attempt *a = worker_run_of(w, run);
    if (!listens(a))
        return;
    struct report_line r;
    struct errmsg em;
    if (report_line_parse(&r, line, a->desc.spec->objective.metric, &em)) {
        attempt_complain(a, em.text, fx);
        return;
    }
    attempt_line(w, a, &r, now, fx);
    report_line_fini(&r);
}

void worker_on_child_scrape(struct worker *w, int64_t now, uint64_t run, bool has_step,
                            int64_t step, double value, struct worker_out *fx)
{
    struct attempt *a = worker_run_of(w, run);
    if (!listens(a))
        return;
    if (!has_step)
        step = a->has_step ? a->last_step + 1 : 1;
    if (step < 0 || step > REPORT_MAX_STEP)
        return;
    struct report_line r = {
        .kind = REPORT_POINT, .has_step = true, .step = step, .has_value = true, .value = value};
    attempt_line(w, a, &r, now, fx);
}

void worker_on_child_complaint(struct worker *w, int64_t now, uint64_t run, struct str text,
                               struct worker_out *fx)
{
    (void)now;
    struct attempt *a = worker_run_of(w, run);
    char z[256];
    if (!listens(a))
        return;
    (void)str_copyz(z, sizeof z, str_make(text.p, str_utf8_cut(text, sizeof z - 1)));
    attempt_complain(a, z, fx);
}

void worker_on_child_exit(struct worker *w, int64_t now, uint64_t run, const struct child_end *end,
                          struct worker_out *fx)
{
    struct attempt *a = worker_run_of(w, run);
    struct attempt_input in = {.end = end};
    if (a)
        attempt_event(w, a, EVENT_EXITED, &in, now, fx);
}

/* ---- time ---- */

int64_t worker_tick(struct worker *w, int64_t now, struct worker_out *fx)
{
    struct heap_node *top;
    while ((top = heap_top(&w->wakes)) && top->key <= now)
        attempt_due(w, CONTAINER_OF(top, struct attempt, wake), now, fx);
    if (!list_empty(&w->short_of))
        grant_retry_short(w, now, fx);
    int64_t link = worker_link_tick(w, now, fx);
    int64_t drain = drain_tick(w, now, fx);
    int64_t next = link < drain ? link : drain;
    top = heap_top(&w->wakes);
    return top && top->key < next ? top->key : next;
}

uint64_t worker_session(const struct worker *w)
{
    return w->link.state == LINK_UP ? w->link.session : 0;
}

void worker_farm(const struct worker *w, uint64_t *farm, uint64_t *timeline)
{
    *farm = w->link.farm;
    *timeline = w->link.timeline;
}

bool worker_draining(const struct worker *w)
{
    return w->drain.mode != DRAIN_NONE;
}

uint32_t worker_slots_free(const struct worker *w)
{
    return slots_free(&w->slots);
}

size_t worker_attempts(const struct worker *w)
{
    return w->n_attempts;
}

void worker_check(const struct worker *w)
{
    uint32_t slots = 0, points = 0;
    size_t attempts = 0, users = 0, spooled = 0, ghosts = 0;
    uint64_t gpus = 0, memory = 0;
    LIST_FOREACH (it, &w->attempts) {
        const struct attempt *a = CONTAINER_OF(it, struct attempt, link);
        attempts++;
        slots += a->has_slot;
        points += a->outbox.sent;
        users += a->entry != NULL;
        spooled += a->spooled;
        ghosts += a->ghost;
        REQUIRE(!a->spooled || outbox_owes_end(&a->outbox));
        REQUIRE(!a->ghost || a->state == ATTEMPT_DONE);
        REQUIRE((gpus & a->grant.gpus) == 0);
        gpus |= a->grant.gpus;
        memory += a->grant.memory;
        REQUIRE(a->state != ATTEMPT_DONE ||
                (!a->has_slot && !a->grant.held && !outbox_empty(&a->outbox)));
        REQUIRE(!attempt_has_child(a) || a->grant.held);
        REQUIRE(worker_find(w, a->desc.study, a->desc.trial, a->number) == a);
        REQUIRE(worker_run_of(w, a->desc.run) == a);
        REQUIRE(a->outbox.sent <= a->outbox.n && a->outbox.n <= OUTBOX_RING);
    }
    LIST_FOREACH (it, &w->specs.entries)
        users -= CONTAINER_OF(it, struct spec_entry, link)->users;
    REQUIRE(spooled == w->spool.attempts && ghosts == w->n_ghosts);
    REQUIRE(attempts == w->n_attempts && slots == w->slots.used && users == 0);
    REQUIRE(points == w->window.points && gpus == w->slots.gpus_used &&
            memory == w->slots.memory_used);
}
