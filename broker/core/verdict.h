/* What becomes of the attempts that a worker says it holds. */
#ifndef FARM_CORE_VERDICT_H
#define FARM_CORE_VERDICT_H

#include "verbs.h"

/* One verdict for each held attempt into out (room for n), and the end of those that the broker
 * thinks it holds and it does not. foreign: all of them were granted under another timeline, and
 * are to be killed. Returns n. */
uint32_t verdict_on_hello(const struct act *a, struct worker *w, const struct held *held,
                          uint32_t n, bool foreign, struct verdict *out);
/* Only what differs from going on; an attempt that two beats do not name is lost. Returns how many.
 */
uint32_t verdict_on_beat(const struct act *a, struct worker *w, const struct held *held, uint32_t n,
                         struct verdict *out);
/* The open attempt that a worker's message is about, or NULL with the reason. A worker that has not
 * heard yet that its attempt was adopted under the next number may use the former one. */
struct trial *verdict_attempt(const struct farm *f, const struct worker *w, uint64_t study,
                              uint64_t trial, uint32_t attempt, enum nak_code *why);
/* The trial is final by this attempt. */
bool verdict_finished_by(const struct trial *t, uint32_t attempt);
/* Waits in line, and its last attempt was this one and expired: a worker that still has it may go
 * on. */
bool verdict_adoptable(const struct trial *t, uint32_t attempt);

#endif
