/* The one door to the broker's core: everything that goes in goes through here, and is recorded if
 * that is wanted. Each function is the one of farm.h that it is named after; what is looked at and
 * not changed (farm_check(), farm_counts(), ...) is asked for there. */
#ifndef FARM_TAPE_INTAKE_H
#define FARM_TAPE_INTAKE_H

#include "farm.h"
#include "tape.h"

struct intake;

/* tape: taken over; NULL = nothing is recorded. The farm must be new and made of c. */
struct intake *intake_new(struct farm *f, const struct farm_config *c, struct tape *tape);
void intake_free(struct intake *i); /* not the farm; NULL is legal */

void intake_set_wall(struct intake *i, int64_t offset_ms);
/* sum: of what was loaded (loading.h); 0 = nothing was. */
void intake_load_done(struct intake *i, int64_t now, uint64_t last_seq, uint32_t sum,
                      struct effects *fx);
/* body: that of the message, as it came. */
void intake_message(struct intake *i, int64_t now, const struct farm_input *in, struct str body,
                    struct effects *fx);
void intake_bad_frame(struct intake *i, uint64_t peer, uint64_t session, unsigned kind, err_t e,
                      const char *text, struct effects *fx);
void intake_count(struct intake *i, uint64_t peer, enum counter c, uint64_t n);
void intake_gap(struct intake *i, uint64_t peer, uint64_t session, struct effects *fx);
void intake_peer_gone(struct intake *i, int64_t now, uint64_t peer, struct effects *fx);
void intake_peer_busy(struct intake *i, uint64_t peer, bool busy);
void intake_answer(struct intake *i, int64_t now, const struct answer *a, struct effects *fx);
void intake_deaf(struct intake *i, int64_t ns);
void intake_full(struct intake *i, int64_t now, bool full, struct effects *fx);
void intake_set_feed(struct intake *i, bool wanted);
int64_t intake_tick(struct intake *i, int64_t now, struct effects *fx);
void intake_flush_rows(struct intake *i, int64_t now, bool all, struct effects *fx);
/* fx is handed over: what comes next begins another group. */
void intake_group(struct intake *i, const struct effects *fx);

#endif
