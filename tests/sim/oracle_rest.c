/* Boundaries, recovery, the quiet and the end: I20 the live state is the fold of the journal, I14
 * everything ends, I8 every proposal can be computed again from the journal, I21 no evaluator is
 * left. Called by the broker's shell and by the run. */
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "codec.h"
#include "oracle.h"
#include "replay.h"

#define ULL(x)     (unsigned long long)(x)
#define FOLD_EVERY 4000 /* core steps, or so */

struct oracle *oracle_new(void)
{
    struct oracle *o = alloc_zero(sizeof *o);
    idmap_init(&o->seats);
    idmap_init(&o->credits);
    arena_init(&o->arena, 0);
    buf_init(&o->text, 0);
    return o;
}

static void free_all(struct idmap *m)
{
    size_t pos = 0;
    for (void *x; (x = idmap_next(m, &pos));)
        free(x);
    idmap_fini(m);
}

void oracle_free(struct oracle *o)
{
    model_fini(&o->applied);
    model_fini(&o->durable);
    free_all(&o->seats);
    free_all(&o->credits);
    arena_fini(&o->arena);
    buf_fini(&o->text);
    free(o);
}

void oracle_commits(struct sim *s, const struct effects *fx)
{
    struct oracle *o = s->oracle;
    for (size_t i = 0; i < fx->n_records; i++) {
        struct record r;
        struct errmsg em;
        arena_clear(&o->arena);
        err_t e = record_decode(&r, effects_str(fx, fx->records[i].body), &o->arena, &em);
        SIM_CHECK(s, e == ERR_OK, "I20: a record cannot be read: %s", em.text);
        model_apply(s, &o->durable, &r);
    }
}

/* ---- I20 ---- */

static void check_trial(struct sim *s, const struct farm *f, uint64_t study, uint64_t trial,
                        const struct fate *mine, const char *what)
{
    struct trial_image im;
    SIM_CHECK(s, farm_trial(f, study, trial, &im), "I20: %s lacks trial %llu/%llu", what,
              ULL(study), ULL(trial));
    bool same =
        im.state == mine->state && im.attempt == mine->attempt &&
        (trial_state_final(im.state) || (im.lost == mine->lost && im.crashes == mine->crashes));
    SIM_CHECK(
        s, same,
        "I20: %s has trial %llu/%llu %s, attempt %u, lost %u, crashes %u; the records say %s, "
        "%u, %u, %u",
        what, ULL(study), ULL(trial), trial_state_name(im.state), im.attempt, im.lost, im.crashes,
        trial_state_name(mine->state), mine->attempt, mine->lost, mine->crashes);
}

/* A farm against the picture. */
static void check_trials(struct sim *s, const struct farm *f, const struct model *m,
                         const char *what)
{
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < m->v[i].n; k++)
            check_trial(s, f, i + 1, k, &m->v[i].fates[k], what);
}

static void check_live(struct sim *s)
{
    struct errmsg em;
    SIM_CHECK(s, farm_check(s->farm, &em) == ERR_OK, "I20: the live state: %s", em.text);
    check_trials(s, s->farm, &s->oracle->durable, "the live state");
}

static bool same_value(const struct trial_image *p, const struct trial_image *q)
{
    return p->has_value == q->has_value &&
           (!p->has_value || memcmp(&p->value, &q->value, sizeof p->value) == 0);
}

static bool same_image(const struct trial_image *p, const struct trial_image *q)
{
    return p->state == q->state && p->attempt == q->attempt && p->seq == q->seq &&
           p->lost == q->lost && p->crashes == q->crashes && p->has_step == q->has_step &&
           p->step == q->step && same_value(p, q) && p->has_resume == q->has_resume &&
           p->resume_step == q->resume_step && str_eq(p->params, q->params) &&
           str_eq(p->resume, q->resume) && p->front == q->front && p->retry_ms == q->retry_ms &&
           p->last_close == q->last_close && p->why == q->why;
}

/* Two farms, trial by trial; of what is final and written a farm keeps the state alone. */
static void compare(struct sim *s, const struct farm *f, const struct farm *g, const char *what)
{
    const struct model *m = &s->oracle->durable;
    for (size_t i = 0; i < m->n; i++) {
        for (size_t k = 0; k < m->v[i].n; k++) {
            struct trial_image p, q, row;
            bool there = farm_trial(f, i + 1, k, &p) && farm_trial(g, i + 1, k, &q);
            SIM_CHECK(s, there, "I20: %s lacks trial %zu/%zu", what, i + 1, k);
            bool final = trial_state_final(q.state);
            SIM_CHECK(s, final ? p.state == q.state && p.seq == q.seq : same_image(&p, &q),
                      "I20: %s and the journal's fold differ in trial %zu/%zu: %s/%s seq %llu/%llu",
                      what, i + 1, k, trial_state_name(p.state), trial_state_name(q.state),
                      ULL(p.seq), ULL(q.seq));
            if (disk_trial(s, i + 1, k, &row) && row.seq == q.seq)
                SIM_CHECK(s,
                          row.state == q.state && row.attempt == q.attempt &&
                              row.final_attempt == q.final_attempt &&
                              (!q.params.n || same_image(&row, &q)),
                          "I20: the row of trial %zu/%zu and the journal's fold differ", i + 1, k);
        }
    }
}

static void fold(struct sim *s)
{
    struct farm *journal = broker_fold(s, false), *rows = broker_fold(s, true);
    check_trials(s, journal, &s->oracle->durable, "the journal's fold");
    compare(s, s->farm, journal, "the live state");
    compare(s, rows, journal, "what rows and their tail give");
    farm_free(journal);
    farm_free(rows);
}

void oracle_boundary(struct sim *s)
{
    struct oracle *o = s->oracle;
    if (!effects_empty(s->gather) || s->flight)
        return;
    if (s->steps % 8 == 0)
        check_live(s);
    if (s->steps < o->next_fold)
        return;
    if (o->next_fold)
        fold(s);
    o->next_fold = s->steps + FOLD_EVERY;
}

void oracle_recovers(struct sim *s)
{
    struct oracle *o = s->oracle;
    model_fini(&o->applied);
    free_all(&o->seats);
    idmap_init(&o->seats);
    memset(o->feed_next, 0, sizeof o->feed_next);
    struct arena a;
    arena_init(&a, 0);
    for (size_t i = 0; i < disk_records(s); i++) {
        struct record r;
        arena_clear(&a);
        disk_record(s, i, &r, &a);
        model_apply(s, &o->applied, &r);
    }
    arena_fini(&a);
    for (size_t i = 0; i < o->applied.n; i++) {
        struct chapter *c = &o->applied.v[i];
        for (size_t k = 0; k < c->n; k++)
            cells_hit(&s->cells, c->fates[k].state, CELL_RESTART);
    }
    check_trials(s, s->farm, &o->applied, "what was loaded");
}

/* ---- the quiet ---- */

bool oracle_all_ended(const struct sim *s)
{
    const struct model *m = &s->oracle->durable;
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].state != STUDY_ENDED)
            return false;
    return true;
}

void oracle_unrest(const struct sim *s, char *text, size_t n)
{
    const struct model *m = &s->oracle->durable;
    snprintf(text, n, "everything has ended, and yet there is no rest");
    for (size_t i = 0; i < m->n; i++) {
        const struct chapter *c = &m->v[i];
        size_t in[TRIAL_CANCELLED + 1] = {0};
        if (c->state == STUDY_ENDED)
            continue;
        for (size_t k = 0; k < c->n; k++)
            in[c->fates[k].state]++;
        snprintf(text, n,
                 "study %s is %s%s, epoch %u; of %zu trials %zu are queued, %zu leased, %zu "
                 "running, %zu stopping, %zu paused, %zu delayed",
                 c->name, study_state_name(c->state), c->paused ? " and paused" : "", c->epoch,
                 c->n, in[TRIAL_QUEUED], in[TRIAL_LEASED], in[TRIAL_RUNNING], in[TRIAL_STOPPING],
                 in[TRIAL_PAUSED], in[TRIAL_DELAYED]);
        return;
    }
}

static bool alive(const struct sim *s, struct id128 who)
{
    for (size_t i = 0; i < SIM_WORKERS; i++)
        if (s->workers[i].core && id128_eq(s->workers[i].id, who))
            return true;
    return false;
}

void oracle_quiet(struct sim *s)
{
    struct oracle *o = s->oracle;
    const struct farm_config *c = &s->config;
    int64_t patience = 2 * (c->lease_ns + c->restart_grace_ns + 2 * c->beat_ns) + 100 * SEC;
    if (o->quiet_checked || s->now < s->quiet_since + patience)
        return;
    o->quiet_checked = true;
    for (size_t i = 0; i < o->durable.n; i++) {
        for (size_t k = 0; k < o->durable.v[i].n; k++) {
            const struct fate *f = &o->durable.v[i].fates[k];
            bool open = f->state >= TRIAL_LEASED && f->state <= TRIAL_STOPPING;
            SIM_CHECK(s, !open || alive(s, f->lives[f->attempt].who),
                      "I14: trial %zu/%zu is open on a worker that is gone", i + 1, k);
        }
    }
}

/* ---- the end ---- */

/* I8: every proposal again, from the journal. */
static void expect_proposals(struct sim *s, struct replay *p, uint64_t study, size_t from,
                             struct arena *a)
{
    for (size_t i = from; i < disk_records(s); i++) {
        struct record r;
        arena_clear(a);
        disk_record(s, i, &r, a);
        if (r.study != study)
            continue;
        if (r.kind == REC_SPEC_ADDED)
            return;
        if (r.kind != REC_PROPOSED)
            continue;
        struct errmsg em;
        struct proposal x = {.draw = r.number,
                             .params = r.text,
                             .why = r.note,
                             .based_on = r.based_on,
                             .behind = r.behind};
        err_t e = replay_expect(p, &x, &em);
        SIM_CHECK(s, e == ERR_OK, "I8: draw %llu cannot be replayed: %s", ULL(r.number), em.text);
    }
}

static void replay_study(struct sim *s, uint64_t study)
{
    struct replay *p = replay_new();
    struct arena a, b;
    struct errmsg em = {""};
    arena_init(&a, 0);
    arena_init(&b, 0);
    for (size_t i = 0; i < disk_records(s); i++) {
        struct record r;
        arena_clear(&a);
        disk_record(s, i, &r, &a);
        bool spec = r.kind == REC_STUDY_CREATED || r.kind == REC_SPEC_ADDED;
        if (r.study != study || !spec)
            continue;
        err_t e = replay_spec(p, disk_blob(s, r.digest), &em);
        SIM_CHECK(s, e == ERR_OK, "I8: the spec cannot be replayed: %s", em.text);
        expect_proposals(s, p, study, i + 1, &b);
        for (size_t k = 0; k < disk_records(s); k++) {
            arena_clear(&b);
            disk_record(s, k, &r, &b);
            e = r.study == study ? replay_record(p, &r, &em) : ERR_OK;
            SIM_CHECK(s, e == ERR_OK, "I8: a record cannot be replayed: %s", em.text);
        }
    }
    replay_end(p);
    struct buf text;
    buf_init(&text, 0);
    replay_write(p, &text);
    SIM_CHECK(s, replay_equal(p),
              "I8: the proposals of study %llu are not those of its journal: %s", ULL(study),
              buf_z(&text));
    buf_fini(&text);
    replay_free(p);
    arena_fini(&a);
    arena_fini(&b);
}

static void check_proposals(struct sim *s)
{
    const struct model *m = &s->oracle->applied;
    for (size_t i = 0; i < m->n && !s->plan.prunes; i++)
        if (!s->oracle->tainted[i])
            replay_study(s, i + 1);
}

static void check_workers(struct sim *s)
{
    for (size_t i = 0; i < SIM_WORKERS; i++) {
        const struct sim_worker *w = &s->workers[i];
        SIM_CHECK(s, !w->core || !child_count(w), "I21: an evaluator runs when all is at rest");
        SIM_CHECK(s, !w->core || !worker_attempts(w->core),
                  "I14: a worker holds an attempt when all is at rest");
    }
}

void oracle_end(struct sim *s)
{
    struct oracle *o = s->oracle;
    SIM_CHECK(s, effects_empty(s->gather) && !s->flight, "the end is no boundary");
    check_live(s);
    fold(s);
    for (size_t i = 0; i < o->durable.n; i++)
        for (size_t k = 0; k < o->durable.v[i].n; k++)
            SIM_CHECK(s, trial_state_final(o->durable.v[i].fates[k].state),
                      "I14: a trial has not ended");
    check_workers(s);
    check_proposals(s);
}
