/* Counters of what was refused, came again or was missed (proto/counter.h): by peer while it has a
 * session, and by role since the broker's start. Volatile. */
#ifndef FARM_CORE_TALLY_H
#define FARM_CORE_TALLY_H

#include "farm_state.h"

/* s: the peer it is about; NULL = one without a session. */
void tally(struct farm *f, struct session *s, enum counter c, uint64_t n);
/* What a worker says of its own counters. */
void tally_told(struct farm *f, struct session *s, const struct count *counts, uint32_t n);
/* The process of `from` goes on in `to`. */
void tally_move(struct session *from, struct session *to);

#endif
