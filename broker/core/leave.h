/* Workers that leave: because they say so, or because a client has ordered it. */
#ifndef FARM_CORE_LEAVE_H
#define FARM_CORE_LEAVE_H

#include "farm_session.h"

/* DRAIN_WORKER: the order stands in struct worker, LEAVE goes out, and the client is answered when
 * the worker says that it drains. */
void leave_on_drain_worker(const struct act *a, struct session *s, const union message *m);
/* The worker drains: it gets no more trials, the journal says so once, who waits is answered. */
void leave_begins(const struct act *a, struct worker *w, uint64_t deadline_ms, struct str why);
/* The worker is about to be forgotten. */
void leave_ends(const struct act *a, const struct worker *w);
/* Repeats the order to a worker in a new session, and in every answer to its beats. */
void leave_remind(const struct act *a, const struct worker *w);
void leave_fill(const struct worker *w, int64_t now, struct msg_beat_ack *ack);
/* Clients whose worker does not answer. */
void leave_expire(const struct act *a);
int64_t leave_next(const struct farm *f);

#endif
