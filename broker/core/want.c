/* WANT: one outstanding at a time for each study, sent behind the EVENTS of the same group, so that
 * the optimizer has applied every record up to its place when it answers.
 *
 * dispatch.c decides how many; on_optimizer.c takes the answer. */
#include "want.h"

#include "study.h"

void want_send_all(const struct act *a)
{
    LIST_FOREACH (it, &a->f->active) {
        struct study *s = CONTAINER_OF(it, struct study, active);
        if (!s->ask || !s->stream || !s->stream->live || s->state != STUDY_OPEN)
            continue;
        s->want++;
        s->want_n = s->ask;
        s->want_at = a->now;
        s->ask = 0;
        struct msg_want m = {.study = s->number,
                             .epoch = s->optimizer_epoch,
                             .want = s->want,
                             .n = s->want_n,
                             .upto = s->stream->announced};
        effects_send(a->fx, s->optimizer->peer, s->optimizer->number, MSG_WANT, &m);
    }
}

void want_answered(struct study *s, uint32_t n)
{
    s->hold = n < s->want_n;
    s->answered = s->want;
    s->want_n = 0;
    study_activate(s);
}

int64_t want_next(const struct farm *f, int64_t now)
{
    int64_t at = CLOCK_NEVER;
    LIST_FOREACH (it, &f->active) {
        const struct study *s = CONTAINER_OF(it, struct study, active);
        if (s->want == s->answered || s->want_at + WANT_PATIENCE <= now)
            continue;
        if (s->want_at + WANT_PATIENCE < at)
            at = s->want_at + WANT_PATIENCE;
    }
    return at;
}
