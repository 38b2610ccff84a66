/* Messages of optimizers. */
#ifndef FARM_CORE_ON_OPTIMIZER_H
#define FARM_CORE_ON_OPTIMIZER_H

#include "farm_session.h"

void optimizer_on_pull(const struct act *a, struct session *s, const union message *m);
void optimizer_on_propose(const struct act *a, struct session *s, const union message *m);
void optimizer_on_close_study(const struct act *a, struct session *s, const union message *m);
void optimizer_on_prune(const struct act *a, struct session *s, const union message *m);

#endif
