/* What the owner does about the spool. Called by agent.c, which carries effects out. */
#include "spoolcare.h"

static bool take_record(void *self, unsigned kind, const union message *m)
{
    return worker_restore(self, kind, m);
}

void spoolcare_restore(struct spoolcare *s, struct worker *w, int64_t now, struct worker_out *fx)
{
    uint64_t farm, timeline;
    if (s->restored || !s->spool || worker_session(w) == 0)
        return;
    s->restored = true;
    worker_farm(w, &farm, &timeline);
    spool_take(s->spool, farm, timeline, take_record, w);
    if (worker_restored(w, now, fx) == 0)
        spool_settle(s->spool);
}

bool spoolcare_respool(struct spoolcare *s, struct worker *w, int64_t now, struct worker_out *fx,
                       int64_t *next)
{
    *next = CLOCK_NEVER;
    if (!s->spool || !spool_wants_all(s->spool, now, next))
        return false;
    worker_respool(w, now, fx);
    return true;
}

void spoolcare_flush(struct spoolcare *s, struct worker *w, int64_t now)
{
    if (!s->spool)
        return;
    spool_flush(s->spool, now);
    struct spool_counts n = spool_counts(s->spool);
    worker_count(w, COUNT_SPOOL_FAILED, n.failed - s->counted.failed);
    worker_count(w, COUNT_SPOOL_FULL, n.left_out - s->counted.left_out);
    worker_count(w, COUNT_SPOOL_SET_ASIDE, n.set_aside - s->counted.set_aside);
    s->counted = n;
}
