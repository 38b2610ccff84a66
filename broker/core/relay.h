/* The output of attempts, asked of the worker that has it. */
#ifndef FARM_CORE_RELAY_H
#define FARM_CORE_RELAY_H

#include "farm_session.h"

void relay_on_get_log(const struct act *a, struct session *s, const union message *m);
void relay_on_log_text(const struct act *a, struct session *s, const union message *m);
/* Requests that no worker answered. */
void relay_expire(const struct act *a);
int64_t relay_next(const struct farm *f);

#endif
