/* Sharing slots between studies.
 *
 * Again and again the next slot goes to the study of the highest priority, and among equals to the
 * one with the fewest attempts per weight. If a trial of it is waiting, it is granted; if the study
 * is merely willing, the slot is kept for a proposal (`promised`), so that studies whose points are
 * not yet made are not starved by those with a long line. A kept slot is asked for once. One that
 * becomes free while a WANT of its study is unanswered is kept as well and asked for by the next:
 * else it would wander to a study of the same load, whose point is no nearer, and the evaluator
 * that the worker has ready for this one would be ended and another started. No slot is kept for an
 * optimizer that has not answered for WANT_PATIENCE.
 *
 * Studies stand in a heap for one run; trials are never scanned, and workers only as far as they
 * gained slots since the study last found none that fits. */
#include "dispatch.h"

#include "study.h"
#include "trial.h"
#include "want.h"
#include "remote.h"

#define LOOK 8u /* fitting workers compared for one trial */

bool dispatch_may_want(const struct farm *f, const struct study *s, int64_t now)
{
    if (f->full || s->paused || s->state != STUDY_OPEN || !s->optimizer || !s->stream ||
        !s->stream->live)
        return false;
    return s->want == s->answered ? !s->hold : now - s->want_at < WANT_PATIENCE;
}

static bool has_room(const struct study *s)
{
    return !s->env.parallel || study_running(s) + s->promised < s->env.parallel;
}

/* It could do with one more slot. */
static bool is_able(const struct act *a, const struct study *s)
{
    return !s->paused && has_room(s) &&
           (s->ready.n || (s->promised < WANT_MOST && dispatch_may_want(a->f, s, a->now)));
}

/* ---- the line: studies that could do with a slot, a heap with the next one on top ---- */

static bool before(const struct study *x, const struct study *y)
{
    if (x->env.priority != y->env.priority)
        return x->env.priority > y->env.priority;
    return x->load != y->load ? x->load < y->load : x->number < y->number;
}

static void sift_down(struct farm *f, size_t i)
{
    struct study **v = f->line, *x = v[i];
    for (size_t child; (child = 2 * i + 1) < f->n_line; i = child) {
        if (child + 1 < f->n_line && before(v[child + 1], v[child]))
            child++;
        if (!before(v[child], x))
            break;
        v[i] = v[child];
    }
    v[i] = x;
}

static void set_load(struct study *s)
{
    s->load = (double)(study_running(s) + s->promised) / s->env.weight;
}

static void make_line(const struct act *a)
{
    struct farm *f = a->f;
    f->n_line = 0;
    if (f->cap_line < f->n_studies) {
        f->cap_line = f->cap_studies;
        f->line = alloc_grow(f->line, f->cap_line, sizeof(struct study *));
    }
    LIST_FOREACH (it, &f->active) {
        struct study *s = CONTAINER_OF(it, struct study, active);
        if (!is_able(a, s))
            continue;
        set_load(s);
        f->line[f->n_line++] = s;
    }
    for (size_t i = f->n_line / 2; i-- > 0;)
        sift_down(f, i);
}

/* The first in line was served (its load rose) or, if !able, wants no more. */
static void move_first(struct farm *f, bool able)
{
    if (able)
        set_load(f->line[0]);
    else
        f->line[0] = f->line[--f->n_line];
    if (f->n_line)
        sift_down(f, 0);
}

/* ---- the slots ---- */

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
    while (f->n_line && !list_empty(&f->free)) {
        struct study *s = f->line[0];
        struct worker *w = find_worker(f, s);
        if (!w) {
            if (!promised)
                s->blocked_gen = f->cap_gen;
        } else if (s->ready.n) {
            verb_grant(a, CONTAINER_OF(heap_top(&s->ready), struct trial_open, ready)->trial, w);
        } else {
            s->promised++;
            ++*promised_of(f, w);
            promised++;
        }
        move_first(f, w && is_able(a, s));
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
        CONTAINER_OF(it, struct study, active)->promised = 0;
    }
    f->run++;
    if (!list_empty(&f->free)) {
        make_line(a);
        share(a);
    }
    LIST_FOREACH_SAFE (it, tmp, &f->active) {
        struct study *s = CONTAINER_OF(it, struct study, active);
        s->ask = to_ask(a, s);
        if (!s->ready.n && !s->optimizer)
            list_remove(&s->active);
    }
}
