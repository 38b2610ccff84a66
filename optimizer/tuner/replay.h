/* Recomputes the proposals of a study. The tuner's promise is that the same spec, seed and order of
 * events give the same proposals; here the promise is checked against a journal: each proposal is
 * asked for again at its place, behind the last event it was based on and with the earlier draws on
 * their way, and compared with what was recorded. */
#ifndef FARM_OPTIMIZER_REPLAY_H
#define FARM_OPTIMIZER_REPLAY_H

#include "buf.h"
#include "message.h"

struct replay;

struct replay *replay_new(void);
void replay_free(struct replay *r); /* NULL is legal */

/* A specification takes effect. What was expected under the one before is asked for first. Then all
 * that is expected under the new one, in order of draws; then the study's records from the first
 * on, those before the specification too. After the first difference nothing more is done. */
err_t replay_spec(struct replay *r, struct str spec, struct errmsg *em) MUST_CHECK;
err_t replay_expect(struct replay *r, const struct proposal *p, struct errmsg *em) MUST_CHECK;
err_t replay_record(struct replay *r, const struct record *record, struct errmsg *em) MUST_CHECK;
/* Asks for what has not been asked for yet. */
void replay_end(struct replay *r);

/* Of the ended replay: whether all were equal, and the whole outcome as one JSON object:
 * {"proposals": asked for, "reasons": how many of them had another `why`, "difference": null or
 * {"draw", "based_on", "what": the member that differs, "expected", "came"}}. */
bool replay_equal(const struct replay *r);
void replay_write(const struct replay *r, struct buf *out);

#endif
