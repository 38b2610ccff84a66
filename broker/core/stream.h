/* Readers of the journal: attachments of optimizers and TAILs of clients. Each has a cursor and
 * credit; what it has not seen comes from the recent records in memory, or from the store if it is
 * further behind. Volatile. */
#ifndef FARM_CORE_STREAM_H
#define FARM_CORE_STREAM_H

#include "verbs.h"

struct stream *stream_new(struct farm *f, struct session *s, struct study *study, uint64_t from,
                          uint64_t to);
void stream_end(struct farm *f, struct stream *st);
void stream_end_all(struct farm *f, struct session *s);
/* Looks at it in this tick. */
/* All streams of a session. */
void stream_wake_all(struct farm *f, struct session *s);
void stream_wake(struct farm *f, struct stream *st);
/* Brings every reader of what changed as far as its credit goes, and the feed. */
void stream_move_all(const struct act *a);
void stream_on_answer(const struct act *a, const struct pending *p, const struct answer *answer);
/* A token for a question; the pending is kept until farm_on_answer() takes it. */
uint64_t pending_add(struct farm *f, struct pending p);

#endif
