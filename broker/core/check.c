/* farm_check(): every invariant of the core recounted from nothing. The simulator and the tests
 * call it after each step, the daemon with --check. It changes nothing. */
#include "farm_state.h"
#include "study.h"
#include "trial.h"
#include "remote.h"

#define ULL(x) (unsigned long long)(x)
#define HOLD(cond, ...)                                                                            \
    do {                                                                                           \
        if (!(cond))                                                                               \
            return errmsg_set(em, ERR_FAILED, __VA_ARGS__);                                        \
    } while (0)

static err_t check_trial(const struct study *s, const struct trial *t, struct errmsg *em)
{
    const struct trial_open *o = t->open;
    bool final = trial_state_final(t->state), open = trial_state_open(t->state);
    unsigned long long n = t->number;
    HOLD(t->study == s, "trial %llu: wrong study", n);
    HOLD(o || final, "trial %llu: %s without its open part", n, trial_state_name(t->state));
    HOLD(t->seq <= s->farm->seq, "trial %llu: a seq from the future", n);
    if (!o)
        return ERR_OK;
    HOLD(list_linked(&o->in_study) == !final, "trial %llu: in the list of unfinished ones?", n);
    HOLD(heap_has(&o->ready) == (t->state == TRIAL_QUEUED), "trial %llu: in the line?", n);
    HOLD(heap_has(&o->delayed) == (t->state == TRIAL_DELAYED), "trial %llu: among the delayed?", n);
    HOLD(!o->owner || open, "trial %llu: held but %s", n, trial_state_name(t->state));
    HOLD(!heap_has(&o->orphan) || (open && !o->owner), "trial %llu: an orphan with an owner", n);
    HOLD(!open || o->owner || heap_has(&o->orphan), "trial %llu: open, and nothing ends it", n);
    HOLD(list_linked(&o->held) == (o->owner != NULL), "trial %llu: its holder's list", n);
    HOLD(!final || list_linked(&o->dirty), "trial %llu: final, written, and not shrunk", n);
    HOLD(!open || t->attempt, "trial %llu: open without an attempt", n);
    HOLD(o->im.lost <= s->farm->c.lost_limit, "trial %llu: lost too often", n);
    return ERR_OK;
}

static err_t check_study(const struct study *s, struct errmsg *em)
{
    uint64_t count[TRIAL_CANCELLED + 1] = {0}, unfinished = 0;
    for (uint64_t n = 0; n < s->n_trials; n++) {
        const struct trial *t = trial_get(s, n);
        HOLD(t, "study %s: trial %llu is missing", s->name, ULL(n));
        err_t e = check_trial(s, t, em);
        if (e != ERR_OK)
            return errmsg_wrap(em, e, "study %s", s->name);
        count[t->state]++;
    }
    for (unsigned i = 0; i <= TRIAL_CANCELLED; i++)
        HOLD(count[i] == s->count[i], "study %s: %llu trials are %s, counted %llu", s->name,
             ULL(count[i]), trial_state_name(i), ULL(s->count[i]));
    LIST_FOREACH (it, &s->open) {
        unfinished++;
    }
    HOLD(unfinished == study_unfinished(s), "study %s: unfinished trials", s->name);
    HOLD(s->ready.n == s->count[TRIAL_QUEUED], "study %s: length of its line", s->name);
    HOLD(s->state != STUDY_ENDED || !unfinished, "study %s: ended with trials", s->name);
    HOLD(s->state != STUDY_ENDED || !s->paused, "study %s: ended and paused", s->name);
    HOLD(!s->paused || !s->open_since, "study %s: paused, and its time goes on", s->name);
    HOLD(!s->optimizer == !s->stream, "study %s: an attachment without a stream", s->name);
    HOLD(s->answered <= s->want && s->want <= s->answered + 1, "study %s: wants", s->name);
    HOLD(!s->ready.n || list_linked(&s->active), "study %s: waits and is not active", s->name);
    return ERR_OK;
}

static err_t check_worker(const struct worker *w, struct errmsg *em)
{
    struct resources used = {0};
    uint32_t held = 0;
    LIST_FOREACH (it, &w->held) {
        const struct trial_open *o = CONTAINER_OF(it, struct trial_open, held);
        HOLD(o->owner == w, "worker: it holds what another owns");
        used.cpu += o->taken.cpu;
        used.gpu += o->taken.gpu;
        used.memory += o->taken.memory;
        held++;
    }
    double d = used.cpu - w->used.cpu;
    HOLD(held == w->n_held, "worker: it holds %u, counted %u", held, w->n_held);
    HOLD(used.gpu == w->used.gpu && used.memory == w->used.memory && d < 1e-6 && d > -1e-6,
         "worker: resources taken");
    HOLD(w->granted <= w->credit, "worker: granted beyond its credit");
    HOLD(list_linked(&w->free) == (remote_free_slots(w) > 0), "worker: in the list of free ones?");
    HOLD(w->session && w->session->worker == w, "worker: its session");
    return ERR_OK;
}

static err_t check_sessions(const struct farm *f, struct errmsg *em)
{
    size_t pos = 0, workers = 0;
    for (struct session *s; (s = idmap_next(&f->sessions, &pos));) {
        HOLD(heap_has(&s->lease), "session %llu: no lease", ULL(s->number));
        HOLD(idmap_get(&f->peers, s->peer) == s, "session %llu: its peer", ULL(s->number));
        HOLD((s->role == ROLE_WORKER) == (s->worker != NULL), "session %llu: its worker",
             ULL(s->number));
        workers += s->worker != NULL;
    }
    HOLD(workers == f->workers.n, "sessions: %zu workers, counted %zu", workers, f->workers.n);
    return ERR_OK;
}

err_t farm_check(const struct farm *f, struct errmsg *em)
{
    uint64_t orphans = 0;
    for (size_t i = 0; i < f->n_studies; i++) {
        err_t e = check_study(f->studies[i], em);
        if (e != ERR_OK)
            return e;
    }
    for (size_t i = 0; i < f->orphans.n; i++)
        orphans += heap_has(f->orphans.v[i]);
    HOLD(orphans == f->orphans.n, "orphans");
    size_t pos = 0;
    for (struct worker *w; (w = idmap_next(&f->workers, &pos));) {
        err_t e = check_worker(w, em);
        if (e != ERR_OK)
            return e;
    }
    uint64_t last = 0;
    LIST_FOREACH (it, &f->dirty_trials) {
        const struct trial_open *o = CONTAINER_OF(it, struct trial_open, dirty);
        HOLD(o->dirty_seq >= last, "rows: the list of changed trials is out of order");
        last = o->dirty_seq;
    }
    return check_sessions(f, em);
}
