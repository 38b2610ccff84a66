/* What of an attempt goes to this machine's disk, and when: a FINAL, RELEASE or CHECKPOINT that is
 * not acknowledged after a second, or at once while there is no session or the worker drains; with
 * it the attempt's points that wait, so that its curve survives too. Called by the files of this
 * folder that put something into an outbox or take it out. It must not know files: a spool is a
 * list of records, each a message of the wire, that is only appended to or begun anew.
 *
 *   HELLO, WELCOME  begin it: the process that writes, its farm
 *   HELLO           what follows was granted to this process, which has ended
 *   ASSIGN          an attempt: its numbers and the study's name
 *   START, REPORT, CHECKPOINT, FINAL, RELEASE   what the broker has not acknowledged of it
 *   BEAT_ACK        the attempt goes on under another number
 *   KILL            nothing of the attempt is needed any more
 *
 * Records that are lost or come twice do no harm: the broker's fence decides about each attempt. */
#include "spooling.h"

#include "worker_impl.h"

#define AFTER_NS NS_PER_S

void spooling_plan(struct worker *w, struct attempt *a, int64_t now)
{
    if (!w->c.spool || !outbox_unsaved(&a->outbox))
        return;
    bool at_once = w->link.state != LINK_UP || w->drain.mode != DRAIN_NONE;
    int64_t at = at_once ? now : now + AFTER_NS;
    if (at < a->spool_at)
        a->spool_at = at;
    attempt_rearm(w, a);
}

void spooling_hurry(struct worker *w, int64_t now)
{
    LIST_FOREACH (it, &w->attempts) {
        spooling_plan(w, CONTAINER_OF(it, struct attempt, link), now);
    }
}

static void say_owner(struct worker *w, struct id128 owner, struct worker_out *fx)
{
    bool own = id128_eq(owner, w->c.peer);
    struct msg_hello m = {
        .role = ROLE_WORKER, .version_min = PROTO_MAJOR, .version_max = PROTO_MAJOR, .peer = owner};
    if (own) {
        m.host = str_of(w->c.host);
        m.pid = w->c.pid;
        m.name = str_of(w->c.name);
    }
    worker_out_spool(fx, MSG_HELLO, &m);
    w->spool.owner = owner;
}

static void begin(struct worker *w, struct worker_out *fx)
{
    if (w->spool.begun)
        return;
    struct msg_welcome m = {
        .version = PROTO_MAJOR, .farm = w->link.farm, .timeline = w->link.timeline};
    worker_out_add(fx, WFX_SPOOL_NEW);
    say_owner(w, w->c.peer, fx);
    worker_out_spool(fx, MSG_WELCOME, &m);
    w->spool.begun = true;
}

static void begin_attempt(struct worker *w, struct attempt *a, struct worker_out *fx)
{
    struct msg_assign m = {.study = a->desc.study,
                           .trial = a->desc.trial,
                           .attempt = a->number,
                           .study_name = a->desc.study_name};
    if (!id128_eq(w->spool.owner, a->owner))
        say_owner(w, a->owner, fx);
    worker_out_spool(fx, MSG_ASSIGN, &m);
    a->spooled = true;
    w->spool.attempts++;
}

void spooling_save(struct worker *w, struct attempt *a, struct worker_out *fx)
{
    a->spool_at = CLOCK_NEVER;
    if (!w->c.spool || !outbox_unsaved(&a->outbox))
        return;
    begin(w, fx);
    if (!a->spooled)
        begin_attempt(w, a, fx);
    struct outbox_id id = attempt_id(w, a);
    outbox_save(&a->outbox, &id, fx);
}

static void forget(struct worker *w, struct attempt *a, struct worker_out *fx)
{
    a->spooled = false;
    outbox_unsave(&a->outbox);
    if (--w->spool.attempts == 0) {
        w->spool.begun = false;
        worker_out_add(fx, WFX_SPOOL_NEW);
        return;
    }
    struct msg_kill m = {
        .study = a->desc.study, .trial = a->desc.trial, .attempt = a->number, .why = STOP_FINISHED};
    worker_out_spool(fx, MSG_KILL, &m);
}

void spooling_review(struct worker *w, struct attempt *a, struct worker_out *fx)
{
    if (a->spooled && !outbox_owes_end(&a->outbox))
        forget(w, a, fx);
    if (!outbox_unsaved(&a->outbox))
        a->spool_at = CLOCK_NEVER;
}

void spooling_renumbered(struct worker *w, struct attempt *a, uint32_t before,
                         struct worker_out *fx)
{
    a->owner = w->c.peer; /* the grant of the new number names this process */
    if (!a->spooled)
        return;
    struct verdict v = {.study = a->desc.study,
                        .trial = a->desc.trial,
                        .attempt = before,
                        .verdict = VERDICT_ADOPT,
                        .new_attempt = a->number};
    struct msg_beat_ack m = {.verdicts = {&v, 1}};
    worker_out_spool(fx, MSG_BEAT_ACK, &m);
}

void worker_respool(struct worker *w, int64_t now, struct worker_out *fx)
{
    (void)now;
    if (!w->c.spool)
        return;
    w->spool.begun = false;
    w->spool.attempts = 0;
    worker_out_add(fx, WFX_SPOOL_NEW);
    LIST_FOREACH (it, &w->attempts) {
        struct attempt *a = CONTAINER_OF(it, struct attempt, link);
        if (!a->spooled)
            continue;
        a->spooled = false;
        outbox_unsave(&a->outbox);
        spooling_save(w, a, fx);
    }
}
