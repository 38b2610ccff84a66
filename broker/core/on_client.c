/* Requests of clients. A change is answered once: its answer is kept in memory and in the database
 * by its request id, and a repeated request gets it again and changes nothing. Questions are handed
 * to the store.
 *
 * Of a spec only the envelope is looked at, which the shell has read; whether two specs search the
 * same is said by the digest of their search parts, which the submitter computes. */
#include "on_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "attach.h"
#include "hash.h"
#include "json_check.h"
#include "points.h"
#include "stream.h"
#include "study.h"
#include "tally.h"
#include "trial.h"

#define SQL_AT_ONCE 64u

/* ---- answers ---- */

static uint64_t request_key(struct id128 id)
{
    uint64_t a, b;
    memcpy(&a, id.b, sizeof a);
    memcpy(&b, id.b + sizeof a, sizeof b);
    return a + b * UINT64_C(0x9e3779b97f4a7c15);
}

static const struct kept_answer *kept_find(const struct farm *f, struct id128 request)
{
    const struct kept_answer *k = idmap_get(&f->requests, request_key(request));
    return k && id128_eq(k->request, request) ? k : NULL;
}

void kept_put(struct farm *f, const struct msg_reply *answer)
{
    if (idmap_get(&f->requests, request_key(answer->request)))
        return;
    if (!f->kept)
        f->kept = alloc_array(REQUESTS_KEPT, sizeof *f->kept);
    struct kept_answer *k = &f->kept[f->kept_next++ % REQUESTS_KEPT];
    if (k->text)
        idmap_remove(&f->requests, request_key(k->request));
    free(k->text);
    *k = (struct kept_answer){.request = answer->request,
                              .number = answer->number,
                              .seq = answer->seq,
                              .text = str_dupz(answer->text)};
    str_copyz(k->name, sizeof k->name, answer->name);
    idmap_put(&f->requests, request_key(k->request), k);
}

void kept_free_all(struct farm *f)
{
    for (size_t i = 0; f->kept && i < REQUESTS_KEPT; i++)
        free(f->kept[i].text);
    free(f->kept);
    idmap_fini(&f->requests);
}

static struct msg_reply answer_of(const struct act *a, struct id128 request, err_t e,
                                  const char *text, uint64_t number)
{
    struct msg_reply m = {.request = request,
                          .name = str_of(err_name(e)),
                          .text = str_of(text),
                          .number = number,
                          .seq = a->f->seq};
    m.text.n = str_utf8_cut(m.text, 8192);
    return m;
}

static void count_refusal(const struct act *a, struct session *s, err_t e)
{
    tally(a->f, s, COUNT_INVALID_VALUE, e == ERR_INVALID);
    tally(a->f, s, COUNT_REFUSED_REQUEST, e == ERR_REFUSED);
    tally(a->f, s, COUNT_TOO_MUCH_AT_ONCE, e == ERR_LIMIT);
    tally(a->f, s, COUNT_DISK_FULL, e == ERR_FULL);
}

void on_client_reply(const struct act *a, struct session *s, struct id128 request, err_t e,
                     const char *text, uint64_t number)
{
    count_refusal(a, s, e);
    struct msg_reply m = answer_of(a, request, e, text, number);
    effects_send(a->fx, s->peer, s->number, MSG_REPLY, &m);
}

/* The answer of a change that was made. */
static void reply_kept(const struct act *a, struct session *s, struct id128 request,
                       const char *text, uint64_t number)
{
    struct msg_reply m = answer_of(a, request, ERR_OK, text, number);
    effects_send(a->fx, s->peer, s->number, MSG_REPLY, &m);
    effects_request(a->fx, &m, farm_wall(a->f, a->now));
    kept_put(a->f, &m);
}

/* True if the request was answered: it is repeated, or there is no room for changes. */
static bool answered(const struct act *a, struct session *s, struct id128 request)
{
    const struct kept_answer *k = kept_find(a->f, request);
    if (k) {
        tally(a->f, s, COUNT_REPEATED_REQUEST, 1);
        struct msg_reply m = {.request = k->request,
                              .name = str_of(k->name),
                              .text = str_of(k->text),
                              .number = k->number,
                              .seq = k->seq};
        effects_send(a->fx, s->peer, s->number, MSG_REPLY, &m);
    } else if (a->f->full) {
        on_client_reply(a, s, request, ERR_FULL, "the broker's disk is full; nothing was changed",
                        0);
    }
    return k || a->f->full;
}

/* ---- SUBMIT ---- */

static void enqueue(const struct act *a, struct study *s, struct str params, struct id128 who)
{
    struct record r = {.kind = REC_ENQUEUED, .trial = s->n_trials, .text = params, .who = who};
    verb_record(a, s, &r, NULL);
}

/* Points of a changed spec that the one before did not list; a point may stand there several times.
 */
static void enqueue_new(const struct act *a, struct study *s, const struct points *new_ones,
                        struct id128 who)
{
    for (uint32_t i = 0; i < new_ones->n; i++)
        enqueue(a, s, new_ones->v[i], who);
}

static void record_spec(const struct act *a, struct study *s, enum record_kind kind,
                        const struct farm_input *in)
{
    const struct msg_submit *q = &in->msg->submit;
    char search[HEX_SIZE(32)];
    str_hex(search, q->search.b, sizeof q->search.b);
    struct apply_spec spec = {.bytes = q->spec, .env = in->envelope};
    struct record r = {
        .kind = (uint8_t)kind, .digest = q->digest, .note = str_of(search), .number = 1};
    if (s) {
        r.number = s->spec_number + 1;
    } else {
        r.study = a->f->n_studies + 1;
        r.text = q->name;
    }
    effects_blob(a->fx, q->digest, q->spec);
    verb_record(a, s, &r, &spec);
}

static void create(const struct act *a, struct session *s, const struct farm_input *in)
{
    const struct msg_submit *q = &in->msg->submit;
    record_spec(a, NULL, REC_STUDY_CREATED, in);
    struct study *study = study_named(a->f, q->name);
    for (uint32_t i = 0; i < in->envelope->n_enqueue; i++)
        enqueue(a, study, in->envelope->enqueue[i], q->request);
    a->f->attach_wanted = true;
    reply_kept(a, s, q->request, "{\"continued\":false,\"state\":\"open\",\"spec_number\":1}",
               study->number);
}

static void refuse_other_search(const struct act *a, struct session *s, const struct study *study,
                                struct id128 request)
{
    char digest[HEX_SIZE(32)], text[512];
    str_hex(digest, study->spec_digest.b, sizeof study->spec_digest.b);
    snprintf(text, sizeof text,
             "study %s is there with another space, objective or sampler (its spec is %s); use "
             "another name, "
             "or --edit to go on with the changed one",
             study->name, digest);
    on_client_reply(a, s, request, ERR_REFUSED, text, study->number);
}

static void go_on(const struct act *a, struct session *s, struct study *study,
                  const struct farm_input *in)
{
    const struct msg_submit *q = &in->msg->submit;
    if (!digest_eq(q->search, study->search) && !q->edit) {
        refuse_other_search(a, s, study, q->request);
        return;
    }
    struct points points = {0};
    if (!digest_eq(q->digest, study->spec_digest)) {
        points = points_added(&study->env, in->envelope);
        record_spec(a, study, REC_SPEC_ADDED, in);
        attach_end(a, study, "a new spec");
    }
    if (q->reopen && study->state != STUDY_OPEN) {
        struct record r = {.kind = REC_STUDY_OPENED};
        verb_record(a, study, &r, NULL);
        attach_end(a, study, "opened again");
    }
    if (q->reopen && study->paused)
        verb_pause_study(a, study, false);
    if (study->state != STUDY_ENDED)
        enqueue_new(a, study, &points, q->request);
    free(points.v);
    study->broken = false;
    a->f->attach_wanted = true;
    char text[128];
    snprintf(text, sizeof text, "{\"continued\":true,\"state\":\"%s\",\"spec_number\":%u}",
             study_shown_state(study), study->spec_number);
    reply_kept(a, s, q->request, text, study->number);
}

void on_client_submit(const struct act *a, struct session *s, const struct farm_input *in)
{
    const struct msg_submit *q = &in->msg->submit;
    if (answered(a, s, q->request))
        return;
    const char *fault = NULL;
    if (!study_name_ok(q->name))
        fault = "SUBMIT: a study's name has 1 to 128 letters, digits, '.', '_' or '-'";
    else if (!in->envelope)
        fault = in->fault ? in->fault : "SUBMIT: the spec cannot be read";
    else if (!digest_eq(hash_bytes(q->spec), q->digest))
        fault = "SUBMIT: the spec has another digest";
    if (fault) {
        on_client_reply(a, s, q->request, ERR_INVALID, fault, 0);
        return;
    }
    struct study *study = study_named(a->f, q->name);
    if (study)
        go_on(a, s, study, in);
    else
        create(a, s, in);
}

/* ---- ENQUEUE, CANCEL ---- */

static struct study *named_study(const struct act *a, struct session *s, struct str name,
                                 struct id128 request)
{
    struct study *study = study_named(a->f, name);
    if (!study) {
        char text[256];
        tally(a->f, s, COUNT_UNKNOWN_STUDY, 1);
        snprintf(text, sizeof text, "there is no study " STR_FMT, STR_ARG(name));
        on_client_reply(a, s, request, ERR_NOT_FOUND, text, 0);
    }
    return study;
}

void on_client_enqueue(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_enqueue *q = &m->enqueue;
    if (answered(a, s, q->request))
        return;
    struct study *study = named_study(a, s, q->study, q->request);
    if (!study)
        return;
    struct errmsg em;
    err_t e = json_check(q->params, false, &em);
    if (e == ERR_OK && (!q->params.n || q->params.p[0] != '{'))
        e = errmsg_set(&em, ERR_INVALID, "a JSON object of the parameters was expected");
    if (e == ERR_OK && study->state == STUDY_ENDED)
        e = errmsg_set(&em, ERR_REFUSED, "study %s has ended; open it again first", study->name);
    if (e != ERR_OK) {
        on_client_reply(a, s, q->request, e, em.text, 0);
        return;
    }
    uint64_t number = study->n_trials;
    enqueue(a, study, q->params, q->request);
    reply_kept(a, s, q->request, "", number);
}

static struct trial *numbered_trial(const struct act *a, struct session *s,
                                    const struct study *study, uint64_t number,
                                    struct id128 request)
{
    struct trial *t = trial_get(study, number);
    if (!t) {
        char text[256];
        tally(a->f, s, COUNT_UNKNOWN_TRIAL, 1);
        snprintf(text, sizeof text, "study %s has no trial %llu", study->name,
                 (unsigned long long)number);
        on_client_reply(a, s, request, ERR_NOT_FOUND, text, 0);
    }
    return t;
}

static void cancel_trial(const struct act *a, struct session *s, struct study *study,
                         const struct msg_cancel *q)
{
    struct trial *t = numbered_trial(a, s, study, q->trial, q->request);
    if (!t)
        return;
    if (trial_state_final(t->state)) {
        reply_kept(a, s, q->request, "already finished", q->trial);
        return;
    }
    verb_cancel(a, t);
    reply_kept(a, s, q->request, "", q->trial);
}

void on_client_cancel(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_cancel *q = &m->cancel;
    const struct kept_answer *k = kept_find(a->f, q->request);
    if (k && answered(a, s, q->request))
        return;
    struct study *study = named_study(a, s, q->study, q->request);
    if (!study)
        return;
    if (q->one) {
        cancel_trial(a, s, study, q);
        return;
    }
    if (study->state == STUDY_ENDED) {
        reply_kept(a, s, q->request, "already ended", study->number);
        return;
    }
    if (study->state == STUDY_OPEN)
        verb_close_study(a, study, STR("cancelled"));
    verb_cancel_all(a, study);
    reply_kept(a, s, q->request, "", study->number);
}

/* ---- PAUSE, RESUME ---- */

static void reply_state(const struct act *a, struct session *s, struct id128 request,
                        const char *state, uint64_t number)
{
    char text[64];
    snprintf(text, sizeof text, "{\"state\":\"%s\"}", state);
    reply_kept(a, s, request, text, number);
}

static void refuse_trial(const struct act *a, struct session *s, const struct trial *t,
                         struct id128 request, const char *what)
{
    char text[256];
    snprintf(text, sizeof text, "trial %llu of study %s is %s%s", (unsigned long long)t->number,
             t->study->name, trial_state_name(t->state), what);
    on_client_reply(a, s, request, ERR_REFUSED, text, t->number);
}

static void pause_trial(const struct act *a, struct session *s, struct study *study,
                        const struct msg_pause *q)
{
    struct trial *t = numbered_trial(a, s, study, q->trial, q->request);
    if (!t)
        return;
    bool stops = t->state == TRIAL_STOPPING;
    if (trial_state_final(t->state)) {
        refuse_trial(a, s, t, q->request, "; only one that is not final can be paused");
        return;
    }
    if (stops && t->open->im.why != STOP_PAUSE) {
        refuse_trial(a, s, t, q->request, " for good; it cannot be paused");
        return;
    }
    if (!stops && t->state != TRIAL_PAUSED)
        verb_pause(a, t);
    reply_state(a, s, q->request, trial_state_name(t->state), q->trial);
}

static void resume_trial(const struct act *a, struct session *s, struct study *study,
                         const struct msg_resume *q)
{
    struct trial *t = numbered_trial(a, s, study, q->trial, q->request);
    if (!t)
        return;
    if (trial_state_final(t->state)) {
        refuse_trial(a, s, t, q->request, "; only a paused one can go on");
        return;
    }
    /* Its slot is not free yet, and a stop is never taken back: the worker may have obeyed it. */
    if (t->state == TRIAL_STOPPING) {
        refuse_trial(a, s, t, q->request, " still; resume it when it is paused");
        return;
    }
    if (t->state == TRIAL_PAUSED)
        verb_resume(a, t);
    reply_state(a, s, q->request, trial_state_name(t->state), q->trial);
}

static void pause_study(const struct act *a, struct session *s, struct study *study,
                        struct id128 request, bool paused)
{
    if (study->state == STUDY_ENDED) {
        char text[256];
        snprintf(text, sizeof text, "study %s has ended", study->name);
        on_client_reply(a, s, request, ERR_REFUSED, text, study->number);
        return;
    }
    if (study->paused != paused)
        verb_pause_study(a, study, paused);
    reply_state(a, s, request, study_shown_state(study), study->number);
}

void on_client_pause(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_pause *q = &m->pause;
    if (answered(a, s, q->request))
        return;
    struct study *study = named_study(a, s, q->study, q->request);
    if (study && q->one)
        pause_trial(a, s, study, q);
    else if (study)
        pause_study(a, s, study, q->request, true);
}

void on_client_resume(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_resume *q = &m->resume;
    if (answered(a, s, q->request))
        return;
    struct study *study = named_study(a, s, q->study, q->request);
    if (study && q->one)
        resume_trial(a, s, study, q);
    else if (study)
        pause_study(a, s, study, q->request, false);
}

/* ---- questions ---- */

void on_client_rows_error(const struct act *a, const struct session *s, struct id128 request,
                          const char *text)
{
    struct msg_rows m = {.request = request, .error = str_of(text)};
    effects_send(a->fx, s->peer, s->number, MSG_ROWS, &m);
}

void on_client_sql(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_sql *q = &m->sql;
    if (a->f->n_sql >= SQL_AT_ONCE) {
        tally(a->f, s, COUNT_TOO_MUCH_AT_ONCE, 1);
        on_client_rows_error(a, s, q->request, "too many questions at once; ask again later");
        return;
    }
    farm_flush_rows(a->f, a->now, true, a->fx);
    struct str *args = arena_array(&a->fx->arena, q->args.n + 1, sizeof *args);
    struct str query = arena_dup(&a->fx->arena, q->query);
    if (!args || !query.p) {
        on_client_rows_error(a, s, q->request, "there is no memory for the question");
        return;
    }
    for (uint32_t i = 0; i < q->args.n; i++)
        args[i] = arena_dup(&a->fx->arena, q->args.v[i]);
    struct pending p = {.kind = PENDING_SQL, .session = s->number, .request = q->request};
    struct fx_ask *ask = effects_ask(a->fx, ASK_SQL, pending_add(a->f, p));
    ask->query = query.p;
    ask->args = args;
    ask->n_args = q->args.n;
    a->f->n_sql++;
}

void on_client_rows_answer(const struct act *a, const struct pending *p,
                           const struct answer *answer)
{
    if (answer->complete && p->kind == PENDING_SQL)
        a->f->n_sql--;
    if (answer->complete && p->kind == PENDING_CHECK)
        a->f->checking = false;
    const struct session *s = session_get(a->f, p->session);
    if (!s)
        return;
    struct msg_rows m = {.request = p->request,
                         .more = !answer->complete,
                         .error = answer->error,
                         .seq = answer->seq,
                         .cut = answer->cut};
    m.columns.v = answer->columns;
    m.columns.n = answer->n_columns;
    m.rows.v = answer->lines;
    m.rows.n = answer->n_lines;
    effects_send(a->fx, s->peer, s->number, MSG_ROWS, &m);
}

static struct stream *find_tail(const struct session *s, struct id128 request)
{
    LIST_FOREACH (it, &s->streams) {
        struct stream *st = CONTAINER_OF(it, struct stream, in_session);
        if (!st->attachment && id128_eq(st->request, request))
            return st;
    }
    return NULL;
}

void on_client_tail(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_tail *q = &m->tail;
    struct stream *st = find_tail(s, q->request);
    if (q->cancel) {
        if (st)
            stream_end(a->f, st);
        return;
    }
    if (!st) {
        struct study *study = NULL;
        if (q->to && q->from > q->to) {
            on_client_reply(a, s, q->request, ERR_INVALID, "TAIL: from is after to", 0);
            return;
        }
        if (q->study.n && !(study = named_study(a, s, q->study, q->request)))
            return;
        if (s->n_streams >= STREAMS_PER_PEER) {
            on_client_reply(a, s, q->request, ERR_LIMIT, "too many TAILs in one session", 0);
            return;
        }
        st = stream_new(a->f, s, study, q->from, q->to);
        st->request = q->request;
    }
    if (q->credit > st->credit)
        st->credit = q->credit;
    stream_wake(a->f, st);
}
