/* A study without a farm: the books that the broker keeps otherwise, around one tuner. Trials are
 * numbered from 0 without gaps in the order in which they are handed out; the points of `enqueue`
 * come first, also when the sampler has no point left. The state is a function of the calls that
 * succeeded: the same calls again give the same state, byte for byte. A call that fails changes
 * nothing. */
#ifndef FARM_OPTIMIZER_SOLO_H
#define FARM_OPTIMIZER_SOLO_H

#include "tuner.h"

#define SOLO_MAX_STEP   ((INT64_C(1) << 53) - 1)
#define SOLO_MAX_QUEUED 65536

struct solo;

enum solo_answer {
    SOLO_TRIAL, /* one was handed out */
    SOLO_WAIT,  /* none until a pending trial ends */
    SOLO_END,   /* none any more; tuner_verdict says why */
};
/* Texts live until the next call. */
struct solo_trial {
    uint64_t number;
    struct str params, why; /* JSON; why is empty for a known point */
    bool proposed;          /* by the sampler; else a known point */
};

/* Borrows the spec, which must outlive it. */
err_t solo_new(struct solo **out, const struct spec *spec, struct errmsg *em) MUST_CHECK;
void solo_free(struct solo *s); /* NULL is legal */
const struct tuner *solo_tuner(const struct solo *s);
uint64_t solo_count(const struct solo *s);  /* trials handed out */
uint64_t solo_queued(const struct solo *s); /* known points that wait to be handed out */

/* The next trial: the oldest known point, or one that the sampler proposes. */
err_t solo_ask(struct solo *s, enum solo_answer *answer, struct solo_trial *out,
               struct errmsg *em) MUST_CHECK;
/* Puts a point, as space_write() writes it, behind the known ones. */
err_t solo_enqueue(struct solo *s, struct str params, struct errmsg *em) MUST_CHECK;
/* What an ask came to, done again: the oldest known point; this proposal; that no point is left. */
err_t solo_take(struct solo *s, struct solo_trial *out, struct errmsg *em) MUST_CHECK;
err_t solo_propose(struct solo *s, struct str params, struct errmsg *em) MUST_CHECK;
void solo_exhausted(struct solo *s);
/* Hands a point out at once, past those that wait. */
err_t solo_add(struct solo *s, struct str params, uint64_t *trial, struct errmsg *em) MUST_CHECK;
/* An intermediate loss of a pending trial; may be NaN. */
err_t solo_report(struct solo *s, uint64_t trial, int64_t step, double loss,
                  struct errmsg *em) MUST_CHECK;
/* The end of a pending trial, a final state. Only a complete one has a loss, and it is not NaN. */
err_t solo_finish(struct solo *s, uint64_t trial, enum trial_state state, double loss,
                  struct errmsg *em) MUST_CHECK;
void solo_elapsed(struct solo *s, int64_t ns); /* time the study has run, for stop.time */

#endif
