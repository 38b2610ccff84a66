/* What workers say about attempts. Each message is answered by ACK (it is recorded, now or before)
 * or NAK (it never will be); while the store is full, what is no end gets no answer and comes
 * again.
 *
 * The rules are the state table of docs/decisions.md: a repeated message is acknowledged and
 * changes nothing, one of another attempt is refused, a real result beats a stop, and the result of
 * an expired attempt is adopted while its trial still waits. */
#include "on_worker.h"

#include <math.h>

#include "json_check.h"
#include "leave.h"
#include "study.h"
#include "tally.h"
#include "trial.h"
#include "verdict.h"
#include "remote.h"

#define STEP_MAX ((INT64_C(1) << 53) - 1)

/* The attempt a message names, as it names it. */
struct named {
    uint64_t study, trial;
    uint32_t attempt;
    uint8_t of;
};

static void ack(const struct act *a, const struct session *s, struct named n, int64_t step)
{
    struct msg_ack m = {
        .study = n.study, .trial = n.trial, .attempt = n.attempt, .of = n.of, .step = step};
    effects_send(a->fx, s->peer, s->number, MSG_ACK, &m);
}

static void nak(const struct act *a, struct session *s, struct named n, enum nak_code code)
{
    static const enum counter causes[] = {
        [NAK_SUPERSEDED] = COUNT_SUPERSEDED,   [NAK_FINISHED] = COUNT_FINISHED,
        [NAK_UNKNOWN] = COUNT_UNKNOWN_ATTEMPT, [NAK_STALE] = COUNT_SUPERSEDED,
        [NAK_NOT_OWNER] = COUNT_NOT_OWNER,     [NAK_FULL] = COUNT_DISK_FULL};
    struct msg_nak m = {.study = n.study,
                        .trial = n.trial,
                        .attempt = n.attempt,
                        .of = n.of,
                        .code = (uint8_t)code};
    tally(a->f, s, causes[code], 1);
    effects_send(a->fx, s->peer, s->number, MSG_NAK, &m);
}

static void refuse(const struct act *a, struct session *s, unsigned kind, const char *fault)
{
    tally(a->f, s, COUNT_INVALID_VALUE, 1);
    session_error(a->fx, s->peer, s->number, kind, ERR_INVALID, fault);
}

static struct trial *attempt_of(const struct act *a, struct session *s, struct named n)
{
    enum nak_code why;
    struct trial *t = verdict_attempt(a->f, s->worker, n.study, n.trial, n.attempt, &why);
    if (!t)
        nak(a, s, n, why);
    return t;
}

/* The disk is full: what is no end gets no answer and comes again. */
static bool no_room(const struct act *a, struct session *s)
{
    tally(a->f, s, COUNT_DISK_FULL, a->f->full);
    return a->f->full;
}

void on_worker_credit(const struct act *a, struct session *s, const union message *m)
{
    struct worker *w = s->worker;
    if (m->credit.total <= w->credit) {
        tally(a->f, s, COUNT_OLD_CREDIT, 1);
        return;
    }
    tally(a->f, s, COUNT_EXCESS_CREDIT, m->credit.total - w->granted > w->slots);
    w->credit = m->credit.total;
    remote_gained(a->f, w);
}

void on_worker_start(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_start *q = &m->start;
    struct named n = {q->study, q->trial, q->attempt, MSG_START};
    if (q->resume > RESUME_CHANGED || q->resume_step < 0 || q->resume_step > STEP_MAX) {
        refuse(a, s, MSG_START, "START: what it resumes from is not a known outcome and step");
        return;
    }
    struct trial *t = attempt_of(a, s, n);
    if (!t || (t->state == TRIAL_LEASED && no_room(a, s)))
        return;
    if (t->state != TRIAL_LEASED) {
        tally(a->f, s, COUNT_REPEATED_START, 1);
    } else {
        struct record r = {.kind = REC_STARTED,
                           .trial = t->number,
                           .attempt = t->attempt,
                           .number = q->pid,
                           .code = q->resume,
                           .has_step = q->resume == RESUME_DONE,
                           .step = q->resume == RESUME_DONE ? q->resume_step : 0,
                           .note = str_of(s->host)};
        verb_record(a, t->study, &r, NULL);
    }
    ack(a, s, n, 0);
    if (t->state == TRIAL_STOPPING)
        verb_send_stop(a, t);
}

/* Metrics are shown to people through SQL's JSON functions, which stop at anything else. */
static bool metrics_ok(struct str metrics)
{
    return !metrics.n || (metrics.p[0] == '{' && json_check(metrics, false, NULL) == ERR_OK);
}

static const char *points_fault(const struct msg_report *q)
{
    for (uint32_t i = 0; i < q->points.n; i++) {
        int64_t step = q->points.v[i].step;
        if (step < 0 || step > STEP_MAX)
            return "REPORT: a step is not in 0 to 2^53-1";
        if (i && step <= q->points.v[i - 1].step)
            return "REPORT: the steps do not rise";
        if (!metrics_ok(q->points.v[i].metrics))
            return "REPORT: the metrics are no JSON object";
    }
    return NULL;
}

/* True if a report or checkpoint is not to be taken now. While the disk is full it gets no answer.
 * What follows such a one must not be taken before it comes again, because an acknowledged step
 * speaks for all before it: so the session ends, and in the next one everything comes in order. */
static bool passed_over(const struct act *a, struct session *s, unsigned kind)
{
    if (a->f->full)
        s->passed_over = true;
    else if (s->passed_over)
        session_error(a->fx, s->peer, s->number, kind, ERR_STALE,
                      "reports of this session were passed over while the disk was full; say HELLO "
                      "again");
    tally(a->f, s, COUNT_DISK_FULL, s->passed_over);
    return s->passed_over;
}

void on_worker_report(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_report *q = &m->report;
    struct named n = {q->study, q->trial, q->attempt, MSG_REPORT};
    const char *fault = points_fault(q);
    if (fault) {
        refuse(a, s, MSG_REPORT, fault);
        return;
    }
    struct trial *t = attempt_of(a, s, n);
    if (!t || passed_over(a, s, MSG_REPORT))
        return;
    const struct trial_image *im = &t->open->im;
    for (uint32_t i = 0; i < q->points.n; i++) {
        const struct point *p = &q->points.v[i];
        if (im->has_step && p->step <= im->step) {
            tally(a->f, s, COUNT_REPEATED_REPORT, 1);
            continue;
        }
        struct record r = {.kind = REC_REPORTED,
                           .trial = t->number,
                           .attempt = t->attempt,
                           .has_step = true,
                           .step = p->step,
                           .has_value = p->has_value,
                           .value = p->value,
                           .text = p->metrics};
        verb_record(a, t->study, &r, NULL);
    }
    ack(a, s, n, im->step);
    if (t->state == TRIAL_STOPPING)
        verb_send_stop(a, t);
}

void on_worker_checkpoint(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_checkpoint *q = &m->checkpoint;
    struct named n = {q->study, q->trial, q->attempt, MSG_CHECKPOINT};
    if (q->step < 0 || q->step > STEP_MAX) {
        refuse(a, s, MSG_CHECKPOINT, "CHECKPOINT: the step is not in 0 to 2^53-1");
        return;
    }
    if (!q->uri.n) {
        refuse(a, s, MSG_CHECKPOINT, "CHECKPOINT: it says where nothing is");
        return;
    }
    if (str_has_control(q->uri)) {
        refuse(a, s, MSG_CHECKPOINT, "CHECKPOINT: its place holds a control character");
        return;
    }
    struct trial *t = attempt_of(a, s, n);
    if (!t || passed_over(a, s, MSG_CHECKPOINT))
        return;
    const struct trial_image *im = &t->open->im;
    bool newer = !im->has_resume || q->step > im->resume_step || !str_eq(q->uri, im->resume) ||
                 !digest_eq(q->digest, im->resume_digest);
    tally(a->f, s, COUNT_REPEATED_CHECKPOINT, !newer);
    if (newer) {
        struct record r = {.kind = REC_CHECKPOINTED,
                           .trial = t->number,
                           .attempt = t->attempt,
                           .has_step = true,
                           .step = q->step,
                           .text = q->uri,
                           .digest = q->digest,
                           .number = q->size};
        verb_record(a, t->study, &r, NULL);
    }
    ack(a, s, n, q->step);
    if (t->state == TRIAL_STOPPING)
        verb_send_stop(a, t);
}

/* ---- ends ---- */

static void crashed(const struct act *a, struct trial *t, const struct msg_final *q)
{
    const struct envelope *e = &t->study->env;
    if (q->no_retry || t->open->im.crashes + 1 > e->retries) {
        verb_finish(a, t, TRIAL_FAILED, q, q->error);
        return;
    }
    struct closing c = {
        .why = CLOSE_CRASH, .note = q->error, .exit_code = q->exit_code, .signal = q->signal};
    if (e->retry_delay_ns > 0)
        c.retry_ms = (uint64_t)(farm_wall(a->f, a->now) + e->retry_delay_ns / NS_PER_MS);
    verb_close(a, t, &c);
}

static void finish_ok(const struct act *a, struct trial *t, const struct msg_final *q)
{
    if (!q->has_value)
        verb_finish(a, t, TRIAL_FAILED, q, STR("no final value"));
    else if (!isfinite(q->value))
        verb_finish(a, t, TRIAL_FAILED, q, STR("non-finite"));
    else
        verb_finish(a, t, TRIAL_COMPLETE, q, (struct str){0});
}

/* The end of an attempt that was asked to stop, and did not bring a result. */
static void finish_stop(const struct act *a, struct trial *t, const struct msg_final *q)
{
    if (t->open->im.why == STOP_PAUSE)
        verb_release(a, t, q->error);
    else
        verb_finish(a, t, t->open->im.why == STOP_PRUNE ? TRIAL_PRUNED : TRIAL_CANCELLED, q,
                    q->error);
}

static void end_attempt(const struct act *a, struct trial *t, const struct msg_final *q)
{
    bool result = q->status == FINAL_OK && q->has_value && isfinite(q->value);
    if (t->state == TRIAL_STOPPING && !result)
        finish_stop(a, t, q);
    else if (q->status == FINAL_OK)
        finish_ok(a, t, q);
    else if (q->status == FINAL_PRUNED)
        verb_finish(a, t, TRIAL_PRUNED, q, q->error);
    else
        crashed(a, t, q);
}

/* The message is about an attempt that is over: acknowledged if its end is the recorded one. */
static bool ended_so(const struct trial *t, uint32_t attempt, unsigned close)
{
    if (verdict_finished_by(t, attempt))
        return true;
    return !trial_state_final(t->state) && !trial_state_open(t->state) && t->attempt == attempt &&
           t->open->im.last_close == close + 1;
}

void on_worker_final(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_final *q = &m->final;
    struct named n = {q->study, q->trial, q->attempt, MSG_FINAL};
    enum nak_code why;
    if (q->has_step && (q->last_step < 0 || q->last_step > STEP_MAX)) {
        refuse(a, s, MSG_FINAL, "FINAL: the last step is not in 0 to 2^53-1");
        return;
    }
    if (!metrics_ok(q->metrics)) {
        refuse(a, s, MSG_FINAL, "FINAL: the metrics are no JSON object");
        return;
    }
    struct trial *t = verdict_attempt(a->f, s->worker, q->study, q->trial, q->attempt, &why);
    if (t) {
        end_attempt(a, t, q);
        ack(a, s, n, 0);
        return;
    }
    struct study *study = study_get(a->f, q->study);
    t = study ? trial_get(study, q->trial) : NULL;
    if (t && ended_so(t, q->attempt, q->status == FINAL_ERROR ? CLOSE_CRASH : CLOSE_RELEASED)) {
        tally(a->f, s, COUNT_REPEATED_FINAL, 1);
        ack(a, s, n, 0);
    } else if (t && verdict_adoptable(s->worker, t, q->attempt) && q->status == FINAL_OK) {
        verb_adopt(a, t, s->worker);
        end_attempt(a, t, q);
        ack(a, s, n, 0);
    } else {
        nak(a, s, n, why);
    }
}

void on_worker_release(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_release *q = &m->release;
    struct named n = {q->study, q->trial, q->attempt, MSG_RELEASE};
    enum nak_code why;
    struct trial *t = verdict_attempt(a->f, s->worker, q->study, q->trial, q->attempt, &why);
    if (t) {
        if (q->why == RELEASE_LOST)
            verb_lost(a, t, "the worker lost it");
        else
            verb_release(a, t, q->note.n ? q->note : str_of(release_why_name(q->why)));
        ack(a, s, n, 0);
        return;
    }
    struct study *study = study_get(a->f, q->study);
    t = study ? trial_get(study, q->trial) : NULL;
    bool known = t && (ended_so(t, q->attempt, CLOSE_RELEASED) ||
                       verdict_adoptable(s->worker, t, q->attempt));
    tally(a->f, s, COUNT_REPEATED_RELEASE, known);
    if (known)
        ack(a, s, n, 0);
    else
        nak(a, s, n, why);
}

void on_worker_drain(const struct act *a, struct session *s, const union message *m)
{
    struct worker *w = s->worker;
    leave_begins(a, w, m->drain.deadline_ms, m->drain.why);
    struct msg_drain_ok ok = {.running = w->n_held};
    effects_send(a->fx, s->peer, s->number, MSG_DRAIN_OK, &ok);
}
