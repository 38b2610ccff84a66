/* Trials: storage in chunks of their study, and the lists and heaps that follow a trial's state.
 *
 * apply.c changes states through trial_move(); sessions and dispatch attach and detach holders. A
 * finished and written trial keeps only struct trial: its texts are in the database, which nobody
 * here needs again. */
#include "trial.h"

#include <stdlib.h>

#include "alloc.h"
#include "study.h"
#include "remote.h"

struct trial *trial_get(const struct study *s, uint64_t number)
{
    size_t chunk = (size_t)(number / TRIAL_CHUNK);
    if (number >= s->n_trials || chunk >= s->n_chunks || !s->chunks[chunk])
        return NULL;
    struct trial *t = &s->chunks[chunk][number % TRIAL_CHUNK];
    return t->study ? t : NULL;
}

static struct trial_open *open_new(struct trial *t)
{
    struct trial_open *o = alloc_zero(sizeof *o);
    o->trial = t;
    list_init(&o->in_study);
    list_init(&o->dirty);
    list_init(&o->held);
    return o;
}

struct trial *trial_add(struct study *s, uint64_t number)
{
    REQUIRE(number < TRIALS_MAX);
    size_t chunk = (size_t)(number / TRIAL_CHUNK);
    if (chunk >= s->n_chunks) {
        size_t n = s->n_chunks ? s->n_chunks * 2 : 4;
        n = n > chunk ? n : chunk + 1;
        s->chunks = alloc_grow(s->chunks, n, sizeof *s->chunks);
        memset(s->chunks + s->n_chunks, 0, (n - s->n_chunks) * sizeof *s->chunks);
        s->n_chunks = n;
    }
    if (!s->chunks[chunk])
        s->chunks[chunk] = alloc_array(TRIAL_CHUNK, sizeof(struct trial));
    struct trial *t = &s->chunks[chunk][number % TRIAL_CHUNK];
    REQUIRE(!t->study);
    t->study = s;
    t->number = number;
    t->open = open_new(t);
    if (number >= s->n_trials)
        s->n_trials = number + 1;
    return t;
}

void trial_text(struct str *mine, struct str text)
{
    if (!text.n) {
        free((char *)mine->p);
        *mine = (struct str){0};
        return;
    }
    char *p = mine->n >= text.n ? (char *)mine->p : alloc_grow((char *)mine->p, text.n, 1);
    memmove(p, text.p, text.n); /* a record may name the text that is there */
    *mine = str_make(p, text.n);
}

/* Place in line within the study: what was taken from a worker goes first, then points that people
 * gave, then the rest; each in order of number. */
static int64_t ready_key(const struct trial *t)
{
    const struct trial_image *im = &t->open->im;
    int64_t rank = im->front ? 0 : im->enqueued ? 1 : 2;
    return rank << 40 | (int64_t)t->number;
}

static int64_t delayed_key(const struct trial *t)
{
    int64_t ms = t->open->im.retry_ms - t->study->farm->wall_offset;
    int64_t limit = CLOCK_NEVER / NS_PER_MS - 1;
    return (ms < 0 ? 0 : ms > limit ? limit : ms) * NS_PER_MS;
}

void trial_place(struct trial *t)
{
    struct study *s = t->study;
    struct trial_open *o = t->open;
    s->count[t->state]++;
    if (trial_state_final(t->state)) {
        list_remove(&o->in_study);
        return;
    }
    if (!list_linked(&o->in_study))
        list_push(&s->open, &o->in_study);
    if (t->state == TRIAL_QUEUED) {
        heap_insert(&s->ready, &o->ready, ready_key(t));
        study_activate(s);
    } else if (t->state == TRIAL_DELAYED) {
        heap_insert(&s->farm->delayed, &o->delayed, delayed_key(t));
    }
}

void trial_move(struct trial *t, unsigned state)
{
    struct trial_open *o = t->open;
    if (state == t->state)
        return;
    if (trial_state_open(t->state) && !trial_state_open(state)) {
        trial_unhold(t);
        study_activate(t->study);
    }
    heap_remove(&t->study->ready, &o->ready);
    heap_remove(&t->study->farm->delayed, &o->delayed);
    t->study->count[t->state]--;
    t->state = (uint8_t)state;
    trial_place(t);
}

void trial_hold(struct trial *t, struct worker *w, int64_t now)
{
    struct trial_open *o = t->open;
    const struct envelope *e = &t->study->env;
    trial_unhold(t);
    o->owner = w;
    o->held_since = now;
    o->beat = w->beat;
    o->missed = 0;
    o->taken = (struct resources){.cpu = e->cpu, .gpu = e->gpu, .memory = e->memory};
    list_push(&w->held, &o->held);
    remote_take(t->study->farm, w, &o->taken);
}

void trial_unhold(struct trial *t)
{
    struct trial_open *o = t->open;
    heap_remove(&t->study->farm->orphans, &o->orphan);
    if (!o->owner)
        return;
    list_remove(&o->held);
    remote_give_back(t->study->farm, o->owner, &o->taken);
    o->owner = NULL;
}

void trial_mark(struct trial *t, uint64_t seq, int64_t now)
{
    struct trial_open *o = t->open;
    t->seq = seq;
    if (list_linked(&o->dirty))
        return;
    o->dirty_seq = seq;
    o->dirty_at = now;
    list_push(&t->study->farm->dirty_trials, &o->dirty);
}

void trial_fill(const struct trial *t, struct trial_image *out)
{
    *out = t->open ? t->open->im : (struct trial_image){0};
    out->study = t->study->number;
    out->number = t->number;
    out->seq = t->seq;
    out->state = t->state;
    out->adopted = t->adopted;
    out->attempt = t->attempt;
    out->final_attempt = t->final_attempt;
}

void trial_shrink(struct trial *t)
{
    struct trial_open *o = t->open;
    if (!o || !trial_state_final(t->state) || list_linked(&o->dirty))
        return;
    struct str *texts[] = {&o->im.params, &o->im.why_text, &o->im.metrics, &o->im.error,
                           &o->im.resume};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free((char *)texts[i]->p);
    free((int64_t *)o->im.decide);
    free(o);
    t->open = NULL;
}

void trial_free_all(struct study *s)
{
    for (size_t c = 0; c < s->n_chunks; c++) {
        for (size_t i = 0; s->chunks[c] && i < TRIAL_CHUNK; i++) {
            struct trial *t = &s->chunks[c][i];
            if (!t->study || !t->open)
                continue;
            list_init(&t->open->dirty);
            t->state = TRIAL_CANCELLED;
            trial_shrink(t);
        }
        free(s->chunks[c]);
    }
    free(s->chunks);
}
