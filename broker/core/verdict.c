/* Held attempts against the journal's truth. Levels, not edges: every HELLO and BEAT is compared as
 * a whole, so a lost STOP or KILL does no harm.
 *
 * Called by farm_session.c and, for single messages, by on_worker.c. */
#include "verdict.h"

#include <stdlib.h>

#include "alloc.h"
#include "study.h"
#include "tally.h"
#include "trial.h"
#include "remote.h"

enum held_phase { HELD_STARTING, HELD_RUNNING, HELD_STOPPING, HELD_FINISHED };

bool verdict_finished_by(const struct trial *t, uint32_t attempt)
{
    if (!trial_state_final(t->state) || !t->final_attempt)
        return false;
    return attempt == t->final_attempt || (t->adopted && attempt + 1 == t->final_attempt);
}

/* The last attempt, under its number or the one it had before it was adopted. */
static bool is_last(const struct trial *t, uint32_t attempt)
{
    return attempt && (attempt == t->attempt || (t->adopted && attempt + 1 == t->attempt));
}

bool verdict_adoptable(const struct worker *w, const struct trial *t, uint32_t attempt)
{
    return t->state == TRIAL_QUEUED && is_last(t, attempt) &&
           t->open->im.last_close == CLOSE_EXPIRED + 1 && remote_speaks_for(w, t->open->im.worker);
}

static bool is_current(const struct trial *t, uint32_t attempt)
{
    return trial_state_open(t->state) && is_last(t, attempt);
}

struct trial *verdict_attempt(const struct farm *f, const struct worker *w, uint64_t study,
                              uint64_t trial, uint32_t attempt, enum nak_code *why)
{
    struct study *s = study_get(f, study);
    struct trial *t = s ? trial_get(s, trial) : NULL;
    *why = NAK_UNKNOWN;
    if (!t || !attempt || attempt > t->attempt)
        return NULL;
    *why = trial_state_final(t->state) ? NAK_FINISHED : NAK_SUPERSEDED;
    if (!is_current(t, attempt))
        return NULL;
    *why = NAK_NOT_OWNER;
    return w && t->open->owner == w ? t : NULL;
}

static void set(struct verdict *v, enum verdict_code code, enum stop_why why)
{
    v->verdict = (uint8_t)code;
    v->why = (uint8_t)why;
}

static void current(const struct act *a, struct worker *w, struct trial *t, struct verdict *v)
{
    struct trial_open *o = t->open;
    if (!remote_speaks_for(w, o->owner ? o->owner->id : o->im.worker)) {
        set(v, VERDICT_KILL, STOP_SUPERSEDED);
        return;
    }
    if (o->owner != w) /* after a broker's start, or from a process that has ended */
        trial_hold(t, w, a->now);
    o->beat = w->beat;
    o->missed = 0;
    if (v->attempt != t->attempt) {
        v->new_attempt = t->attempt;
        set(v, VERDICT_ADOPT, 0);
    } else if (t->state == TRIAL_STOPPING) {
        set(v, VERDICT_STOP, o->im.why);
    } else {
        set(v, VERDICT_KEEP, 0);
    }
}

static void settle(const struct act *a, struct worker *w, const struct held *h, struct verdict *v)
{
    struct study *s = study_get(a->f, h->study);
    struct trial *t = s ? trial_get(s, h->trial) : NULL;
    *v = (struct verdict){.study = h->study, .trial = h->trial, .attempt = h->attempt};
    if (!t || !h->attempt || h->attempt > t->attempt) {
        set(v, VERDICT_KILL, STOP_UNKNOWN);
    } else if (trial_state_final(t->state)) {
        bool done = h->phase == HELD_FINISHED && verdict_finished_by(t, h->attempt);
        set(v, done ? VERDICT_FINISHED : VERDICT_KILL, STOP_FINISHED);
    } else if (is_current(t, h->attempt)) {
        current(a, w, t, v);
    } else if (verdict_adoptable(w, t, h->attempt) && h->phase != HELD_STOPPING) {
        verb_adopt(a, t, w);
        t->open->beat = w->beat;
        v->new_attempt = t->attempt;
        set(v, VERDICT_ADOPT, 0);
    } else {
        set(v, VERDICT_KILL, STOP_SUPERSEDED);
    }
}

static void decide(const struct act *a, struct worker *w, const struct held *h, struct verdict *v)
{
    settle(a, w, h, v);
    tally(a->f, w->session, COUNT_HELD_REFUSED, v->verdict == VERDICT_KILL);
}

/* After a start the attempts of a worker wait without an owner; those that it does not name never
 * reached it. Ending one moves others in the heap, so they are gathered first. */
static void settle_orphans(const struct act *a, struct worker *w)
{
    size_t n = 0, all = a->f->orphans.n;
    if (!all)
        return;
    struct trial **mine = alloc_array(all, sizeof *mine);
    for (size_t i = 0; i < all; i++) {
        struct trial_open *o = CONTAINER_OF(a->f->orphans.v[i], struct trial_open, orphan);
        if (remote_speaks_for(w, o->im.worker))
            mine[n++] = o->trial;
    }
    for (size_t i = 0; i < n; i++)
        verb_lost(a, mine[i], "the worker does not have it");
    free(mine);
}

/* Its numbers say nothing here. */
static void refuse(const struct held *h, struct verdict *v)
{
    *v = (struct verdict){.study = h->study, .trial = h->trial, .attempt = h->attempt};
    set(v, VERDICT_KILL, STOP_UNKNOWN);
}

uint32_t verdict_on_hello(const struct act *a, struct worker *w, const struct held *held,
                          uint32_t n, bool foreign, struct verdict *out)
{
    w->beat++;
    for (uint32_t i = 0; i < n; i++) {
        if (foreign)
            refuse(&held[i], &out[i]);
        else
            decide(a, w, &held[i], &out[i]);
    }
    LIST_FOREACH_SAFE (it, tmp, &w->held) {
        struct trial_open *o = CONTAINER_OF(it, struct trial_open, held);
        if (o->beat != w->beat)
            verb_lost(a, o->trial, "the worker does not have it");
    }
    settle_orphans(a, w);
    return n;
}

uint32_t verdict_on_beat(const struct act *a, struct worker *w, const struct held *held, uint32_t n,
                         struct verdict *out)
{
    uint32_t kept = 0;
    w->beat++;
    for (uint32_t i = 0; i < n; i++) {
        decide(a, w, &held[i], &out[kept]);
        kept += out[kept].verdict != VERDICT_KEEP;
    }
    LIST_FOREACH_SAFE (it, tmp, &w->held) {
        struct trial_open *o = CONTAINER_OF(it, struct trial_open, held);
        if (o->beat == w->beat || a->now - o->held_since < 2 * a->f->c.beat_ns)
            continue;
        if (++o->missed >= 2)
            verb_lost(a, o->trial, "the worker does not have it");
    }
    return kept;
}
