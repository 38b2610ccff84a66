/* The state table of an attempt: for each state and event, the next state and what is done.
 * attempt_event() is the one writer of attempt->state. Called by every file of this folder that
 * learns something about an attempt. It must not know where an event comes from.
 *
 * A served evaluator (objective.serve) outlives its trials: a result takes it straight to DONE. It
 * is stopped by a line, gets SIGTERM after half of the grace and SIGKILL at its end, so that one
 * which listens survives the stop. */
#include "attempt.h"

#include <signal.h>
#include <stdlib.h>

#include "alloc.h"
#include "json.h"
#include "worker_impl.h"

#define SEAL_NS (300 * NS_PER_S) /* for a digest after the program's end */

struct context {
    struct worker *w;
    struct attempt *a;
    const struct attempt_input *in;
    int64_t now;
    struct worker_out *fx;
};

static const char *const names[ATTEMPT_STATES] = {"fetching", "starting", "running", "stopping",
                                                  "sealing",  "reaping",  "done"};

const char *attempt_state_name(enum attempt_state s)
{
    return s < ATTEMPT_STATES ? names[s] : "?";
}

static void disarm(struct attempt *a)
{
    a->timeout_at = a->term_at = a->kill_at = a->give_up_at = a->ask_until = CLOCK_NEVER;
}

static void signal_child(const struct context *c, int number)
{
    struct worker_fx *x = worker_out_add(c->fx, WFX_SIGNAL);
    x->run_id = c->a->desc.run;
    x->signal = number;
}

/* Gives back the slot and what goes with it; others may be waiting for it. */
static void free_place(const struct context *c)
{
    struct attempt *a = c->a;
    slots_return(&c->w->slots, &a->grant);
    if (a->has_slot)
        slots_give(&c->w->slots);
    a->has_slot = false;
    if (a->entry)
        spec_cache_leave(a->entry);
    a->entry = NULL;
    list_remove(&a->waits);
}

/* The end of the work: the result goes into the outbox and leaves at once. */
static void conclude(const struct context *c, const struct child_end *end)
{
    struct attempt *a = c->a;
    attempt_close_point(a, c->fx);
    attempt_conclude(a, end, c->now);
    disarm(a);
    checkpoint_drop(a);
    free_place(c);
    if (attempt_wanted(a))
        worker_out_fact(c->fx, FACT_ENDED, a, "%s",
                        a->outbox.final ? final_status_name(a->outbox.final->status) : "released");
    a->desc.spec = NULL;
    attempt_flush(c->w, a, c->now, c->fx);
    spooling_plan(c->w, a, c->now);
}

static void act_none(const struct context *c)
{
    (void)c;
}

static void act_spawn(const struct context *c)
{
    worker_out_add(c->fx, WFX_SPAWN)->run = &c->a->desc;
}

static void begin_outbox(const struct context *c)
{
    const struct attempt *a = c->a;
    struct outbox_beginning b = {c->in->pid, a->resumed,
                                 a->resumed == RESUME_DONE ? a->desc.resume_step : 0};
    outbox_start(&c->a->outbox, &b);
}

static void act_started(const struct context *c)
{
    struct attempt *a = c->a;
    a->started_at = c->now;
    int64_t timeout = a->desc.spec->objective.timeout_ns;
    if (timeout > 0)
        a->timeout_at = c->now + timeout;
    begin_outbox(c);
    worker_out_fact(c->fx, FACT_STARTED, a, "pid=%llu", (unsigned long long)c->in->pid);
    attempt_flush(c->w, a, c->now, c->fx);
    if (c->w->drain.mode == DRAIN_RUNNING)
        drain_ask(c->w, a, c->now, c->fx);
}

/* START comes late: the stop was faster. The broker hears of both. */
static void act_started_stopping(const struct context *c)
{
    c->a->started_at = c->now;
    begin_outbox(c);
    attempt_flush(c->w, c->a, c->now, c->fx);
}

static void act_conclude(const struct context *c)
{
    conclude(c, NULL);
}

static void act_exited(const struct context *c)
{
    conclude(c, c->in->end);
}

/* The end waits for the digest of what the program left. */
static void act_hold(const struct context *c)
{
    struct attempt *a = c->a;
    const struct child_end *end = c->in ? c->in->end : NULL;
    disarm(a);
    if (end) {
        a->end = *end;
        a->end.output =
            end->output.n ? str_make(str_dupz(end->output), end->output.n) : (struct str){0};
    }
    a->kill_at = c->now + drain_grace(c->w, SEAL_NS, c->now);
}

static void act_held(const struct context *c)
{
    conclude(c, &c->a->end);
}

/* A served evaluator is done with the trial and free for another. */
static void act_served_result(const struct context *c)
{
    worker_out_add(c->fx, WFX_END)->run_id = c->a->desc.run;
    conclude(c, NULL);
}

static void act_served_hold(const struct context *c)
{
    worker_out_add(c->fx, WFX_END)->run_id = c->a->desc.run;
    act_hold(c);
}

/* The result is known; the program may tidy up for as long as a stopped one may. */
static void act_result(const struct context *c)
{
    disarm(c->a);
    c->a->term_at = c->now + c->a->grace_ns;
    c->a->kill_at = c->now + 2 * c->a->grace_ns;
}

static void stop_line(const struct context *c)
{
    struct attempt *a = c->a;
    struct buf b;
    struct jsonw j;
    buf_init(&b, 0);
    jsonw_init(&j, &b);
    jsonw_object(&j);
    const char *why = a->cause == END_TIMEOUT   ? "timeout"
                      : a->cause == END_RELEASE ? "drain"
                                                : stop_why_name(a->stop_why);
    jsonw_kstr(&j, "stop", str_of(why));
    jsonw_ku64(&j, "trial", a->desc.trial);
    jsonw_end(&j);
    struct str text = worker_out_text(c->fx, buf_str(&b));
    buf_fini(&b);
    if (!text.p)
        return;
    struct worker_fx *x = worker_out_add(c->fx, WFX_LINE);
    x->run_id = a->desc.run;
    x->body = text;
    worker_out_fact(c->fx, FACT_STOPPING, a, "why=%s", why);
}

static void begin_stop(const struct context *c)
{
    struct attempt *a = c->a;
    disarm(a);
    stop_line(c);
    if (attempt_served(a))
        a->term_at = c->now + a->grace_ns / 2;
    else
        signal_child(c, SIGTERM);
    a->kill_at = c->now + a->grace_ns;
}

static void take_cause(const struct context *c)
{
    struct attempt *a = c->a;
    a->cause = c->in->cause;
    a->stop_why = c->in->stop_why;
    a->release_why = c->in->release_why;
    if (c->in->grace_ns > 0)
        a->grace_ns = c->in->grace_ns;
}

static void act_stop(const struct context *c)
{
    take_cause(c);
    begin_stop(c);
}

/* A pause has time for a checkpoint. */
static void act_ask_for_pause(const struct context *c)
{
    if (!c->a->asked)
        take_cause(c);
    (void)checkpoint_ask(c->w, c->a, c->now, c->fx);
}

/* The reason may change while it is stopping (cancel after prune); the clock goes on. */
static void act_stop_again(const struct context *c)
{
    if (c->in->cause == END_STOP) {
        c->a->cause = END_STOP;
        c->a->stop_why = c->in->stop_why;
    }
}

static void act_stop_unstarted(const struct context *c)
{
    take_cause(c);
    conclude(c, NULL);
}

static void act_timeout(const struct context *c)
{
    c->a->cause = END_TIMEOUT;
    begin_stop(c);
}

static void act_term(const struct context *c)
{
    signal_child(c, SIGTERM);
}

static void act_sigkill(const struct context *c)
{
    signal_child(c, SIGKILL);
}

/* Before a kill: a result that is known already is kept for people. */
static void keep_orphan(const struct context *c)
{
    if (c->in && c->in->lost_to)
        attempt_orphan(c->w, c->a, c->in->lost_to, c->now, c->fx);
}

static void act_kill(const struct context *c)
{
    disarm(c->a);
    keep_orphan(c);
    c->a->cause = END_KILL;
    c->a->flush_at = CLOCK_NEVER;
    outbox_clear(&c->a->outbox);
    worker_out_fact(c->fx, FACT_KILLED, c->a, "pending=%s",
                    c->a->has_result ? "result" : "nothing");
    signal_child(c, SIGKILL);
}

static void act_kill_unstarted(const struct context *c)
{
    keep_orphan(c);
    c->a->cause = END_KILL;
    conclude(c, NULL);
}

struct cell {
    enum attempt_state next;
    void (*act)(const struct context *c);
};
#define STAY(s)                                                                                    \
    {                                                                                              \
        ATTEMPT_##s, act_none                                                                      \
    }
#define TO(s, f)                                                                                   \
    {                                                                                              \
        ATTEMPT_##s, f                                                                             \
    }
/* Columns:             READY                    FAILED                      STARTED
 *                      RESULT                   EXITED                      STOP
 *                      KILL                     TIMEOUT                     TERM GRACE SEALED */
static const struct cell table[ATTEMPT_STATES][ATTEMPT_EVENTS] = {
    [ATTEMPT_FETCHING] = {TO(STARTING, act_spawn), TO(DONE, act_conclude), STAY(FETCHING),
                          STAY(FETCHING), STAY(FETCHING), TO(DONE, act_stop_unstarted),
                          TO(DONE, act_kill_unstarted), STAY(FETCHING), STAY(FETCHING),
                          STAY(FETCHING), STAY(FETCHING)},
    [ATTEMPT_STARTING] = {STAY(STARTING), TO(DONE, act_conclude), TO(RUNNING, act_started),
                          TO(REAPING, act_result), TO(DONE, act_exited), TO(STOPPING, act_stop),
                          TO(REAPING, act_kill), STAY(STARTING), STAY(STARTING), STAY(STARTING),
                          STAY(STARTING)},
    [ATTEMPT_RUNNING] = {STAY(RUNNING), STAY(RUNNING), STAY(RUNNING), TO(REAPING, act_result),
                         TO(DONE, act_exited), TO(STOPPING, act_stop), TO(REAPING, act_kill),
                         TO(STOPPING, act_timeout), STAY(RUNNING), STAY(RUNNING), STAY(RUNNING)},
    [ATTEMPT_STOPPING] = {STAY(STOPPING), TO(DONE, act_conclude),
                          TO(STOPPING, act_started_stopping), TO(REAPING, act_result),
                          TO(DONE, act_exited), TO(STOPPING, act_stop_again), TO(REAPING, act_kill),
                          STAY(STOPPING), TO(STOPPING, act_term), TO(STOPPING, act_sigkill),
                          STAY(STOPPING)},
    [ATTEMPT_SEALING] = {STAY(SEALING), STAY(SEALING), STAY(SEALING), STAY(SEALING), STAY(SEALING),
                         TO(SEALING, act_stop_again), TO(DONE, act_kill_unstarted), STAY(SEALING),
                         STAY(SEALING), TO(DONE, act_held), TO(DONE, act_held)},
    [ATTEMPT_REAPING] = {STAY(REAPING), TO(DONE, act_conclude), STAY(REAPING), STAY(REAPING),
                         TO(DONE, act_exited), STAY(REAPING), TO(REAPING, act_kill), STAY(REAPING),
                         TO(REAPING, act_term), TO(REAPING, act_sigkill), STAY(REAPING)},
    [ATTEMPT_DONE] = {STAY(DONE), STAY(DONE), STAY(DONE), STAY(DONE), STAY(DONE), STAY(DONE),
                      TO(DONE, act_kill_unstarted), STAY(DONE), STAY(DONE), STAY(DONE), STAY(DONE)},
};
#undef STAY
#undef TO

static bool is_pause(const struct attempt *a, const struct attempt_input *in)
{
    return a->state == ATTEMPT_RUNNING && in->cause == END_STOP && in->stop_why == STOP_PAUSE &&
           !a->answered && a->desc.spec->objective.checkpoint_ask != CHECKPOINT_UNASKED;
}

void attempt_event(struct worker *w, struct attempt *a, enum attempt_event e,
                   const struct attempt_input *in, int64_t now, struct worker_out *fx)
{
    REQUIRE(e < ATTEMPT_EVENTS && a->state < ATTEMPT_STATES);
    struct context c = {w, a, in, now, fx};
    struct cell cell = table[a->state][e];
    if (e == EVENT_RESULT && attempt_served(a) && cell.next == ATTEMPT_REAPING &&
        a->state != ATTEMPT_REAPING)
        cell = checkpoint_holds(a, NULL, fx) ? (struct cell){ATTEMPT_SEALING, act_served_hold}
                                             : (struct cell){ATTEMPT_DONE, act_served_result};
    if (e == EVENT_STOP && cell.act == act_stop && is_pause(a, in))
        cell = (struct cell){ATTEMPT_RUNNING, act_ask_for_pause};
    if (e == EVENT_EXITED && cell.act == act_exited && checkpoint_holds(a, in->end, fx))
        cell = (struct cell){ATTEMPT_SEALING, act_hold};
    a->state = cell.next;
    cell.act(&c);
    spooling_review(w, a, fx);
    if (a->state == ATTEMPT_DONE && outbox_empty(&a->outbox))
        attempt_free(w, a);
    else
        attempt_rearm(w, a);
}
