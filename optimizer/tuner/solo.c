/* The books of a study that no broker keeps: numbers, the queue of known points, the records.
 *
 * Called by the filter mode and by the library. It writes the records that a broker would have
 * written and feeds the tuner with them, so that a study behaves alike in a farm and without one.
 * It must not know how a request looks, nor where a study is kept. */
#include "solo.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"

struct solo {
    const struct spec *spec;
    struct tuner *tuner;
    uint64_t n_trials, draws, seq;
    char **known;                          /* points beyond those of the spec, terminated */
    size_t next_known, n_known, cap_known; /* next: counts those of the spec, too */
    struct buf params, why;                /* of the trial handed out last */
};

err_t solo_new(struct solo **out, const struct spec *spec, struct errmsg *em)
{
    struct solo *s = alloc_zero(sizeof *s);
    s->spec = spec;
    buf_init(&s->params, 0);
    buf_init(&s->why, 0);
    err_t e = tuner_new(&s->tuner, spec, em);
    if (e) {
        free(s);
        return e;
    }
    *out = s;
    return ERR_OK;
}

void solo_free(struct solo *s)
{
    if (!s)
        return;
    tuner_free(s->tuner);
    for (size_t i = 0; i < s->n_known; i++)
        free(s->known[i]);
    free(s->known);
    buf_fini(&s->params);
    buf_fini(&s->why);
    free(s);
}

const struct tuner *solo_tuner(const struct solo *s)
{
    return s->tuner;
}

uint64_t solo_count(const struct solo *s)
{
    return s->n_trials;
}

uint64_t solo_queued(const struct solo *s)
{
    return s->spec->n_enqueue + s->n_known - s->next_known;
}

static err_t record(struct solo *s, struct record *r, struct errmsg *em)
{
    r->study_seq = s->seq + 1;
    err_t e = tuner_on_record(s->tuner, r, em);
    if (!e)
        s->seq++;
    return e;
}

/* A trial comes to be: the record of it, under the next number. */
static err_t begin(struct solo *s, struct record *r, struct errmsg *em)
{
    r->trial = s->n_trials;
    err_t e = record(s, r, em);
    if (!e)
        s->n_trials++;
    return e;
}

err_t solo_propose(struct solo *s, struct str params, struct errmsg *em)
{
    struct record r = {.kind = REC_PROPOSED, .text = params, .number = s->draws};
    err_t e = begin(s, &r, em);
    if (!e)
        s->draws++;
    return e;
}

err_t solo_add(struct solo *s, struct str params, uint64_t *trial, struct errmsg *em)
{
    struct record r = {.kind = REC_ENQUEUED, .text = params};
    err_t e = begin(s, &r, em);
    if (!e)
        *trial = r.trial;
    return e;
}

err_t solo_enqueue(struct solo *s, struct str params, struct errmsg *em)
{
    if (solo_queued(s) >= SOLO_MAX_QUEUED)
        return errmsg_set(em, ERR_LIMIT, "%d known points may wait at once", SOLO_MAX_QUEUED);
    if (s->n_known == s->cap_known) {
        s->cap_known = s->cap_known ? 2 * s->cap_known : 16;
        s->known = alloc_grow(s->known, s->cap_known, sizeof *s->known);
    }
    s->known[s->n_known++] = str_dupz(params);
    return ERR_OK;
}

static struct str next_known(const struct solo *s)
{
    size_t i = s->next_known, of_spec = s->spec->n_enqueue;
    return i < of_spec ? s->spec->enqueue[i] : str_of(s->known[i - of_spec]);
}

static void drop_known(struct solo *s)
{
    size_t i = s->next_known++, of_spec = s->spec->n_enqueue;
    if (i >= of_spec) {
        free(s->known[i - of_spec]);
        s->known[i - of_spec] = NULL;
    }
}

/* Copies, because the tuner's texts are gone with the next record. */
static void describe(struct solo *s, struct str params, struct str why)
{
    buf_clear(&s->params);
    buf_clear(&s->why);
    buf_add_str(&s->params, params);
    buf_add_str(&s->why, why);
}

static void show(const struct solo *s, bool proposed, struct solo_trial *out)
{
    *out = (struct solo_trial){s->n_trials - 1, buf_str(&s->params), buf_str(&s->why), proposed};
}

err_t solo_take(struct solo *s, struct solo_trial *out, struct errmsg *em)
{
    uint64_t trial;
    if (solo_queued(s) == 0)
        return errmsg_set(em, ERR_NOT_FOUND, "no known point waits");
    describe(s, next_known(s), STR(""));
    err_t e = solo_add(s, buf_str(&s->params), &trial, em);
    if (e)
        return e;
    drop_known(s);
    show(s, false, out);
    return ERR_OK;
}

err_t solo_ask(struct solo *s, enum solo_answer *answer, struct solo_trial *out, struct errmsg *em)
{
    bool stop_running;
    struct tuner_proposal p;
    *answer = SOLO_END;
    if (tuner_rule(s->tuner, &stop_running))
        return ERR_OK;
    if (solo_queued(s) > 0) {
        *answer = SOLO_TRIAL;
        return solo_take(s, out, em);
    }
    if (s->n_trials >= HISTORY_MAX_TRIALS)
        return errmsg_set(em, ERR_LIMIT, "a study may have %llu trials",
                          (unsigned long long)HISTORY_MAX_TRIALS);
    if (tuner_ask(s->tuner, 1, &p) == 0) {
        *answer = tuner_verdict(s->tuner, &stop_running) ? SOLO_END : SOLO_WAIT;
        return ERR_OK;
    }
    *answer = SOLO_TRIAL;
    describe(s, p.params, p.why);
    err_t e = solo_propose(s, buf_str(&s->params), em);
    if (!e)
        show(s, true, out);
    return e;
}

static err_t check_pending(const struct solo *s, uint64_t trial, struct errmsg *em)
{
    if (trial >= s->n_trials)
        return errmsg_set(em, ERR_NOT_FOUND, "there is no trial %lld", (long long)trial);
    if (!tuner_pending(s->tuner, trial))
        return errmsg_set(em, ERR_EXISTS, "the result of trial %lld is known already",
                          (long long)trial);
    return ERR_OK;
}

err_t solo_report(struct solo *s, uint64_t trial, int64_t step, double loss, struct errmsg *em)
{
    struct record r = {.kind = REC_REPORTED,
                       .trial = trial,
                       .has_step = true,
                       .step = step,
                       .has_value = true,
                       .value = loss};
    err_t e = check_pending(s, trial, em);
    if (e)
        return e;
    if (step < 0 || step > SOLO_MAX_STEP)
        return errmsg_set(em, ERR_INVALID, "step %lld: expected a whole number from 0 to 2^53-1",
                          (long long)step);
    return record(s, &r, em);
}

err_t solo_finish(struct solo *s, uint64_t trial, enum trial_state state, double loss,
                  struct errmsg *em)
{
    struct record r = {.kind = REC_FINISHED, .trial = trial, .code = (uint8_t)state};
    err_t e = check_pending(s, trial, em);
    if (e)
        return e;
    if (!trial_state_final(state))
        return errmsg_set(em, ERR_INVALID, "trial %lld: %s is no end of a trial", (long long)trial,
                          trial_state_name(state));
    if (state == TRIAL_COMPLETE && isnan(loss))
        return errmsg_set(em, ERR_INVALID, "trial %lld: NaN is no loss; a trial without one failed",
                          (long long)trial);
    if (state == TRIAL_COMPLETE) {
        r.has_value = true;
        r.value = loss;
    }
    return record(s, &r, em);
}

void solo_exhausted(struct solo *s)
{
    tuner_on_exhausted(s->tuner);
}

void solo_elapsed(struct solo *s, int64_t ns)
{
    tuner_on_elapsed(s->tuner, ns);
}
