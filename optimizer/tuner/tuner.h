/* The pure loop of one study: records in, proposals and the end out. No socket, clock or file.
 *
 * The state is a function of the records applied and of the draws asked since; a tuner that was fed
 * the same records makes the same proposals, byte for byte. A proposal counts as pending from the
 * moment it is made. */
#ifndef FARM_OPTIMIZER_TUNER_H
#define FARM_OPTIMIZER_TUNER_H

#include "history.h"
#include "message.h"
#include "spec.h"

#define TUNER_MAX_ASK 1024 /* proposals of one ask */
#define TUNER_MAX_IN_FLIGHT                                                                        \
    65536 /* proposals whose record has not come; beyond it none are made                          \
           */

struct tuner;

/* Texts live until the next record is applied. */
struct tuner_proposal {
    uint64_t draw;
    struct str params, why; /* JSON */
    uint64_t based_on;      /* last study_seq applied */
    uint32_t behind;        /* trials pending when it was made, earlier proposals among them */
};
struct tuner_best {
    uint64_t trial;
    double loss; /* in the metric's own sign */
};

/* Borrows the spec, which must outlive it. Fails, with a sentence that begins with the member's
 * path, if the sampler cannot work with it. */
err_t tuner_new(struct tuner **out, const struct spec *spec, struct errmsg *em) MUST_CHECK;
void tuner_free(struct tuner *t); /* NULL is legal */

/* Applies one record of the study, in order. Kinds of no use are ignored; so is what contradicts
 * the records before. A point that is not in the space (the spec was edited) counts as a trial and
 * stays out of the model. Fails only when the study is too large. */
err_t tuner_on_record(struct tuner *t, const struct record *r, struct errmsg *em) MUST_CHECK;
/* The stream is complete up to this study_seq, whether or not a record stood there. */
void tuner_on_upto(struct tuner *t, uint64_t study_seq);
/* The broker's next draw, where it is greater than what the records say. */
void tuner_on_next_draw(struct tuner *t, uint64_t draw);
/* The time the study has been open, for stop.time. */
void tuner_on_elapsed(struct tuner *t, int64_t ns);
/* The sampler has said before, of the same study, that no point is left. */
void tuner_on_exhausted(struct tuner *t);

/* Makes up to n (at most TUNER_MAX_ASK) proposals. Fewer: the rest waits for results, or the study
 * is at its end. */
uint32_t tuner_ask(struct tuner *t, uint32_t n, struct tuner_proposal *out);
/* Why the study should end: "trials", "time", "target", "plateau", "exhausted"; NULL while it
 * should not. */
const char *tuner_verdict(const struct tuner *t, bool *stop_running);
/* The same of the study's own rules alone: known points may go on while they allow it. */
const char *tuner_rule(const struct tuner *t, bool *stop_running);
bool tuner_best(const struct tuner *t, struct tuner_best *out); /* false: no trial is complete */
/* Trials whose last attempt was closed without an end and that have said nothing since. They are
 * pending as before, with their curves. */
uint64_t tuner_interrupted(const struct tuner *t);
const struct history *tuner_history(const struct tuner *t);
bool tuner_pending(const struct tuner *t,
                   uint64_t trial); /* proposed or enqueued by a record, and not final */

#endif
