/* Leaving in order: take nothing new, have checkpoints written, let running trials end, stop those
 * that are left when time is up, wait for the acknowledgements, say BYE. Called by worker_core.c.
 * It must not know signals or clouds: the shell says when to leave and by when to be gone. Beats go
 * on all the while, so nothing expires meanwhile.
 *
 * Without a deadline running trials have drain_ns, then their grace. With one, time is counted back
 * from it: by gone_by - margin they are stopped, by gone_by - margin/2 killed, and at gone_by -
 * margin/5 the process ends whatever is left. */
#include <stdio.h>

#include "worker_impl.h"

#define QUIT_DRAIN_NS   (10 * NS_PER_S) /* for acknowledgements, once no child is left */
#define QUIT_RELEASE_NS (2 * NS_PER_S)
#define MARGIN_NS       (10 * NS_PER_S)
#define TIGHTER_NS      (NS_PER_S / 2) /* an order is repeated with every beat, a little off */

void drain_init(struct drain *d, int64_t now)
{
    *d = (struct drain){.mode = DRAIN_NONE,
                        .why = RELEASE_DRAIN,
                        .stop_at = CLOCK_NEVER,
                        .gone_by = CLOCK_NEVER,
                        .quit = CLOCK_NEVER,
                        .idle_since = now};
}

void drain_say(struct worker *w, int64_t now, struct worker_out *fx)
{
    const struct drain *d = &w->drain;
    if (d->mode == DRAIN_NONE || w->link.state != LINK_UP)
        return;
    int64_t end = d->gone_by != CLOCK_NEVER ? d->gone_by : d->stop_at;
    struct msg_drain m = {(uint64_t)((end > now ? end - now : 0) / NS_PER_MS), str_of(d->reason)};
    worker_out_send(fx, w->link.session, MSG_DRAIN, &m);
}

static int64_t least(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

int64_t drain_grace(const struct worker *w, int64_t grace, int64_t now)
{
    const struct drain *d = &w->drain;
    if (d->mode == DRAIN_NONE || d->gone_by == CLOCK_NEVER)
        return grace;
    int64_t left = d->gone_by - d->margin / 2 - now;
    return left < 1 ? 1 : least(grace, left);
}

/* Gives back what has not started, and with `all` what runs too. */
static void stop_attempts(struct worker *w, bool all, int64_t now, struct worker_out *fx)
{
    LIST_FOREACH_SAFE (it, tmp, &w->attempts) {
        struct attempt *a = CONTAINER_OF(it, struct attempt, link);
        struct attempt_input in = {.cause = END_RELEASE,
                                   .release_why = w->drain.why,
                                   .grace_ns = drain_grace(w, a->grace_ns, now)};
        if (all || a->state == ATTEMPT_FETCHING)
            attempt_event(w, a, EVENT_STOP, &in, now, fx);
    }
}

/* Those that stop already stop sooner, if the time has become shorter. */
static void hurry(struct worker *w, int64_t now)
{
    LIST_FOREACH (it, &w->attempts) {
        struct attempt *a = CONTAINER_OF(it, struct attempt, link);
        if (a->kill_at == CLOCK_NEVER)
            continue;
        a->kill_at = least(a->kill_at, now + drain_grace(w, a->grace_ns, now));
        attempt_rearm(w, a);
    }
}

static void ask_attempts(struct worker *w, int64_t now, struct worker_out *fx)
{
    LIST_FOREACH (it, &w->attempts) {
        struct attempt *a = CONTAINER_OF(it, struct attempt, link);
        if (a->state == ATTEMPT_RUNNING)
            drain_ask(w, a, now, fx);
    }
}

static void kill_children(struct worker *w, int64_t now, struct worker_out *fx)
{
    LIST_FOREACH_SAFE (it, tmp, &w->attempts)
        attempt_event(w, CONTAINER_OF(it, struct attempt, link), EVENT_GRACE, NULL, now, fx);
}

void drain_ask(struct worker *w, struct attempt *a, int64_t now, struct worker_out *fx)
{
    if (!checkpoint_ask(w, a, now, fx) || a->cause != END_ITSELF)
        return;
    a->cause = END_RELEASE;
    a->release_why = w->drain.why;
}

/* Takes over what shortens the time; false: nothing does. */
static bool shorten(struct worker *w, int64_t now, const struct worker_leave *l)
{
    struct drain *d = &w->drain;
    bool first = d->mode == DRAIN_NONE;
    bool sooner = l->deadline != CLOCK_NEVER &&
                  (d->gone_by == CLOCK_NEVER || l->deadline < d->gone_by - TIGHTER_NS);
    if (!first && !sooner)
        return false;
    d->mode = DRAIN_RUNNING;
    d->why = l->why;
    snprintf(d->reason, sizeof d->reason, "%s", l->reason);
    if (!sooner) {
        d->stop_at = now + w->c.drain_ns;
        return true;
    }
    int64_t left = l->deadline > now ? l->deadline - now : 0;
    d->gone_by = l->deadline;
    d->margin = least(MARGIN_NS, left / 3);
    d->stop_at = first ? d->gone_by - d->margin : least(d->stop_at, d->gone_by - d->margin);
    return true;
}

void worker_leave(struct worker *w, int64_t now, const struct worker_leave *l,
                  struct worker_out *fx)
{
    struct drain *d = &w->drain;
    if (d->mode == DRAIN_RELEASE || !shorten(w, now, l))
        return;
    worker_out_fact(fx, FACT_DRAINING, NULL, "held=%zu why=\"%s\" stop_ms=%lld", w->n_attempts,
                    d->reason, (long long)((d->stop_at - now) / NS_PER_MS));
    drain_say(w, now, fx);
    spooling_hurry(w, now);
    stop_attempts(w, false, now, fx);
    ask_attempts(w, now, fx);
    hurry(w, now);
}

void worker_drain(struct worker *w, int64_t now, struct worker_out *fx)
{
    struct worker_leave l = {CLOCK_NEVER, RELEASE_DRAIN, "signal"};
    worker_leave(w, now, &l, fx);
}

void worker_release_all(struct worker *w, int64_t now, struct worker_out *fx)
{
    struct drain *d = &w->drain;
    if (d->mode == DRAIN_RELEASE)
        return;
    if (d->mode == DRAIN_NONE) {
        worker_out_fact(fx, FACT_DRAINING, NULL, "held=%zu at_once=true", w->n_attempts);
        snprintf(d->reason, sizeof d->reason, "at once");
    }
    d->mode = DRAIN_RELEASE;
    d->stop_at = now;
    drain_say(w, now, fx);
    spooling_hurry(w, now);
    stop_attempts(w, true, now, fx);
    kill_children(w, now, fx);
}

void drain_on_order(struct worker *w, int64_t now, bool at_once, uint64_t deadline_ms,
                    struct worker_out *fx)
{
    struct worker_leave l = {CLOCK_NEVER, RELEASE_DRAIN, "order"};
    if (deadline_ms > 0 && deadline_ms < INT64_MAX / NS_PER_MS / 4)
        l.deadline = now + (int64_t)deadline_ms * NS_PER_MS;
    if (at_once)
        worker_release_all(w, now, fx);
    else
        worker_leave(w, now, &l, fx);
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
    struct worker_leave l = {CLOCK_NEVER, RELEASE_DRAIN, "idle"};
    if (w->n_attempts > 0)
        d->idle_since = CLOCK_NEVER;
    else if (d->idle_since == CLOCK_NEVER)
        d->idle_since = now;
    if (w->c.idle_exit_ns == 0 || d->idle_since == CLOCK_NEVER)
        return CLOCK_NEVER;
    if (now < d->idle_since + w->c.idle_exit_ns)
        return d->idle_since + w->c.idle_exit_ns;
    worker_leave(w, now, &l, fx);
    return CLOCK_NEVER;
}

/* Stops what runs when its time is up; when to look again, or 0 if no child is left. */
static int64_t stop_tick(struct worker *w, int64_t now, struct worker_out *fx)
{
    struct drain *d = &w->drain;
    if (!children_left(w))
        return 0;
    if (d->mode == DRAIN_RELEASE || d->stopped)
        return CLOCK_NEVER;
    if (now < d->stop_at)
        return d->stop_at;
    d->stopped = true;
    stop_attempts(w, true, now, fx);
    return children_left(w) ? CLOCK_NEVER : 0;
}

int64_t drain_tick(struct worker *w, int64_t now, struct worker_out *fx)
{
    struct drain *d = &w->drain;
    int64_t idle = d->mode == DRAIN_NONE ? idle_tick(w, now, fx) : CLOCK_NEVER;
    if (d->mode == DRAIN_NONE)
        return idle;
    if (d->exited)
        return CLOCK_NEVER;
    int64_t end = d->gone_by == CLOCK_NEVER ? CLOCK_NEVER : d->gone_by - d->margin / 5;
    int64_t next = now < end ? stop_tick(w, now, fx) : 0;
    if (next > 0)
        return least(next, end);
    if (d->quit == CLOCK_NEVER)
        d->quit = now + (d->mode == DRAIN_RELEASE ? QUIT_RELEASE_NS : QUIT_DRAIN_NS);
    d->quit = least(d->quit, end);
    if (w->n_attempts > 0 && now < d->quit)
        return d->quit;
    leave(w, fx);
    return CLOCK_NEVER;
}
