/* The walk goes backwards, because only then the first report of an attempt that is met is its
 * last. That an earlier one follows is known one report later, so each attempt has one candidate at
 * a time. Memory is that of the attempts that ran at once: their grant ends them.
 *
 * Called by both journals' compaction. It must not know where records are. */
#include "sieve.h"

#include <stdlib.h>

#include "alloc.h"

struct sieve_attempt {
    struct sieve_trial trial;
    int64_t stop_step;
    bool stopped, reported, valued;
    uint64_t candidate; /* seq; goes if something of the attempt stands before it */
};

void sieve_init(struct sieve *s, void *self,
                void (*trial)(void *self, uint64_t number, struct sieve_trial *out))
{
    *s = (struct sieve){.self = self, .trial = trial};
    idmap_init(&s->attempts);
}

void sieve_fini(struct sieve *s)
{
    size_t pos = 0;
    for (struct sieve_attempt *a; (a = idmap_next(&s->attempts, &pos));)
        free(a);
    idmap_fini(&s->attempts);
}

static uint64_t key_of(const struct sieve_record *r)
{
    return (r->trial + 1) << 32 | r->attempt; /* a study has at most 10^7 trials */
}

static struct sieve_attempt *attempt_of(struct sieve *s, const struct sieve_record *r)
{
    struct sieve_attempt *a = idmap_get(&s->attempts, key_of(r));
    if (a)
        return a;
    a = alloc_zero(sizeof *a);
    s->trial(s->self, r->trial, &a->trial);
    idmap_put(&s->attempts, key_of(r), a);
    return a;
}

static bool decides(const struct sieve_attempt *a, int64_t step)
{
    if (a->stopped && a->stop_step == step)
        return true;
    for (uint32_t i = 0; i < a->trial.n_decide; i++) {
        if (a->trial.decide[i] == step)
            return true;
    }
    return false;
}

static uint64_t take_candidate(struct sieve_attempt *a)
{
    uint64_t seq = a->candidate;
    a->candidate = 0;
    return seq;
}

static uint64_t on_report(struct sieve_attempt *a, const struct sieve_record *r)
{
    uint64_t out = take_candidate(a);
    bool keep =
        !a->trial.final || !a->reported || (r->has_value && !a->valued) || decides(a, r->step);
    a->reported = true;
    a->valued |= r->has_value;
    if (!keep)
        a->candidate = r->seq;
    return out;
}

uint64_t sieve_look(struct sieve *s, const struct sieve_record *r)
{
    struct sieve_attempt *a;
    switch (r->kind) {
    case REC_REPORTED:
        return on_report(attempt_of(s, r), r);
    case REC_STARTED:
        a = idmap_get(&s->attempts, key_of(r));
        return a ? take_candidate(a) : 0;
    case REC_STOPPING:
        a = attempt_of(s, r);
        a->stopped = r->has_step;
        a->stop_step = r->step;
        return 0;
    case REC_GRANTED:
        free(idmap_remove(&s->attempts, key_of(r)));
        return 0;
    default:
        return 0;
    }
}
