/* Workers that leave. An order is a level: it stands in struct worker and is said again in every
 * BEAT_ACK and after every HELLO, so a lost LEAVE does no harm. It is volatile here and kept by the
 * worker, which drains until its end whatever becomes of the broker. Hence the client is told
 * "done" only after the worker has confirmed: whoever heard that need not ask again, and a client
 * that lost its broker before does, as brokerlink repeats what is not answered. */
#include "leave.h"

#include "on_client.h"
#include "remote.h"

#define LEAVE_PATIENCE (10 * NS_PER_S)

/* ms from now; 0 means that there is no deadline, so one that has passed is 1. */
static uint64_t left_ms(const struct worker *w, int64_t now)
{
    if (w->leave_by == CLOCK_NEVER)
        return 0;
    return w->leave_by > now + NS_PER_MS ? (uint64_t)((w->leave_by - now) / NS_PER_MS) : 1;
}

void leave_remind(const struct act *a, const struct worker *w)
{
    if (!w->ordered)
        return;
    struct msg_leave m = {.deadline_ms = left_ms(w, a->now), .at_once = w->at_once};
    effects_send(a->fx, w->session->peer, w->session->number, MSG_LEAVE, &m);
}

void leave_fill(const struct worker *w, int64_t now, struct msg_beat_ack *ack)
{
    if (!w->ordered)
        return;
    ack->leave = true;
    ack->deadline_ms = left_ms(w, now);
    ack->at_once = w->at_once;
}

static void order(const struct act *a, struct worker *w, const struct msg_drain_worker *q)
{
    int64_t most = CLOCK_NEVER / 2 / NS_PER_MS;
    w->ordered = true;
    w->at_once |= q->at_once;
    if (q->deadline_ms && q->deadline_ms < (uint64_t)most) {
        int64_t by = a->now + (int64_t)q->deadline_ms * NS_PER_MS;
        w->leave_by = by < w->leave_by ? by : w->leave_by;
    }
    remote_regain(a->f, w);
    remote_mark(a->f, w);
    leave_remind(a, w);
}

static void answer(const struct act *a, const struct leave *l, err_t e, const char *text)
{
    struct session *client = session_get(a->f, l->client);
    if (client)
        on_client_reply(a, client, l->request, e, text, 0);
}

static void drop(struct farm *f, size_t i)
{
    f->n_leaves--;
    memmove(&f->leaves[i], &f->leaves[i + 1], (f->n_leaves - i) * sizeof f->leaves[0]);
}

static void answer_all(const struct act *a, const struct worker *w, const char *text)
{
    struct farm *f = a->f;
    for (size_t i = f->n_leaves; i-- > 0;) {
        if (!id128_eq(f->leaves[i].worker, w->id))
            continue;
        answer(a, &f->leaves[i], ERR_OK, text);
        drop(f, i);
    }
}

/* A repeated request, in a new session of its client perhaps, takes its own place. */
static void forget(struct farm *f, struct id128 request)
{
    for (size_t i = f->n_leaves; i-- > 0;) {
        if (id128_eq(f->leaves[i].request, request))
            drop(f, i);
    }
}

void leave_on_drain_worker(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_drain_worker *q = &m->drain_worker;
    struct farm *f = a->f;
    struct worker *w = remote_find(f, q->worker);
    forget(f, q->request);
    if (!w) {
        on_client_reply(a, s, q->request, ERR_NOT_FOUND, "the worker is not connected", 0);
        return;
    }
    order(a, w, q);
    if (w->draining) {
        on_client_reply(a, s, q->request, ERR_OK, "{\"state\":\"draining\"}", 0);
    } else if (f->n_leaves == LEAVES_MAX) {
        on_client_reply(a, s, q->request, ERR_LIMIT,
                        "the worker was told to leave; too many clients wait for such an answer",
                        0);
    } else {
        f->leaves[f->n_leaves++] = (struct leave){.request = q->request,
                                                  .worker = w->id,
                                                  .client = s->number,
                                                  .until = a->now + LEAVE_PATIENCE};
    }
}

void leave_begins(const struct act *a, struct worker *w, uint64_t deadline_ms, struct str why)
{
    if (!w->draining) {
        w->draining = true;
        remote_mark(a->f, w);
        remote_regain(a->f, w);
    }
    if (!w->told && !a->f->full) {
        w->told = true;
        struct record r = {
            .kind = REC_WORKER_DRAINING, .who = w->id, .number = deadline_ms, .note = why};
        verb_record(a, NULL, &r, NULL);
    }
    answer_all(a, w, "{\"state\":\"draining\"}");
}

void leave_ends(const struct act *a, const struct worker *w)
{
    answer_all(a, w, "{\"state\":\"left\"}");
}

void leave_expire(const struct act *a)
{
    struct farm *f = a->f;
    while (f->n_leaves && f->leaves[0].until <= a->now) {
        answer(a, &f->leaves[0], ERR_UNREACHABLE,
               "the worker has not answered; it gets no more trials, and is told again when it is "
               "heard of");
        drop(f, 0);
    }
}

int64_t leave_next(const struct farm *f)
{
    return f->n_leaves ? f->leaves[0].until : CLOCK_NEVER;
}
