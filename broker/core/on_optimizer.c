/* What optimizers say about the studies they have. Everything carries the attachment's epoch; one
 * that is not current gets DETACHED and changes nothing.
 *
 * Parameters and reasons are opaque here. A PROPOSE that contradicts what was asked or recorded
 * (its draws are not the next ones) ends the attachment, because the optimizer's picture of the
 * study is not ours. */
#include "on_optimizer.h"

#include "attach.h"
#include "stream.h"
#include "study.h"
#include "tally.h"
#include "trial.h"
#include "want.h"

/* The study, if this session has it under this epoch. */
static struct study *attached(const struct act *a, struct session *s, uint64_t number,
                              uint32_t epoch)
{
    struct study *study = study_get(a->f, number);
    if (study && study->optimizer == s && study->optimizer_epoch == epoch)
        return study;
    struct msg_detached m = {.study = number, .epoch = epoch, .why = STR("stale")};
    tally(a->f, s, COUNT_STALE_ATTACHMENT, 1);
    effects_send(a->fx, s->peer, s->number, MSG_DETACHED, &m);
    return NULL;
}

void on_optimizer_pull(const struct act *a, struct session *s, const union message *m)
{
    struct study *study = attached(a, s, m->pull.study, m->pull.epoch);
    if (!study || m->pull.credit <= study->stream->credit)
        return;
    study->stream->credit = m->pull.credit;
    stream_wake(a->f, study->stream);
}

static const char *proposal_fault(const struct study *s, const struct msg_propose *q)
{
    if (q->proposals.n > s->want_n)
        return "PROPOSE: more proposals than were wanted";
    if (s->n_trials + q->proposals.n > TRIALS_MAX)
        return "PROPOSE: the study has as many trials as it may have";
    for (uint32_t i = 0; i < q->proposals.n; i++) {
        const struct proposal *p = &q->proposals.v[i];
        if (p->draw != s->next_draw + i)
            return "PROPOSE: the draws are not the next ones";
        if (p->params.n < 2 || p->params.p[0] != '{' || p->params.p[p->params.n - 1] != '}')
            return "PROPOSE: params is not a JSON object";
    }
    return NULL;
}

static void propose_one(const struct act *a, struct study *s, const struct proposal *p)
{
    struct record r = {.kind = REC_PROPOSED,
                       .trial = s->n_trials,
                       .text = p->params,
                       .note = p->why,
                       .number = p->draw,
                       .based_on = p->based_on,
                       .behind = p->behind};
    r.decide.v = p->decide.v;
    r.decide.n = p->decide.n;
    verb_record(a, s, &r, NULL);
}

static void give_up(const struct act *a, struct study *s, struct str error)
{
    struct buf why = {0};
    buf_printf(&why, "error: " STR_FMT, STR_ARG(error));
    struct str text = buf_str(&why);
    text.n = str_utf8_cut(text, 255);
    verb_close_study(a, s, text);
    buf_fini(&why);
}

void on_optimizer_propose(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_propose *q = &m->propose;
    struct study *study = attached(a, s, q->study, q->epoch);
    if (!study)
        return;
    if (study->want == study->answered || q->want != study->want) {
        tally(a->f, s, COUNT_UNWANTED_PROPOSAL, 1);
        return;
    }
    const char *fault = proposal_fault(study, q);
    if (fault || a->f->full) {
        tally(a->f, s, fault ? COUNT_BAD_PROPOSAL : COUNT_DISK_FULL, 1);
        if (fault)
            session_error(a->fx, s->peer, s->number, MSG_PROPOSE, ERR_INVALID, fault);
        study->broken = fault != NULL;
        attach_end(a, study, fault ? fault : "the broker's disk is full");
        return;
    }
    uint32_t n = study->want_n;
    want_answered(study, q->proposals.n);
    bool fewer = q->proposals.n < n;
    if (study->state != STUDY_OPEN)
        return;
    for (uint32_t i = 0; i < q->proposals.n; i++)
        propose_one(a, study, &q->proposals.v[i]);
    study->hold = fewer;
    if (q->error.n)
        give_up(a, study, q->error);
}

void on_optimizer_close_study(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_close_study *q = &m->close_study;
    struct study *study = attached(a, s, q->study, q->epoch);
    if (!study)
        return;
    if (study->state == STUDY_OPEN)
        verb_close_study(a, study, q->why);
    if (q->stop_running)
        verb_cancel_all(a, study);
}

void on_optimizer_prune(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_prune *q = &m->prune;
    struct study *study = attached(a, s, q->study, q->epoch);
    struct trial *t = study ? trial_get(study, q->trial) : NULL;
    if (!study)
        return;
    /* A decision rests on a report; without it the optimizer cannot have made it. */
    if (!t || trial_state_final(t->state) || t->attempt != q->attempt || !t->open->im.has_step ||
        q->step > t->open->im.step) {
        tally(a->f, s, COUNT_LATE_PRUNE, 1);
        return;
    }
    if (t->state == TRIAL_LEASED || t->state == TRIAL_RUNNING)
        verb_stop(a, t, q->pause ? STOP_PAUSE : STOP_PRUNE, q->step, true, q->why);
    else if ((t->state == TRIAL_QUEUED || t->state == TRIAL_PAUSED) && !q->pause)
        verb_finish(a, t, TRIAL_PRUNED, NULL, (struct str){0});
}
