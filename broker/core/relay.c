/* GET_LOG from a client to the worker of the attempt, LOG_TEXT back. Nothing of it is kept: a
 * bounded table remembers who asked, for as long as a worker may take. */
#include "relay.h"

#include "study.h"
#include "tally.h"
#include "trial.h"
#include "remote.h"

#define RELAY_PATIENCE (10 * NS_PER_S)

static void refuse(const struct act *a, const struct session *s, struct id128 request,
                   const char *text)
{
    struct msg_log_text m = {.request = request, .error = str_of(text)};
    effects_send(a->fx, s->peer, s->number, MSG_LOG_TEXT, &m);
}

static const char *find(const struct farm *f, const struct msg_get_log *q, struct trial **t,
                        struct worker **w)
{
    struct study *s = q->study_name.n ? study_named(f, q->study_name) : study_get(f, q->study);
    if (!s)
        return "there is no such study";
    *t = trial_get(s, q->trial);
    if (!*t)
        return "the study has no such trial";
    if (!(*t)->attempt)
        return "the trial has not been started yet";
    if (q->attempt && q->attempt != (*t)->attempt)
        return "only the output of a trial's last attempt can be fetched";
    *w = remote_find(f, remote_id(f, (*t)->worker));
    return *w ? NULL : "the worker that ran it is not connected";
}

void relay_on_get_log(const struct act *a, struct session *s, const union message *m)
{
    struct farm *f = a->f;
    struct trial *t;
    struct worker *w;
    struct msg_get_log q = m->get_log;
    const char *fault = find(f, &q, &t, &w);
    if (!fault && f->n_relays == RELAYS_MAX) {
        fault = "too many requests for output at once; ask again later";
        tally(f, s, COUNT_TOO_MUCH_AT_ONCE, 1);
    }
    if (fault) {
        refuse(a, s, q.request, fault);
        return;
    }
    f->relays[f->n_relays++] = (struct relay){.request = q.request,
                                              .client = s->number,
                                              .worker = w->session->number,
                                              .until = a->now + RELAY_PATIENCE};
    q.study = t->study->number;
    q.attempt = t->attempt;
    q.study_name = str_of(t->study->name);
    effects_send(a->fx, w->session->peer, w->session->number, MSG_GET_LOG, &q);
}

static void drop(struct farm *f, size_t i)
{
    f->n_relays--;
    memmove(&f->relays[i], &f->relays[i + 1], (f->n_relays - i) * sizeof f->relays[0]);
}

void relay_on_log_text(const struct act *a, struct session *s, const union message *m)
{
    struct farm *f = a->f;
    for (size_t i = 0; i < f->n_relays; i++) {
        const struct relay *r = &f->relays[i];
        if (r->worker != s->number || !id128_eq(r->request, m->log_text.request))
            continue;
        const struct session *client = session_get(f, r->client);
        if (client)
            effects_send(a->fx, client->peer, client->number, MSG_LOG_TEXT, &m->log_text);
        drop(f, i);
        return;
    }
    tally(f, s, COUNT_UNASKED_LOG, 1);
}

void relay_expire(const struct act *a)
{
    struct farm *f = a->f;
    while (f->n_relays && f->relays[0].until <= a->now) {
        const struct session *client = session_get(f, f->relays[0].client);
        if (client)
            refuse(a, client, f->relays[0].request, "the worker did not answer");
        drop(f, 0);
    }
}

int64_t relay_next(const struct farm *f)
{
    return f->n_relays ? f->relays[0].until : CLOCK_NEVER;
}
