/* Leaving in order: take nothing new, let running trials end, stop those that are left at the
 * deadline, wait for the acknowledgements, say BYE. Called by worker_core.c. It must not know
 * signals: the shell says when to drain and when to release. Beats go on all the while, so nothing
 * expires meanwhile. */
#include "worker_impl.h"

#define QUIT_DRAIN_NS   (10 * NS_PER_S) /* for acknowledgements, once no child is left */
#define QUIT_RELEASE_NS (2 * NS_PER_S)

void drain_init(struct drain *d, int64_t now)
{
    *d = (struct drain){
        .mode = DRAIN_NONE, .deadline = CLOCK_NEVER, .quit = CLOCK_NEVER, .idle_since = now};
}

void drain_say(struct worker *w, int64_t now, struct worker_out *fx)
{
    if (w->drain.mode == DRAIN_NONE || w->link.state != LINK_UP)
        return;
    int64_t left = w->drain.deadline > now ? w->drain.deadline - now : 0;
    struct msg_drain m = {(uint64_t)(left / NS_PER_MS)};
    worker_out_send(fx, w->link.session, MSG_DRAIN, &m);
}

/* Gives back what has not started, and with `all` what runs too. */
static void stop_attempts(struct worker *w, bool all, int64_t now, struct worker_out *fx)
{
    struct attempt_input in = {.cause = END_RELEASE, .release_why = RELEASE_DRAIN};
    LIST_FOREACH_SAFE (it, tmp, &w->attempts) {
        struct attempt *a = CONTAINER_OF(it, struct attempt, link);
        if (all || a->state == ATTEMPT_FETCHING)
            attempt_event(w, a, EVENT_STOP, &in, now, fx);
    }
}

static void kill_children(struct worker *w, int64_t now, struct worker_out *fx)
{
    LIST_FOREACH_SAFE (it, tmp, &w->attempts)
        attempt_event(w, CONTAINER_OF(it, struct attempt, link), EVENT_GRACE, NULL, now, fx);
}

void worker_drain(struct worker *w, int64_t now, struct worker_out *fx)
{
    if (w->drain.mode != DRAIN_NONE)
        return;
    w->drain.mode = DRAIN_RUNNING;
    w->drain.deadline = now + w->c.drain_ns;
    worker_out_fact(fx, FACT_DRAINING, NULL, "held=%zu", w->n_attempts);
    drain_say(w, now, fx);
    spooling_hurry(w, now);
    stop_attempts(w, false, now, fx);
}

void worker_release_all(struct worker *w, int64_t now, struct worker_out *fx)
{
    if (w->drain.mode == DRAIN_RELEASE)
        return;
    if (w->drain.mode == DRAIN_NONE)
        worker_out_fact(fx, FACT_DRAINING, NULL, "held=%zu at_once=true", w->n_attempts);
    w->drain.mode = DRAIN_RELEASE;
    w->drain.deadline = now;
    drain_say(w, now, fx);
    spooling_hurry(w, now);
    stop_attempts(w, true, now, fx);
    kill_children(w, now, fx);
}

static bool children_left(const struct worker *w)
{
    LIST_FOREACH (it, &w->attempts) {
        if (CONTAINER_OF(it, struct attempt, link)->state != ATTEMPT_DONE)
            return true;
    }
    return false;
}

static void leave(struct worker *w, struct worker_out *fx)
{
    if (w->link.state == LINK_UP) {
        struct msg_bye m = {STR("drained")};
        worker_out_send(fx, w->link.session, MSG_BYE, &m);
    }
    worker_out_add(fx, WFX_EXIT);
    w->drain.exited = true;
}

/* Begins the drain of a worker that had nothing to do for too long; else when that would be. */
static int64_t idle_tick(struct worker *w, int64_t now, struct worker_out *fx)
{
    struct drain *d = &w->drain;
    if (w->n_attempts > 0)
        d->idle_since = CLOCK_NEVER;
    else if (d->idle_since == CLOCK_NEVER)
        d->idle_since = now;
    if (w->c.idle_exit_ns == 0 || d->idle_since == CLOCK_NEVER)
        return CLOCK_NEVER;
    if (now < d->idle_since + w->c.idle_exit_ns)
        return d->idle_since + w->c.idle_exit_ns;
    worker_drain(w, now, fx);
    return CLOCK_NEVER;
}

int64_t drain_tick(struct worker *w, int64_t now, struct worker_out *fx)
{
    struct drain *d = &w->drain;
    int64_t idle = d->mode == DRAIN_NONE ? idle_tick(w, now, fx) : CLOCK_NEVER;
    if (d->mode == DRAIN_NONE)
        return idle;
    if (d->exited)
        return CLOCK_NEVER;
    if (children_left(w)) {
        if (d->mode == DRAIN_RELEASE || d->stopped)
            return CLOCK_NEVER;
        if (now < d->deadline)
            return d->deadline;
        d->stopped = true;
        stop_attempts(w, true, now, fx);
        if (children_left(w))
            return CLOCK_NEVER;
    }
    if (d->quit == CLOCK_NEVER)
        d->quit = now + (d->mode == DRAIN_RELEASE ? QUIT_RELEASE_NS : QUIT_DRAIN_NS);
    if (w->n_attempts > 0 && now < d->quit)
        return d->quit;
    leave(w, fx);
    return CLOCK_NEVER;
}
