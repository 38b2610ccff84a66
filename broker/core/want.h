/* Asking optimizers for proposals. */
#ifndef FARM_CORE_WANT_H
#define FARM_CORE_WANT_H

#include "verbs.h"

#define WANT_MOST 256u /* proposals asked for at once */

/* Sends what dispatch_run() left in study.ask, after the streams have moved; a study whose stream
 * is not at its head waits. */
void want_send_all(const struct act *a);
/* The study's outstanding WANT is answered with n proposals. */
void want_answered(struct study *s, uint32_t n);
/* When the oldest outstanding WANT stops keeping slots; CLOCK_NEVER if none does. */
int64_t want_next(const struct farm *f, int64_t now);

#endif
