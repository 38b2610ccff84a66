/* Messages of optimizers. */
#ifndef FARM_CORE_ON_OPTIMIZER_H
#define FARM_CORE_ON_OPTIMIZER_H

#include "farm_session.h"

void on_optimizer_pull(const struct act *a, struct session *s, const union message *m);
void on_optimizer_propose(const struct act *a, struct session *s, const union message *m);
void on_optimizer_close_study(const struct act *a, struct session *s, const union message *m);
void on_optimizer_prune(const struct act *a, struct session *s, const union message *m);

#endif
