/* Which optimizer has which study. Volatile, but each attachment is recorded with its epoch. */
#ifndef FARM_CORE_ATTACH_H
#define FARM_CORE_ATTACH_H

#include "verbs.h"

/* Gives every open study without an optimizer to the one that has fewest. */
void attach_all(const struct act *a);
/* An optimizer came: studies that another one could not go on with are offered again. */
void attach_hope(struct farm *f);
/* Tells the optimizer that it is over; the study may go to another. Legal if none has it. */
void attach_end(const struct act *a, struct study *s, const char *why);
/* The session is gone: its studies may go to another. */
void attach_lose_all(const struct act *a, struct session *optimizer);
/* Ended studies are taken from their optimizers. */
void attach_settle(const struct act *a, struct study *s);

#endif
