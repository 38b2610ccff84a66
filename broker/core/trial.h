/* A trial in memory: where it stands in its study, and the part of it that only an unfinished one
 * needs. */
#ifndef FARM_CORE_TRIAL_H
#define FARM_CORE_TRIAL_H

#include "farm_state.h"

/* NULL if the study has no such trial. */
struct trial *trial_get(const struct study *s, uint64_t number);
/* A new trial in state queued, in no list yet; the number must be free and at most TRIALS_MAX. */
struct trial *trial_add(struct study *s, uint64_t number);
/* Replaces an owned string by a copy. */
void trial_text(struct str *mine, struct str text);
/* Moves to `state`: counters, lists and heaps follow. Called by apply.c only, which asked the state
 * table. */
void trial_move(struct trial *t, unsigned state);
/* Puts a loaded trial where its state belongs, as trial_move() would have. */
void trial_place(struct trial *t);
/* The attempt belongs to w from now on: its slot and resources are taken. */
void trial_hold(struct trial *t, struct worker *w, int64_t now);
/* Ends that; the worker may have room for more. Legal if nobody holds it. */
void trial_unhold(struct trial *t);
/* The row is behind since record `seq`. */
void trial_mark(struct trial *t, uint64_t seq, int64_t now);
/* Copies what a row holds; strings borrowed. */
void trial_fill(const struct trial *t, struct trial_image *out);
/* Frees what a final, written trial does not need. */
void trial_shrink(struct trial *t);
void trial_free_all(struct study *s);

#endif
