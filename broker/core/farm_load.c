/* Coming back: the rows of the database, then the records behind them. What a row has already is
 * skipped by its seq, so the result is the fold of the whole journal. Attempts that were open stay
 * open without an owner until their workers say HELLO, or the grace is over.
 *
 * Called by the owner before the first message. What is read is checked: a database that
 * contradicts itself is refused, not repaired. */
#include "farm.h"

#include <stdlib.h>

#include "apply.h"
#include "on_client.h"
#include "study.h"
#include "trial.h"
#include "verbs.h"
#include "remote.h"

#define ULL(x) (unsigned long long)(x)

err_t farm_load_study(struct farm *f, const struct study_image *i, struct str spec,
                      const struct envelope *env, struct errmsg *em)
{
    if (i->number != f->n_studies + 1 || !study_name_ok(i->name) || !env || i->state > STUDY_ENDED)
        return errmsg_set(em, ERR_CORRUPT, "the database's row of study %llu is damaged",
                          ULL(i->number));
    struct study *s = study_add(f, i->number, i->name);
    study_set_spec(s, i->spec, i->search, i->spec_number, spec, env);
    s->seq = i->seq;
    s->study_seq = i->study_seq;
    s->state = i->state;
    s->paused = i->paused;
    s->why = i->why.n ? str_dupz(i->why) : NULL;
    s->optimizer_epoch = i->optimizer_epoch;
    s->created_ms = i->created_ms;
    s->ended_ms = i->ended_ms;
    s->elapsed_ms = i->elapsed_ms;
    s->compacted = i->compacted;
    return ERR_OK;
}

/* A final row needs no more in memory than its state. */
static void load_open(struct trial *t, const struct trial_image *i)
{
    struct trial_image *im = &t->open->im;
    *im = *i;
    struct str *texts[] = {&im->params, &im->why_text, &im->metrics, &im->error, &im->resume};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        struct str text = *texts[k];
        *texts[k] = (struct str){0};
        trial_text(texts[k], text);
    }
    im->decide = NULL;
    if (i->n_decide) {
        int64_t *steps = alloc_array(i->n_decide, sizeof *steps);
        memcpy(steps, i->decide, i->n_decide * sizeof *steps);
        im->decide = steps;
    }
}

err_t farm_load_trial(struct farm *f, const struct trial_image *i, struct errmsg *em)
{
    struct study *s = study_get(f, i->study);
    if (!s || i->number >= TRIALS_MAX || trial_get(s, i->number) || i->state > TRIAL_CANCELLED)
        return errmsg_set(em, ERR_CORRUPT,
                          "the database's row of trial %llu of study %llu is damaged",
                          ULL(i->number), ULL(i->study));
    struct trial *t = trial_add(s, i->number);
    t->seq = i->seq;
    t->attempt = i->attempt;
    t->final_attempt = i->final_attempt;
    t->state = i->state;
    t->adopted = i->adopted;
    t->worker = remote_number(f, i->worker);
    if (i->has_draw && i->draw >= s->next_draw)
        s->next_draw = i->draw + 1;
    if (i->state == TRIAL_COMPLETE && i->has_value)
        study_score(s, i->number, i->value);
    if (!trial_state_final(i->state))
        load_open(t, i);
    trial_place(t);
    trial_shrink(t);
    return ERR_OK;
}

void farm_load_request(struct farm *f, const struct msg_reply *answer)
{
    kept_put(f, answer);
}

/* The row that a record changes has it already. */
static bool has_it(const struct farm *f, const struct record *r)
{
    const struct study *s = study_get(f, r->study);
    if (!s)
        return false;
    if (!apply_is_trial_kind(r->kind))
        return r->seq <= s->seq;
    const struct trial *t = trial_get(s, r->trial);
    return t && r->seq <= t->seq;
}

err_t farm_load_record(struct farm *f, const struct record *r, struct str spec,
                       const struct envelope *env, struct errmsg *em)
{
    struct apply_spec sp = {.bytes = spec, .env = env};
    if (r->seq <= f->seq)
        return errmsg_set(em, ERR_CORRUPT, "the journal's record %llu is out of order",
                          ULL(r->seq));
    struct study *s = study_get(f, r->study);
    if (has_it(f, r)) {
        f->seq = r->seq;
        if (r->study_seq > s->study_seq) { /* in the trial's row, and not yet in the study's */
            s->study_seq = r->study_seq;
            study_mark(s, r->seq, 0);
        }
        return ERR_OK;
    }
    uint64_t study_seq = s ? s->study_seq : 0;
    const char *fault = apply_record(f, 0, r, &sp);
    if (fault)
        return errmsg_set(em, ERR_CORRUPT,
                          "the journal's record %llu (%s, study %llu, trial %llu) does not fit: %s",
                          ULL(r->seq), record_kind_name(r->kind), ULL(r->study), ULL(r->trial),
                          fault);
    if (s && s->study_seq < study_seq)
        s->study_seq = study_seq;
    return ERR_OK;
}

static void wait_for_worker(struct farm *f, struct trial_open *o, int64_t until)
{
    if (trial_state_open(o->trial->state))
        heap_insert(&f->orphans, &o->orphan, until);
}

static void settle_study(struct farm *f, struct study *s, int64_t now)
{
    s->feed_next = s->study_seq + 1;
    s->open_since = s->state == STUDY_OPEN && !s->paused ? now : 0;
    LIST_FOREACH (it, &s->open) {
        wait_for_worker(f, CONTAINER_OF(it, struct trial_open, in_study), f->grace_until);
    }
}

err_t farm_load_check(const struct farm *f, struct errmsg *em)
{
    for (size_t i = 0; i < f->n_studies; i++) {
        const struct study *s = f->studies[i];
        uint64_t n = 0;
        for (unsigned state = 0; state <= TRIAL_CANCELLED; state++)
            n += s->count[state];
        if (n != s->n_trials)
            return errmsg_set(em, ERR_CORRUPT,
                              "the database has %llu trials of study %s, %llu were expected",
                              ULL(n), s->name, ULL(s->n_trials));
    }
    return ERR_OK;
}

void farm_load_done(struct farm *f, int64_t now, uint64_t last_seq, struct effects *fx)
{
    struct act a = {f, now, fx};
    if (last_seq > f->seq)
        f->seq = last_seq;
    f->grace_until = now + f->c.lease_ns + f->c.restart_grace_ns;
    for (size_t i = 0; i < f->n_studies; i++)
        settle_study(f, f->studies[i], now);
    f->attach_wanted = true;
    f->beacon_at = f->loaded_at = now;
    struct record r = {
        .kind = REC_BROKER_STARTED, .number = f->c.epoch, .text = str_of(f->version)};
    verb_record(&a, NULL, &r, NULL);
}
