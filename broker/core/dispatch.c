/* Sharing slots between studies.
 *
 * Again and again the next slot goes to the study of the highest priority, and among equals to the
 * one with the fewest attempts per weight. If a trial of it is waiting, it is granted; if the study
 * is merely willing, the slot is kept for a proposal (`promised`), so that studies whose points are
 * not yet made are not starved by those with a long line. A kept slot is asked for once; while that
 * WANT is unanswered it stays kept, but not for longer than WANT_PATIENCE.
 *
 * Studies are scanned (hundreds), trials never, and workers only as far as they gained slots since
 * the study last found none that fits. */
#include "dispatch.h"

#include "study.h"
#include "trial.h"
#include "want.h"
#include "remote.h"

#define LOOK 8u /* fitting workers compared for one trial */

bool dispatch_may_want(const struct farm *f, const struct study *s, int64_t now)
{
    if (f->full || s->state != STUDY_OPEN || !s->optimizer || !s->stream || !s->stream->live)
        return false;
    return s->want == s->answered ? !s->hold : now - s->want_at < WANT_PATIENCE;
}

/* How many proposals may be promised to it. */
static uint32_t want_room(const struct farm *f, const struct study *s, int64_t now)
{
    if (!dispatch_may_want(f, s, now))
        return 0;
    return s->want == s->answered ? WANT_MOST : s->want_n;
}

static bool has_room(const struct study *s)
{
    return !s->env.parallel || study_running(s) + s->promised < s->env.parallel;
}

static double load(const struct study *s)
{
    return (double)(study_running(s) + s->promised) / s->env.weight;
}

static bool before(const struct study *x, const struct study *y)
{
    if (x->env.priority != y->env.priority)
        return x->env.priority > y->env.priority;
    double lx = load(x), ly = load(y);
    return lx != ly ? lx < ly : x->number < y->number;
}

static struct study *next_study(const struct act *a)
{
    struct study *best = NULL;
    LIST_FOREACH (it, &a->f->active) {
        struct study *s = CONTAINER_OF(it, struct study, active);
        bool able =
            !s->blocked && has_room(s) && (s->ready.n || s->promised < want_room(a->f, s, a->now));
        if (able && (!best || before(s, best)))
            best = s;
    }
    return best;
}

/* Slots of w that are promised in this run. */
static uint32_t *promised_of(const struct farm *f, struct worker *w)
{
    if (w->run != f->run) {
        w->run = f->run;
        w->promised = 0;
    }
    return &w->promised;
}

static struct worker *find_worker(struct farm *f, const struct study *s)
{
    struct worker *best = NULL;
    uint32_t seen = 0, most = 0;
    LIST_FOREACH (it, &f->free) {
        struct worker *w = CONTAINER_OF(it, struct worker, free);
        if (w->gain_gen <= s->blocked_gen || seen == LOOK)
            break;
        uint32_t promised = *promised_of(f, w);
        if (!remote_fits(w, &s->env, promised))
            continue;
        seen++;
        uint32_t slots = remote_free_slots(w) - promised;
        if (slots > most) {
            most = slots;
            best = w;
        }
    }
    return best;
}

static void share(const struct act *a)
{
    struct farm *f = a->f;
    uint32_t promised = 0;
    for (struct study *s; !list_empty(&f->free) && (s = next_study(a));) {
        struct worker *w = find_worker(f, s);
        if (!w) {
            s->blocked = true;
            if (!promised)
                s->blocked_gen = f->cap_gen;
        } else if (s->ready.n) {
            verb_grant(a, CONTAINER_OF(heap_top(&s->ready), struct trial_open, ready)->trial, w);
        } else {
            s->promised++;
            ++*promised_of(f, w);
            promised++;
        }
    }
}

/* Beside the kept slots a study may want some ready in line. */
static uint32_t to_ask(const struct act *a, const struct study *s)
{
    if (s->want != s->answered || !dispatch_may_want(a->f, s, a->now))
        return 0;
    uint64_t line = s->ready.n;
    uint64_t ahead = s->env.ahead > line ? s->env.ahead - line : 0;
    uint64_t n = s->promised + ahead;
    return n < WANT_MOST ? (uint32_t)n : WANT_MOST;
}

void dispatch_run(const struct act *a)
{
    struct farm *f = a->f;
    LIST_FOREACH (it, &f->active) {
        struct study *s = CONTAINER_OF(it, struct study, active);
        s->blocked = false;
        s->promised = 0;
    }
    f->run++;
    share(a);
    LIST_FOREACH_SAFE (it, tmp, &f->active) {
        struct study *s = CONTAINER_OF(it, struct study, active);
        s->ask = to_ask(a, s);
        if (!s->ready.n && !s->optimizer)
            list_remove(&s->active);
    }
}
