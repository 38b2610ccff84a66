/* One attempt's life on this worker outside its state table: birth from ASSIGN, what a report line
 * means, timers, and the flushing of its outbox. Called by worker_core.c, grant.c and
 * attempt_state.c. It must not know processes or sockets: the evaluator is lines that come in and
 * effects that go out.
 *
 * Reports of one step are merged in `open` until the step changes, the flush time comes, or the
 * attempt ends; a step that was closed takes nothing more, because the broker records each step
 * once. */
#include "attempt.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "alloc.h"
#include "json.h"
#include "worker_impl.h"

#define METRICS_LIMIT 8192

static void link_key(struct worker *w, struct attempt *a)
{
    a->same = idmap_remove(&w->by_key, a->key);
    idmap_put(&w->by_key, a->key, a);
}

static void unlink_key(struct worker *w, struct attempt *a)
{
    struct attempt *first = idmap_remove(&w->by_key, a->key);
    if (first == a) {
        first = a->same;
    } else {
        struct attempt *p = first;
        while (p->same != a)
            p = p->same;
        p->same = a->same;
    }
    if (first)
        idmap_put(&w->by_key, a->key, first);
}

static struct str dup_str(struct str s)
{
    return s.n == 0 ? (struct str){0} : str_make(str_dupz(s), s.n);
}

struct attempt *attempt_new(struct worker *w, const struct msg_assign *m)
{
    struct attempt *a = alloc_zero(sizeof *a);
    a->desc = (struct worker_run){.run = ++w->next_run,
                                  .farm = w->link.farm,
                                  .study = m->study,
                                  .trial = m->trial,
                                  .attempt = m->attempt,
                                  .study_name = dup_str(m->study_name),
                                  .digest = m->spec,
                                  .params = dup_str(m->params),
                                  .seed = m->seed,
                                  .n_decide = m->decide.n,
                                  .resume = dup_str(m->resume),
                                  .resume_step = m->resume_step,
                                  .resume_digest = m->resume_digest};
    if (m->decide.n > 0) {
        int64_t *decide = alloc_array(m->decide.n, sizeof *decide);
        memcpy(decide, m->decide.v, m->decide.n * sizeof *decide);
        a->desc.decide = decide;
    }
    a->number = m->attempt;
    a->grace_ns = 10 * NS_PER_S;
    a->started_at = a->flush_at = a->timeout_at = a->term_at = a->kill_at = a->give_up_at =
        a->ask_until = a->spool_at = CLOCK_NEVER;
    a->tidy = m->resume.n > 0;
    a->owner = w->c.peer;
    outbox_init(&a->outbox, &w->window, false);
    list_init(&a->waits);
    list_push(&w->attempts, &a->link);
    w->n_attempts++;
    a->key = worker_key(m->study, m->trial);
    link_key(w, a);
    idmap_put(&w->by_run, a->desc.run, a);
    return a;
}

static void free_texts(struct attempt *a)
{
    free((char *)a->desc.study_name.p);
    free((char *)a->desc.params.p);
    free((char *)a->desc.resume.p);
    free((char *)a->desc.gpus.p);
    free((int64_t *)a->desc.decide);
    free((double *)a->desc.point);
    free(a->error);
    free(a->complaint);
    free((char *)a->end.output.p);
    json_object_put(a->open.metrics);
    json_object_put(a->last_metrics);
    json_object_put(a->result_metrics);
}

void attempt_free(struct worker *w, struct attempt *a)
{
    slots_return(&w->slots, &a->grant);
    if (a->has_slot)
        slots_give(&w->slots);
    if (a->entry)
        spec_cache_leave(a->entry);
    heap_remove(&w->wakes, &a->wake);
    outbox_fini(&a->outbox);
    checkpoint_drop(a);
    list_remove(&a->waits);
    list_remove(&a->link);
    w->n_attempts--;
    w->spool.attempts -= a->spooled;
    w->n_ghosts -= a->ghost;
    unlink_key(w, a);
    idmap_remove(&w->by_run, a->desc.run);
    free_texts(a);
    free(a);
}

struct outbox_id attempt_id(const struct worker *w, const struct attempt *a)
{
    uint64_t session = w->link.state == LINK_UP ? w->link.session : 0;
    return (struct outbox_id){a->desc.study, a->desc.trial, a->number, session, false};
}

bool attempt_served(const struct attempt *a)
{
    return a->desc.spec && a->desc.spec->objective.serve;
}

bool attempt_wanted(const struct attempt *a)
{
    return a->cause != END_KILL;
}

bool attempt_has_child(const struct attempt *a)
{
    return a->state != ATTEMPT_FETCHING && a->state != ATTEMPT_SEALING && a->state != ATTEMPT_DONE;
}

uint8_t attempt_phase(const struct attempt *a)
{
    static const uint8_t phase[ATTEMPT_STATES] = {0, 0, 1, 2, 2, 2, 3};
    return phase[a->state];
}

void attempt_rearm(struct worker *w, struct attempt *a)
{
    int64_t at = a->outbox.resend_at;
    const int64_t all[] = {a->flush_at,   a->timeout_at, a->term_at, a->kill_at,
                           a->give_up_at, a->ask_until,  a->spool_at};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        at = all[i] < at ? all[i] : at;
    if (at == CLOCK_NEVER)
        heap_remove(&w->wakes, &a->wake);
    else
        heap_update(&w->wakes, &a->wake, at);
}

void attempt_flush(struct worker *w, struct attempt *a, int64_t now, struct worker_out *fx)
{
    struct outbox_id id = attempt_id(w, a);
    outbox_send(&a->outbox, &id, now, fx);
    /* Points that found the window full try again after another interval; without a session WELCOME
     * sends them. */
    a->flush_at = a->open.active && a->open.has_value ? now + w->link.flush_ns : CLOCK_NEVER;
    if (id.session != 0 && outbox_waiting(&a->outbox))
        a->flush_at = now + w->link.flush_ns;
    attempt_rearm(w, a);
}

void attempt_complain(struct attempt *a, const char *text, struct worker_out *fx)
{
    a->complaints++;
    counter_add(&a->outbox.window->counts->v[COUNT_SKIPPED_LINE], 1);
    if (a->complaints > 1 && a->complaint && strcmp(a->complaint, text) == 0)
        return;
    free(a->complaint);
    a->complaint = str_dupz(str_of(text));
    if (!a->ever_complained)
        worker_out_fact(fx, FACT_COMPLAINT, a, "%s", text);
    a->ever_complained = true;
}

void attempt_fail(struct attempt *a, const char *text, bool forever)
{
    free(a->error);
    a->error = str_dupz(str_of(text));
    a->error_forever = forever;
}

static bool is_decision(const struct attempt *a, int64_t step)
{
    for (uint32_t i = 0; i < a->desc.n_decide; i++)
        if (a->desc.decide[i] == step)
            return true;
    return false;
}

/* Moves the open point into the outbox. */
void attempt_close_point(struct attempt *a, struct worker_out *fx)
{
    struct open_point *o = &a->open;
    if (!o->active)
        return;
    struct outbox_point p = {.step = o->step,
                             .has_value = o->has_value,
                             .value = o->value,
                             .decide = is_decision(a, o->step)};
    if (o->metrics) {
        struct buf b;
        buf_init(&b, METRICS_LIMIT);
        json_write(&b, o->metrics);
        if (buf_ok(&b)) {
            p.metrics_n = (uint32_t)b.n;
            p.metrics = buf_takez(&b);
        } else {
            attempt_complain(a, "the metrics of one step have more than 8 KiB and were left out",
                             fx);
        }
        buf_fini(&b);
    }
    outbox_point(&a->outbox, &p);
    if (o->has_value) {
        json_object_put(a->last_metrics);
        a->last_metrics = o->metrics;
        o->metrics = NULL;
    }
    json_object_put(o->metrics);
    *o = (struct open_point){0};
}

static void merge_metrics(struct json_object **into, const struct report_line *r)
{
    if (!r->metrics)
        return;
    if (!*into) {
        *into = json_object_get(r->metrics);
        return;
    }
    json_object_object_foreach(r->metrics, name, value)
    {
        bool known = json_object_object_get_ex(*into, name, NULL);
        if (known || json_object_object_length(*into) < REPORT_MAX_METRICS)
            json_object_object_add(*into, name, json_object_get(value));
    }
}

static void take_point(struct worker *w, struct attempt *a, const struct report_line *r,
                       int64_t now, struct worker_out *fx)
{
    struct open_point *o = &a->open;
    if (o->active && r->step > o->step)
        attempt_close_point(a, fx);
    if (!o->active && a->has_step && r->step <= a->last_step) {
        if (r->step < a->last_step)
            attempt_complain(a, "a step came after a greater one and was left out: steps must rise",
                             fx);
        return;
    }
    if (o->active && r->step < o->step) {
        attempt_complain(a, "a step came after a greater one and was left out: steps must rise",
                         fx);
        return;
    }
    o->active = true;
    o->step = a->last_step = r->step;
    a->has_step = true;
    if (r->has_value) {
        o->has_value = a->has_last = true;
        o->value = a->last_value = r->value;
    }
    merge_metrics(&o->metrics, r);
    if (o->has_value && is_decision(a, o->step)) {
        attempt_close_point(a, fx);
        attempt_flush(w, a, now, fx);
    } else if (a->flush_at == CLOCK_NEVER && (o->has_value || outbox_waiting(&a->outbox))) {
        a->flush_at = now + w->link.flush_ns;
        attempt_rearm(w, a);
    }
}

static void take_result(struct worker *w, struct attempt *a, const struct report_line *r,
                        int64_t now, struct worker_out *fx)
{
    if (r->kind == REPORT_PRUNED && r->has_value) {
        a->has_last = true;
        a->last_value = r->value;
    }
    a->has_result = true;
    a->result = r->kind;
    a->result_value = r->value;
    merge_metrics(&a->result_metrics, r);
    if (r->kind == REPORT_ERROR) {
        char text[4097];
        (void)str_copyz(text, sizeof text, str_make(r->text.p, str_utf8_cut(r->text, 4096)));
        attempt_fail(a, text[0] ? text : "the program reported an error without a text", !r->retry);
    }
    attempt_event(w, a, EVENT_RESULT, NULL, now, fx);
}

void attempt_line(struct worker *w, struct attempt *a, const struct report_line *r, int64_t now,
                  struct worker_out *fx)
{
    if (a->has_result) /* the first result counts; what follows is chatter */
        return;
    if (r->left_out > 0)
        attempt_complain(
            a, "a line holds members that are no metrics (lists, objects, null, long texts)", fx);
    switch (r->kind) {
    case REPORT_POINT:
        take_point(w, a, r, now, fx);
        break;
    case REPORT_METRICS:
        merge_metrics(&a->result_metrics, r);
        break;
    case REPORT_CHECKPOINT:
        checkpoint_take(w, a, r, now, fx);
        break;
    case REPORT_FINAL:
    case REPORT_PRUNED:
    case REPORT_ERROR:
        take_result(w, a, r, now, fx);
        break;
    }
}

static bool due(int64_t *at, int64_t now)
{
    if (*at > now)
        return false;
    *at = CLOCK_NEVER;
    return true;
}

void attempt_due(struct worker *w, struct attempt *a, int64_t now, struct worker_out *fx)
{
    if (a->outbox.resend_at <= now) {
        outbox_rewind(&a->outbox, true);
        attempt_flush(w, a, now, fx);
    }
    if (due(&a->flush_at, now)) {
        if (a->open.has_value)
            attempt_close_point(a, fx);
        attempt_flush(w, a, now, fx);
    }
    if (due(&a->spool_at, now))
        spooling_save(w, a, fx);
    attempt_rearm(w, a);
    struct attempt_input leave = {.cause = END_RELEASE, .release_why = w->drain.why};
    if (due(&a->ask_until, now)) {
        leave.grace_ns = drain_grace(w, a->grace_ns, now);
        attempt_event(w, a, EVENT_STOP, &leave, now, fx);
    } else if (due(&a->give_up_at, now)) {
        struct attempt_input in = {.cause = END_RELEASE, .release_why = RELEASE_RESOURCES};
        worker_count(w, COUNT_NO_ROOM, 1);
        attempt_event(w, a, EVENT_STOP, &in, now, fx);
    } else if (due(&a->timeout_at, now)) {
        attempt_event(w, a, EVENT_TIMEOUT, NULL, now, fx);
    } else if (due(&a->term_at, now)) {
        attempt_event(w, a, EVENT_TERM, NULL, now, fx);
    } else if (due(&a->kill_at, now)) {
        attempt_event(w, a, EVENT_GRACE, NULL, now, fx);
    }
}
