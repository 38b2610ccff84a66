/* How the core appends effects. */
#ifndef FARM_TRIAL_WORKER_WORKER_OUT_H
#define FARM_TRIAL_WORKER_WORKER_OUT_H

#include "worker_core.h"

struct attempt;

/* Encodes and appends a message. Nothing happens for session 0, but for a HELLO. */
void worker_out_send(struct worker_out *o, uint64_t session, unsigned kind, const void *msg);
/* The same for the spool. */
void worker_out_spool(struct worker_out *o, unsigned kind, const void *msg);
/* Appends a zeroed effect of that kind, to be filled. */
struct worker_fx *worker_out_add(struct worker_out *o, enum worker_fx_kind kind);
/* A copy that lives as long as the effects. */
struct str worker_out_text(struct worker_out *o, struct str s);
/* A fact about an attempt, or about the worker (a NULL). */
void worker_out_fact(struct worker_out *o, enum worker_fact f, const struct attempt *a,
                     const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
