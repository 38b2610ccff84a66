/* Attempts of processes that have ended, from the records of their spools (spooling.c says what
 * those are): each becomes an attempt without slot or child, done, whose outbox is what the spool
 * held. From there the ordinary way leads on: it is named in HELLO, the broker's verdict decides,
 * it is sent until it is acknowledged. Called by the shell. It must not know where records come
 * from, nor believe them further than a message of a peer. */
#include <stdlib.h>

#include "alloc.h"
#include "worker_impl.h"

static struct attempt *find_ghost(const struct worker *w, uint64_t study, uint64_t trial,
                                  uint32_t number)
{
    struct attempt *a = worker_find(w, study, trial, number);
    return a && a->ghost ? a : NULL;
}

/* False: there are too many processes. */
static bool on_hello(struct worker *w, struct id128 peer)
{
    w->restore.owner = peer;
    for (uint32_t i = 0; i < w->n_formers; i++)
        if (id128_eq(w->formers[i], peer))
            return true;
    if (w->n_formers == WORKER_MAX_FORMERS)
        return false;
    w->formers[w->n_formers++] = peer;
    return true;
}

static bool on_assign(struct worker *w, const struct msg_assign *m)
{
    if (worker_find(w, m->study, m->trial, m->attempt))
        return true;
    if (w->n_attempts == WORKER_MAX_SLOTS)
        return false;
    struct msg_assign known = {
        .study = m->study, .trial = m->trial, .attempt = m->attempt, .study_name = m->study_name};
    struct attempt *a = attempt_new(w, &known);
    a->state = ATTEMPT_DONE;
    a->owner = w->restore.owner;
    a->ghost = true;
    w->n_ghosts++;
    return true;
}

static void saw_step(struct attempt *a, int64_t step)
{
    if (a->has_step && step <= a->last_step)
        return;
    a->has_step = true;
    a->last_step = step;
}

static void on_report(struct attempt *a, const struct msg_report *m)
{
    for (uint32_t i = 0; i < m->points.n; i++) {
        const struct point *p = &m->points.v[i];
        if (a->has_step && p->step <= a->last_step)
            continue;
        struct outbox_point q = {.step = p->step,
                                 .value = p->value,
                                 .has_value = p->has_value,
                                 .metrics = p->metrics.n ? str_dupz(p->metrics) : NULL,
                                 .metrics_n = (uint32_t)p->metrics.n};
        outbox_point(&a->outbox, &q);
        saw_step(a, p->step);
    }
}

static void on_final(struct attempt *a, const struct msg_final *m)
{
    if (m->has_step)
        saw_step(a, m->last_step);
    outbox_final(&a->outbox, m);
}

static void on_release(struct attempt *a, const struct msg_release *m)
{
    char note[1025];
    (void)str_copyz(note, sizeof note, m->note);
    outbox_release(&a->outbox, m->why, note[0] ? note : NULL);
}

static void on_kill(struct worker *w, const struct msg_kill *m)
{
    struct attempt *a = find_ghost(w, m->study, m->trial, m->attempt);
    if (a)
        attempt_free(w, a);
}

static void on_beat_ack(struct worker *w, const struct msg_beat_ack *m)
{
    for (uint32_t i = 0; i < m->verdicts.n; i++) {
        const struct verdict *v = &m->verdicts.v[i];
        struct attempt *a = find_ghost(w, v->study, v->trial, v->attempt);
        if (!a || v->verdict != VERDICT_ADOPT || v->new_attempt <= v->attempt ||
            worker_find(w, v->study, v->trial, v->new_attempt))
            continue;
        a->number = v->new_attempt;
        a->owner = w->restore.writer;
    }
}

static void add(struct worker *w, unsigned kind, const union message *m)
{
    /* Each of these begins with study, trial and attempt. */
    const struct msg_start *id = &m->start;
    struct outbox_beginning b = {id->pid, id->resume, id->resume_step}; /* of a START */
    struct attempt *a = find_ghost(w, id->study, id->trial, id->attempt);
    if (!a)
        return;
    if (kind == MSG_START)
        outbox_start(&a->outbox, &b);
    else if (kind == MSG_REPORT)
        on_report(a, &m->report);
    else if (kind == MSG_CHECKPOINT)
        outbox_checkpoint(&a->outbox, &m->checkpoint);
    else if (kind == MSG_FINAL)
        on_final(a, &m->final);
    else
        on_release(a, &m->release);
}

bool worker_restore(struct worker *w, unsigned kind, const union message *m)
{
    switch (kind) {
    case MSG_HELLO:
        return on_hello(w, m->hello.peer);
    case MSG_WELCOME:
        w->restore.writer = w->restore.owner;
        return true;
    case MSG_ASSIGN:
        return on_assign(w, &m->assign);
    case MSG_START:
    case MSG_REPORT:
    case MSG_CHECKPOINT:
    case MSG_FINAL:
    case MSG_RELEASE:
        add(w, kind, m);
        return true;
    case MSG_KILL:
        on_kill(w, &m->kill);
        return true;
    case MSG_BEAT_ACK:
        on_beat_ack(w, &m->beat_ack);
        return true;
    default: /* of a newer program */
        return true;
    }
}

/* Its evaluator died with the worker: the trial goes on elsewhere, from the checkpoint. */
static void settle_ghost(struct worker *w, struct attempt *a)
{
    if (outbox_ends(&a->outbox))
        return;
    if (outbox_owes_end(&a->outbox))
        outbox_release(&a->outbox, RELEASE_LOST, "its worker was killed");
    else
        attempt_free(w, a);
}

size_t worker_restored(struct worker *w, int64_t now, struct worker_out *fx)
{
    LIST_FOREACH_SAFE (it, tmp, &w->attempts) {
        struct attempt *a = CONTAINER_OF(it, struct attempt, link);
        if (a->ghost && !a->spooled)
            settle_ghost(w, a);
    }
    LIST_FOREACH (it, &w->attempts) {
        struct attempt *a = CONTAINER_OF(it, struct attempt, link);
        if (a->ghost)
            spooling_save(w, a, fx);
    }
    if (w->n_ghosts == 0) {
        w->n_formers = 0;
        return 0;
    }
    worker_out_fact(fx, FACT_RESTORED, NULL, "attempts=%zu processes=%u", w->n_ghosts,
                    w->n_formers);
    if (w->link.state == LINK_UP)
        link_hello(w, now, fx);
    return w->n_ghosts;
}
