/* Checkpoints of an attempt: asking for one, taking what the program names, and the check of the
 * one that it resumes from. Called by attempt.c, attempt_state.c, grant.c, drain.c and, with the
 * shell's answers, through worker_core.h. It must not know files: what stands at a place is the
 * shell's to find out.
 *
 * A checkpoint is told to the broker only with the digest of its content, so that the attempt that
 * resumes from it can be sure of it; RELEASE comes after it. One digest an attempt is computed at a
 * time; of what the program names meanwhile only the newest waits. */
#include <stdlib.h>

#include "alloc.h"
#include "json.h"
#include "spooling.h"
#include "worker_impl.h"

#include <json-c/json.h>

static const struct digest no_digest;

static void forget(struct unsealed *u)
{
    free(u->place);
    *u = (struct unsealed){0};
}

void checkpoint_drop(struct attempt *a)
{
    forget(&a->sealing);
    forget(&a->next);
    a->checking = false;
    free((char *)a->end.output.p);
    a->end = (struct child_end){0};
}

/* The newest that waits goes to the shell. */
static void seal(struct attempt *a, struct worker_out *fx)
{
    a->sealing = a->next;
    a->next = (struct unsealed){0};
    struct worker_fx *x = worker_out_add(fx, WFX_SEAL);
    x->run = &a->desc;
    x->body = worker_out_text(fx, str_of(a->sealing.place));
}

static void take(struct attempt *a, struct str place, int64_t step, uint64_t size,
                 struct worker_out *fx)
{
    forget(&a->next);
    a->next = (struct unsealed){str_dupz(place), step, size};
    a->tidy = true;
    if (!a->sealing.place)
        seal(a, fx);
}

void checkpoint_take(struct worker *w, struct attempt *a, const struct report_line *r, int64_t now,
                     struct worker_out *fx)
{
    struct json_object *size = json_get(r->root, "size");
    int64_t bytes = json_object_is_type(size, json_type_int) ? json_object_get_int64(size) : 0;
    attempt_close_point(a, fx);
    take(a, r->text, r->has_step ? r->step : a->last_step, bytes > 0 ? (uint64_t)bytes : 0, fx);
    attempt_flush(w, a, now, fx);
}

/* ---- asking ---- */

static void ask_by_line(const struct attempt *a, int64_t left, struct worker_out *fx)
{
    struct buf b;
    struct jsonw j;
    int64_t ms = left / NS_PER_MS;
    buf_init(&b, 0);
    jsonw_init(&j, &b);
    jsonw_object(&j);
    jsonw_keyz(&j, "checkpoint");
    jsonw_object(&j);
    jsonw_kf64(&j, "deadline_s", (double)ms / 1000);
    jsonw_end(&j);
    jsonw_ku64(&j, "trial", a->desc.trial);
    jsonw_end(&j);
    struct str text = worker_out_text(fx, buf_str(&b));
    buf_fini(&b);
    if (!text.p)
        return;
    struct worker_fx *x = worker_out_add(fx, WFX_LINE);
    x->run_id = a->desc.run;
    x->body = text;
}

bool checkpoint_ask(struct worker *w, struct attempt *a, int64_t now, struct worker_out *fx)
{
    const struct objective *o = &a->desc.spec->objective;
    if (o->checkpoint_ask == CHECKPOINT_UNASKED)
        return false;
    int64_t until = now + o->checkpoint_within_ns;
    if (w->drain.mode != DRAIN_NONE && w->drain.stop_at < until)
        until = w->drain.stop_at;
    if (until < a->ask_until)
        a->ask_until = until;
    a->timeout_at = CLOCK_NEVER;
    attempt_rearm(w, a);
    if (a->asked)
        return true;
    a->asked = true;
    int64_t left = until > now ? until - now : 0;
    if (o->checkpoint_ask == CHECKPOINT_BY_LINE) {
        ask_by_line(a, left, fx);
    } else {
        struct worker_fx *x = worker_out_add(fx, WFX_ASK);
        x->run_id = a->desc.run;
        x->signal = o->checkpoint_signal;
    }
    worker_out_fact(fx, FACT_ASKED, a, "deadline_ms=%lld", (long long)(left / NS_PER_MS));
    return true;
}

/* ---- sealing ---- */

/* Who was asked by a signal and knows nothing of the channel says by exit status 0 that the
 * checkpoint is whole. */
static bool left_one(const struct attempt *a, const struct child_end *end)
{
    return end && a->asked && !a->answered && end->exit_code == 0 && end->signal == 0 &&
           a->desc.spec->objective.checkpoint_ask == CHECKPOINT_BY_SIGNAL;
}

static int64_t step_reached(const struct attempt *a)
{
    if (a->has_step)
        return a->last_step;
    return a->resumed == RESUME_DONE ? a->desc.resume_step : 0;
}

bool checkpoint_holds(struct attempt *a, const struct child_end *end, struct worker_out *fx)
{
    bool over = (a->has_result && a->result != REPORT_ERROR) || a->cause == END_STOP;
    if (!attempt_wanted(a) || (over && !attempt_given_back(a)))
        return false;
    if (!a->sealing.place && left_one(a, end))
        take(a, STR(""), step_reached(a), 0, fx);
    return a->sealing.place != NULL;
}

static void tell(struct attempt *a, const struct seal *s, struct worker_out *fx)
{
    struct msg_checkpoint m = {.step = a->sealing.step,
                               .uri = s->uri,
                               .size = s->verdict == SEAL_OK ? s->size : a->sealing.size,
                               .digest = s->digest};
    outbox_checkpoint(&a->outbox, &m);
    worker_out_fact(fx, FACT_CHECKPOINT, a, "step=%lld size=%llu", (long long)m.step,
                    (unsigned long long)m.size);
}

static void complain(struct attempt *a, struct str text, struct worker_out *fx)
{
    char z[256];
    (void)str_copyz(z, sizeof z, str_make(text.p, str_utf8_cut(text, sizeof z - 1)));
    attempt_complain(a, z, fx);
}

/* It has what the next attempt needs: nothing it does from now on would count. */
static void let_go(struct worker *w, struct attempt *a, int64_t now, struct worker_out *fx)
{
    struct attempt_input in = {.cause = a->cause,
                               .stop_why = a->stop_why,
                               .release_why = a->release_why,
                               .grace_ns = drain_grace(w, a->grace_ns, now)};
    attempt_event(w, a, EVENT_STOP, &in, now, fx);
}

void worker_on_sealed(struct worker *w, int64_t now, uint64_t run, const struct seal *s,
                      struct worker_out *fx)
{
    struct attempt *a = worker_run_of(w, run);
    if (!a || !a->sealing.place)
        return;
    bool good = s->verdict == SEAL_OK || s->verdict == SEAL_ELSEWHERE;
    if (good)
        tell(a, s, fx);
    else if (a->sealing.place[0])
        complain(a, s->text, fx);
    a->answered |= good && a->asked;
    forget(&a->sealing);
    if (a->next.place)
        seal(a, fx);
    attempt_flush(w, a, now, fx);
    if (good)
        spooling_plan(w, a, now);
    if (a->sealing.place)
        return;
    if (a->state == ATTEMPT_SEALING)
        attempt_event(w, a, EVENT_SEALED, NULL, now, fx);
    else if (a->state == ATTEMPT_RUNNING && a->answered)
        let_go(w, a, now, fx);
}

/* ---- resuming ---- */

bool checkpoint_check(struct attempt *a, struct worker_out *fx)
{
    if (a->desc.resume.n == 0)
        return false;
    a->resumed = RESUME_DONE;
    if (digest_eq(a->desc.resume_digest, no_digest))
        return false;
    a->checking = true;
    struct worker_fx *x = worker_out_add(fx, WFX_CHECK);
    x->run = &a->desc;
    x->body = worker_out_text(fx, a->desc.resume);
    x->digest = a->desc.resume_digest;
    return true;
}

void worker_on_checked(struct worker *w, int64_t now, uint64_t run, const struct seal *s,
                       struct worker_out *fx)
{
    struct attempt *a = worker_run_of(w, run);
    if (!a || !a->checking)
        return;
    a->checking = false;
    bool same = s->verdict == SEAL_OK && digest_eq(s->digest, a->desc.resume_digest);
    if (!same) {
        a->resumed = s->verdict == SEAL_ABSENT ? RESUME_ABSENT : RESUME_CHANGED;
        worker_out_fact(fx, FACT_NOT_RESUMED, a, "checkpoint=%s why=\"" STR_FMT "\"",
                        resume_outcome_name(a->resumed),
                        STR_ARG(s->verdict == SEAL_OK ? STR("its content is another") : s->text));
        free((char *)a->desc.resume.p);
        a->desc.resume = (struct str){0};
        a->desc.resume_step = 0;
    }
    attempt_event(w, a, EVENT_READY, NULL, now, fx);
}
