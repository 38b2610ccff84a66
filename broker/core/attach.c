/* Attachments of studies to optimizers. An attachment has an epoch, which fences an optimizer that
 * returns: what it says under an older one changes nothing. Everything about an attachment is
 * forgotten with it; the next begins from the study's first record.
 *
 * farm_tick() calls attach_all() when a study or an optimizer came; on_optimizer.c serves the
 * attachment. */
#include "attach.h"

#include "stream.h"
#include "study.h"

#define KIND(k) (UINT64_C(1) << REC_##k)
/* What an optimizer has a use for. */
#define OPTIMIZER_KINDS                                                                            \
    (KIND(PROPOSED) | KIND(ENQUEUED) | KIND(REPORTED) | KIND(CHECKPOINTED) | KIND(CLOSED) |        \
     KIND(FINISHED) | KIND(STOPPING) | KIND(STUDY_CLOSED) | KIND(STUDY_OPENED) |                   \
     KIND(STUDY_PAUSED) | KIND(STUDY_RESUMED) | KIND(SPEC_ADDED))

static struct session *least_busy(const struct farm *f)
{
    struct session *best = NULL;
    LIST_FOREACH (it, &f->optimizers) {
        struct session *o = CONTAINER_OF(it, struct session, in_role);
        if (!best || o->n_studies < best->n_studies)
            best = o;
    }
    return best;
}

static void attach(const struct act *a, struct study *s, struct session *o)
{
    struct record r = {.kind = REC_ATTACHED, .number = s->optimizer_epoch + 1, .who = o->id};
    verb_record(a, s, &r, NULL);
    s->optimizer = o;
    s->want = s->answered = 0;
    s->want_n = 0;
    s->hold = false;
    list_push(&o->studies, &s->in_optimizer);
    o->n_studies++;
    s->stream = stream_new(a->f, o, s, 1, 0);
    s->stream->attachment = true;
    s->stream->epoch = s->optimizer_epoch;
    s->stream->kinds = OPTIMIZER_KINDS;
    struct msg_attached m = {.study = s->number,
                             .epoch = s->optimizer_epoch,
                             .name = str_of(s->name),
                             .spec = s->spec,
                             .spec_number = s->spec_number,
                             .head = s->study_seq,
                             .next_draw = s->next_draw,
                             .elapsed_ms = study_elapsed_ms(s, a->now),
                             .trials = s->n_trials};
    effects_send(a->fx, o->peer, o->number, MSG_ATTACHED, &m);
    study_activate(s);
}

void attach_all(const struct act *a)
{
    struct farm *f = a->f;
    f->attach_wanted = false;
    for (size_t i = 0; i < f->n_studies && !list_empty(&f->optimizers); i++) {
        struct study *s = f->studies[i];
        if (s->state == STUDY_OPEN && !s->optimizer && !s->broken)
            attach(a, s, least_busy(f));
    }
}

void attach_hope(struct farm *f)
{
    for (size_t i = 0; i < f->n_studies; i++)
        f->studies[i]->broken = false;
    f->attach_wanted = true;
}

static void lose(struct farm *f, struct study *s)
{
    if (s->stream)
        stream_end(f, s->stream);
    s->stream = NULL;
    s->optimizer->n_studies--;
    s->optimizer = NULL;
    list_remove(&s->in_optimizer);
    s->want = s->answered = 0;
    s->want_n = 0;
    f->attach_wanted = true;
}

void attach_end(const struct act *a, struct study *s, const char *why)
{
    struct session *o = s->optimizer;
    if (!o)
        return;
    struct msg_detached m = {.study = s->number, .epoch = s->optimizer_epoch, .why = str_of(why)};
    effects_send(a->fx, o->peer, o->number, MSG_DETACHED, &m);
    lose(a->f, s);
}

void attach_lose_all(const struct act *a, struct session *optimizer)
{
    LIST_FOREACH_SAFE (it, tmp, &optimizer->studies) {
        struct study *s = CONTAINER_OF(it, struct study, in_optimizer);
        lose(a->f, s);
    }
}

void attach_settle(const struct act *a, struct study *s)
{
    if (s->state == STUDY_ENDED && s->optimizer)
        attach_end(a, s, "ended");
}
