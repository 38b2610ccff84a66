/* The stream of one study and the answers about it.
 *
 * Called by link.c, which knows sessions and finds the attachment. Everything here ends with the
 * attachment; the next one reads the study from its first record. Each WANT is answered once: the
 * numbers rise, and an old one is ignored. */
#include "attachment.h"

#include <stdlib.h>

#include "alloc.h"
#include "clock.h"

#define ANSWER_BYTES (768u << 10) /* of the texts of one PROPOSE; a frame takes 1 MiB */
#define TEXT_MOST    (65536 + 1024 + 64)

static void cannot(struct attachment *a, struct link_out *fx)
{
    link_out_fact(fx, LOG_ERROR_, "STUDY-UNUSABLE", "study=%llu why=\"%s\"",
                  (unsigned long long)a->study, a->why_not.text);
    tuner_free(a->tuner);
    a->tuner = NULL;
}

static void give_credit(struct attachment *a, struct link_out *fx)
{
    if (a->credit - a->received > ATTACHMENT_WINDOW / 2)
        return;
    a->credit = a->received + ATTACHMENT_WINDOW;
    struct msg_pull m = {.study = a->study, .epoch = a->epoch, .credit = a->credit};
    link_out_send(fx, a->session, MSG_PULL, &m);
}

struct attachment *attachment_new(const struct msg_attached *m, uint64_t session, int64_t now,
                                  struct link_out *fx)
{
    struct attachment *a = alloc_zero(sizeof *a);
    a->study = m->study;
    a->session = session;
    a->epoch = m->epoch;
    a->head = m->head;
    a->gone = m->elapsed_ms < (uint64_t)(INT64_MAX / NS_PER_MS / 2)
                  ? (int64_t)m->elapsed_ms * NS_PER_MS
                  : INT64_MAX / 2;
    a->since = now;
    err_t e = spec_parse(m->spec, &a->spec, &a->why_not);
    if (!e)
        e = tuner_new(&a->tuner, a->spec, &a->why_not);
    if (e)
        cannot(a, fx);
    else
        tuner_on_next_draw(a->tuner, m->next_draw);
    give_credit(a, fx);
    return a;
}

void attachment_free(struct attachment *a)
{
    tuner_free(a->tuner);
    spec_free(a->spec);
    free(a);
}

static int64_t elapsed(const struct attachment *a, int64_t now)
{
    return a->paused ? a->gone : a->gone + (now - a->since);
}

static void set_paused(struct attachment *a, int64_t now, bool paused)
{
    a->gone = elapsed(a, now);
    a->since = now;
    a->paused = paused;
}

/* Closes the study once when a rule says so. */
static void judge(struct attachment *a, struct link_out *fx)
{
    bool stop_running;
    const char *why = a->tuner ? tuner_verdict(a->tuner, &stop_running) : NULL;
    if (!why || a->said_close)
        return;
    a->said_close = true;
    struct msg_close_study m = {
        .study = a->study, .epoch = a->epoch, .why = str_of(why), .stop_running = stop_running};
    link_out_send(fx, a->session, MSG_CLOSE_STUDY, &m);
    link_out_fact(fx, LOG_INFO_, "STUDY-CLOSING", "study=%llu why=%s", (unsigned long long)a->study,
                  why);
}

static void refuse(struct attachment *a, uint64_t want, struct link_out *fx)
{
    struct str text = str_of(a->why_not.text);
    text.n = str_utf8_cut(text, 1024);
    struct msg_propose m = {.study = a->study, .epoch = a->epoch, .want = want, .error = text};
    link_out_send(fx, a->session, MSG_PROPOSE, &m);
}

static void propose(struct attachment *a, const struct msg_want *w, struct link_out *fx)
{
    uint32_t n = w->n < TUNER_MAX_ASK ? w->n : TUNER_MAX_ASK, made = 0;
    struct proposal *v = alloc_array(n ? n : 1, sizeof *v);
    size_t bytes = 0;
    struct tuner_proposal p;
    while (made < n && bytes + TEXT_MOST <= ANSWER_BYTES && tuner_ask(a->tuner, 1, &p) == 1) {
        v[made++] = (struct proposal){.draw = p.draw,
                                      .params = p.params,
                                      .why = p.why,
                                      .based_on = p.based_on,
                                      .behind = p.behind};
        bytes += p.params.n + p.why.n + 64;
    }
    struct msg_propose m = {.study = a->study, .epoch = a->epoch, .want = w->want};
    m.proposals.v = v;
    m.proposals.n = made;
    link_out_send(fx, a->session, MSG_PROPOSE, &m);
    free(v);
}

static void answer(struct attachment *a, int64_t now, const struct msg_want *w, struct link_out *fx)
{
    a->answered = w->want;
    a->want.want = 0;
    if (!a->tuner) {
        refuse(a, w->want, fx);
        return;
    }
    tuner_on_elapsed(a->tuner, elapsed(a, now));
    propose(a, w, fx);
    judge(a, fx);
}

void attachment_on_want(struct attachment *a, int64_t now, const struct msg_want *m,
                        struct link_out *fx)
{
    if (m->want <= a->answered)
        return;
    if (a->upto < m->upto)
        a->want = *m; /* answered when the events are here; a newer one takes its place */
    else
        answer(a, now, m, fx);
}

static bool apply(struct attachment *a, int64_t now, const struct record *r, struct link_out *fx)
{
    if (r->study_seq <= a->upto)
        return true; /* repeated; it took no credit */
    a->upto = r->study_seq;
    a->received++;
    if (r->kind == REC_SPEC_ADDED && r->study_seq > a->head)
        return false;
    if (r->kind == REC_STUDY_OPENED)
        a->said_close = false;
    if (r->kind == REC_STUDY_PAUSED || r->kind == REC_STUDY_RESUMED)
        set_paused(a, now, r->kind == REC_STUDY_PAUSED);
    if (a->tuner && tuner_on_record(a->tuner, r, &a->why_not))
        cannot(a, fx);
    return true;
}

bool attachment_on_events(struct attachment *a, int64_t now, const struct msg_events *m,
                          struct link_out *fx)
{
    for (uint32_t i = 0; i < m->records.n; i++)
        if (!apply(a, now, &m->records.v[i], fx))
            return false;
    if (m->upto > a->upto)
        a->upto = m->upto;
    if (a->tuner)
        tuner_on_upto(a->tuner, a->upto);
    /* What is not the end of the history yet says nothing about the present. */
    if (m->live)
        judge(a, fx);
    give_credit(a, fx);
    if (a->want.want && a->upto >= a->want.upto) {
        struct msg_want w = a->want;
        answer(a, now, &w, fx);
    }
    return true;
}

int64_t attachment_tick(struct attachment *a, int64_t now, struct link_out *fx)
{
    int64_t limit = a->tuner ? a->spec->stop.time_ns : 0;
    if (limit <= 0 || a->said_close || a->paused || limit > INT64_MAX / 4)
        return CLOCK_NEVER;
    int64_t left = limit - elapsed(a, now);
    if (left > 0)
        return now + left;
    tuner_on_elapsed(a->tuner, elapsed(a, now));
    judge(a, fx);
    return CLOCK_NEVER;
}
