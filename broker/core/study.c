/* Studies: what the broker keeps of each. It knows the envelope of a spec and treats the rest as
 * bytes.
 *
 * apply.c changes the durable part, dispatch.c and stream.c the volatile one. */
#include "study.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "stream.h"
#include "trial.h"

/* FNV-1a; a clash of names is found by comparing them and leads to the next key. */
static uint64_t name_key(struct str name, uint64_t turn)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) + turn;
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (uint8_t)name.p[i]) * UINT64_C(0x100000001b3);
    return h;
}

struct study *study_get(const struct farm *f, uint64_t number)
{
    return number && number <= f->n_studies ? f->studies[number - 1] : NULL;
}

struct study *study_named(const struct farm *f, struct str name)
{
    for (uint64_t turn = 0;; turn++) {
        struct study *s = idmap_get(&f->names, name_key(name, turn));
        if (!s || str_is(name, s->name))
            return s;
    }
}

static void put_name(struct farm *f, struct study *s)
{
    uint64_t turn = 0;
    struct str name = str_of(s->name);
    while (idmap_get(&f->names, name_key(name, turn)))
        turn++;
    idmap_put(&f->names, name_key(name, turn), s);
}

struct study *study_add(struct farm *f, uint64_t number, struct str name)
{
    REQUIRE(number == f->n_studies + 1);
    if (f->n_studies == f->cap_studies) {
        f->cap_studies = f->cap_studies ? f->cap_studies * 2 : 16;
        f->studies = alloc_grow(f->studies, f->cap_studies, sizeof(struct study *));
    }
    struct study *s = alloc_zero(sizeof *s);
    s->number = number;
    s->farm = f;
    s->name = str_dupz(name);
    s->state = STUDY_OPEN;
    s->feed_next = 1;
    list_init(&s->open);
    list_init(&s->dirty);
    list_init(&s->active);
    list_init(&s->touched);
    list_init(&s->streams);
    list_init(&s->in_optimizer);
    heap_init(&s->ready);
    f->studies[f->n_studies++] = s;
    put_name(f, s);
    return s;
}

static struct str keep(struct arena *a, struct str s)
{
    struct str copy = arena_dup(a, s);
    REQUIRE(copy.p || !s.n);
    return copy;
}

static const struct str *keep_list(struct arena *a, const struct str *v, uint32_t n)
{
    struct str *copy = arena_array(a, n + 1, sizeof *copy);
    REQUIRE(copy);
    for (uint32_t i = 0; i < n; i++)
        copy[i] = keep(a, v[i]);
    return copy;
}

void study_set_spec(struct study *s, struct digest digest, struct digest search, uint32_t number,
                    struct str spec, const struct envelope *env)
{
    arena_fini(&s->env_arena);
    arena_init(&s->env_arena, 0);
    s->spec_digest = digest;
    s->search = search;
    s->spec_number = number;
    s->spec = keep(&s->env_arena, spec);
    s->env = *env;
    s->env.metric = keep(&s->env_arena, env->metric);
    s->env.labels = keep_list(&s->env_arena, env->labels, env->n_labels);
    s->env.enqueue = keep_list(&s->env_arena, env->enqueue, env->n_enqueue);
    s->env.given = env->given ? keep_list(&s->env_arena, env->given, env->n_enqueue) : NULL;
    s->blocked_gen = 0;
    study_activate(s);
}

void study_free(struct study *s)
{
    trial_free_all(s);
    heap_fini(&s->ready);
    arena_fini(&s->env_arena);
    free(s->why);
    free(s->name);
    free(s);
}

uint64_t study_running(const struct study *s)
{
    return s->count[TRIAL_LEASED] + s->count[TRIAL_RUNNING] + s->count[TRIAL_STOPPING];
}

uint64_t study_unfinished(const struct study *s)
{
    return study_running(s) + s->count[TRIAL_QUEUED] + s->count[TRIAL_PAUSED] +
           s->count[TRIAL_DELAYED];
}

void study_activate(struct study *s)
{
    if (!list_linked(&s->active))
        list_push(&s->farm->active, &s->active);
}

void study_touch(struct study *s)
{
    if (!list_linked(&s->touched))
        list_push(&s->farm->touched, &s->touched);
}

void study_mark(struct study *s, uint64_t seq, int64_t now)
{
    if (seq > s->seq) /* at a start, records that only a trial's row lacked come after newer ones */
        s->seq = seq;
    if (list_linked(&s->dirty))
        return;
    s->dirty_seq = seq;
    s->dirty_at = now;
    list_push(&s->farm->dirty_studies, &s->dirty);
}

void study_score(struct study *s, uint64_t trial, double value)
{
    if (!isfinite(value))
        return;
    bool better = !s->has_best || (s->env.maximize ? value > s->best : value < s->best) ||
                  (value == s->best && trial < s->best_trial);
    if (!better)
        return;
    s->has_best = true;
    s->best = value;
    s->best_trial = trial;
}

uint64_t study_elapsed_ms(const struct study *s, int64_t now)
{
    int64_t more = s->open_since && now > s->open_since ? now - s->open_since : 0;
    return s->elapsed_ms + (uint64_t)(more / NS_PER_MS);
}

void study_clock(struct study *s, int64_t now)
{
    s->elapsed_ms = study_elapsed_ms(s, now);
    s->open_since = s->state == STUDY_OPEN && !s->paused ? (now > 0 ? now : 1) : 0;
}

const char *study_shown_state(const struct study *s)
{
    return s->paused ? "paused" : study_state_name(s->state);
}

void study_fill(const struct study *s, int64_t now, struct study_image *out)
{
    *out = (struct study_image){.number = s->number,
                                .seq = s->seq,
                                .study_seq = s->study_seq,
                                .name = str_of(s->name),
                                .state = s->state,
                                .paused = s->paused,
                                .maximize = s->env.maximize,
                                .has_best = s->has_best,
                                .metric = s->env.metric,
                                .why = str_of(s->why),
                                .spec = s->spec_digest,
                                .search = s->search,
                                .spec_number = s->spec_number,
                                .optimizer_epoch = s->optimizer_epoch,
                                .trials = s->n_trials,
                                .best = s->best,
                                .best_trial = s->best_trial,
                                .created_ms = s->created_ms,
                                .ended_ms = s->ended_ms,
                                .elapsed_ms = study_elapsed_ms(s, now),
                                .compacted = s->compacted};
    memcpy(out->count, s->count, sizeof out->count);
}

bool study_name_ok(struct str name)
{
    if (!name.n || name.n > 128 || str_is(name, ".") || str_is(name, ".."))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
        if (!ok)
            return false;
    }
    return true;
}
