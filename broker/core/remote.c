/* Remote workers: what each offered and what of that is taken.
 *
 * farm_session.c makes and ends them, trial.c takes and gives back, dispatch.c asks. A worker that
 * may take more stands in farm->free, the one that gained last first; gain_gen rises with every
 * gain, so that a study that found no worker has to look only at those that gained since. */
#include "remote.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "json.h"

static uint64_t id_key(struct id128 id)
{
    uint64_t a, b;
    memcpy(&a, id.b, sizeof a);
    memcpy(&b, id.b + sizeof a, sizeof b);
    return a ^ (b * UINT64_C(0x9e3779b97f4a7c15));
}

struct worker *remote_find(const struct farm *f, struct id128 id)
{
    struct worker *w = idmap_get(&f->workers, id_key(id));
    return w && id128_eq(w->id, id) ? w : NULL;
}

uint32_t remote_number(struct farm *f, struct id128 id)
{
    static const struct id128 none;
    if (id128_eq(id, none))
        return 0;
    uintptr_t known = (uintptr_t)idmap_get(&f->worker_numbers, id_key(id));
    if (known)
        return (uint32_t)known;
    if (f->n_worker_ids == f->cap_worker_ids) {
        f->cap_worker_ids = f->cap_worker_ids ? f->cap_worker_ids * 2 : 64;
        f->worker_ids = alloc_grow(f->worker_ids, f->cap_worker_ids, sizeof *f->worker_ids);
    }
    f->worker_ids[f->n_worker_ids++] = id;
    idmap_put(&f->worker_numbers, id_key(id), (void *)(uintptr_t)f->n_worker_ids);
    return f->n_worker_ids;
}

struct id128 remote_id(const struct farm *f, uint32_t number)
{
    return number && number <= f->n_worker_ids ? f->worker_ids[number - 1] : (struct id128){{0}};
}

static void set_labels(struct worker *w, const struct msg_hello *h)
{
    for (uint32_t i = 0; i < w->n_labels; i++)
        free((char *)w->labels[i].p);
    free(w->labels);
    w->n_labels = h->labels.n;
    w->labels = w->n_labels ? alloc_array(w->n_labels, sizeof *w->labels) : NULL;
    struct buf json = {0};
    struct jsonw out;
    jsonw_init(&out, &json);
    jsonw_array(&out);
    for (uint32_t i = 0; i < w->n_labels; i++) {
        w->labels[i] = str_make(str_dupz(h->labels.v[i]), h->labels.v[i].n);
        jsonw_str(&out, w->labels[i]);
    }
    jsonw_end(&out);
    free(w->labels_json);
    w->labels_json = buf_takez(&json);
}

static void set_formers(struct worker *w, const struct msg_hello *h)
{
    free(w->formers);
    w->n_formers = h->former.n;
    w->formers = w->n_formers ? alloc_array(w->n_formers, sizeof *w->formers) : NULL;
    for (uint32_t i = 0; i < w->n_formers; i++)
        w->formers[i] = h->former.v[i].peer;
}

bool remote_speaks_for(const struct worker *w, struct id128 id)
{
    if (id128_eq(w->id, id))
        return true;
    for (uint32_t i = 0; i < w->n_formers; i++) {
        if (id128_eq(w->formers[i], id))
            return true;
    }
    return false;
}

void remote_renew(struct farm *f, struct worker *w, struct session *s, const struct msg_hello *h)
{
    w->session = s;
    s->worker = w;
    w->slots = h->slots;
    /* One that does not say what it has is limited by its slots alone. */
    w->have = h->have.n ? h->have.v[0] : (struct resources){.cpu = INFINITY, .memory = UINT64_MAX};
    if (!(w->have.cpu >= 0))
        w->have.cpu = 0;
    w->credit = w->granted = 0;
    w->draining = h->draining;
    w->pid = h->pid;
    set_labels(w, h);
    set_formers(w, h);
    free(w->software);
    w->software = str_dupz(h->software);
    list_remove(&w->free);
    remote_mark(f, w);
}

struct worker *remote_add(struct farm *f, struct session *s, const struct msg_hello *h)
{
    if (idmap_get(&f->workers, id_key(h->peer)))
        return NULL;
    struct worker *w = alloc_zero(sizeof *w);
    w->id = h->peer;
    list_init(&w->held);
    list_init(&w->free);
    list_init(&w->dirty);
    w->leave_by = CLOCK_NEVER;
    remote_renew(f, w, s, h);
    idmap_put(&f->workers, id_key(w->id), w);
    return w;
}

void remote_remove(struct farm *f, struct worker *w)
{
    REQUIRE(list_empty(&w->held));
    idmap_remove(&f->workers, id_key(w->id));
    list_remove(&w->free);
    list_remove(&w->dirty);
    remote_free(w);
}

void remote_free(struct worker *w)
{
    for (uint32_t i = 0; i < w->n_labels; i++)
        free((char *)w->labels[i].p);
    free(w->labels);
    free(w->labels_json);
    free(w->formers);
    free(w->software);
    free(w);
}

uint32_t remote_free_slots(const struct worker *w)
{
    if (w->draining || w->ordered || w->credit <= w->granted || w->n_held >= w->slots)
        return 0;
    uint64_t credit = w->credit - w->granted;
    uint32_t slots = w->slots - w->n_held;
    return credit < slots ? (uint32_t)credit : slots;
}

void remote_gained(struct farm *f, struct worker *w)
{
    if (!remote_free_slots(w))
        return;
    w->gain_gen = ++f->cap_gen;
    list_remove(&w->free);
    list_push_front(&f->free, &w->free);
}

void remote_mark(struct farm *f, struct worker *w)
{
    if (!list_linked(&w->dirty))
        list_push(&f->dirty_workers, &w->dirty);
}

void remote_regain(struct farm *f, struct worker *w)
{
    list_remove(&w->free);
    remote_gained(f, w);
}

void remote_take(struct farm *f, struct worker *w, const struct resources *r)
{
    w->used.cpu += r->cpu;
    w->used.gpu += r->gpu;
    w->used.memory += r->memory;
    w->n_held++;
    remote_mark(f, w);
    if (!remote_free_slots(w))
        list_remove(&w->free);
}

void remote_give_back(struct farm *f, struct worker *w, const struct resources *r)
{
    w->n_held--;
    remote_mark(f, w);
    w->used.gpu -= r->gpu;
    w->used.memory -= r->memory;
    /* Sums of fractions may not come back to zero by themselves. */
    w->used.cpu = w->n_held ? w->used.cpu - r->cpu : 0;
    remote_gained(f, w);
}

static bool has_label(const struct worker *w, struct str label)
{
    for (uint32_t i = 0; i < w->n_labels; i++) {
        if (str_eq(w->labels[i], label))
            return true;
    }
    return false;
}

static bool has_labels(const struct worker *w, const struct envelope *e)
{
    for (uint32_t i = 0; i < e->n_labels; i++) {
        if (!has_label(w, e->labels[i]))
            return false;
    }
    return true;
}

bool remote_able(const struct worker *w, const struct envelope *e)
{
    return !w->draining && w->slots && e->cpu <= w->have.cpu + 1e-9 * (1 + w->have.cpu) &&
           e->gpu <= w->have.gpu && e->memory <= w->have.memory && has_labels(w, e);
}

bool remote_fits(const struct worker *w, const struct envelope *e, uint32_t promised)
{
    if (remote_free_slots(w) <= promised)
        return false;
    double slack = 1e-9 * (1 + w->have.cpu);
    if (w->used.cpu + e->cpu * (promised + 1) > w->have.cpu + slack)
        return false;
    if (e->gpu && w->used.gpu + (uint64_t)e->gpu * (promised + 1) > w->have.gpu)
        return false;
    if (e->memory && (w->used.memory > w->have.memory ||
                      e->memory > (w->have.memory - w->used.memory) / (promised + 1)))
        return false;
    return has_labels(w, e);
}

static struct str keep(struct effects *fx, const char *z)
{
    return arena_dup(&fx->arena, str_of(z));
}

void remote_image(const struct worker *w, enum worker_state state, int64_t seen_ms,
                  struct effects *fx)
{
    const struct session *s = w->session;
    struct worker_image *im = effects_worker(fx);
    *im = (struct worker_image){.id = w->id,
                                .name = keep(fx, s->name),
                                .host = keep(fx, s->host),
                                .labels = keep(fx, w->labels_json),
                                .software = keep(fx, w->software),
                                .state = (uint8_t)state,
                                .slots = w->slots,
                                .running = w->n_held,
                                .gpu = w->have.gpu,
                                .cpu = w->have.cpu,
                                .memory = w->have.memory,
                                .pid = w->pid,
                                .joined_ms = w->joined_ms,
                                .seen_ms = seen_ms};
}
