/* A connected worker as the broker sees it: credit, resources, labels, what it holds. Volatile. */
#ifndef FARM_CORE_REMOTE_H
#define FARM_CORE_REMOTE_H

#include "farm_state.h"

/* NULL if no connected worker has this id. */
struct worker *remote_find(const struct farm *f, struct id128 id);
/* A worker for this session, with what HELLO says; or NULL: another id with the same hash is there.
 */
struct worker *remote_add(struct farm *f, struct session *s, const struct msg_hello *h);
/* HELLO of a new session of the same process: credit starts anew. */
void remote_renew(struct farm *f, struct worker *w, struct session *s, const struct msg_hello *h);
/* It must hold nothing. */
void remote_remove(struct farm *f, struct worker *w);
void remote_free(struct worker *w);

/* A small number for a worker's id, the same as long as the farm lives; from 1. */
uint32_t remote_number(struct farm *f, struct id128 id);
struct id128 remote_id(const struct farm *f, uint32_t number); /* zero for 0 */

void remote_take(struct farm *f, struct worker *w, const struct resources *r);
void remote_give_back(struct farm *f, struct worker *w, const struct resources *r);
/* It may take more trials than before. */
void remote_gained(struct farm *f, struct worker *w);
/* Its draining changed. */
void remote_regain(struct farm *f, struct worker *w);
uint32_t remote_free_slots(const struct worker *w);
/* The id is its own, or that of an ended process whose spool it holds. */
bool remote_speaks_for(const struct worker *w, struct id128 id);
/* What it offers in all, and its labels, are enough for a trial of e; it does not drain. */
bool remote_able(const struct worker *w, const struct envelope *e);
/* Resources beside what is taken and labels are enough for one more trial of e. */
bool remote_fits(const struct worker *w, const struct envelope *e, uint32_t promised);
void remote_mark(struct farm *f, struct worker *w);
/* Appends its row. */
void remote_image(const struct worker *w, enum worker_state state, int64_t seen_ms,
                  struct effects *fx);

#endif
