/* Messages of workers. */
#ifndef FARM_CORE_ON_WORKER_H
#define FARM_CORE_ON_WORKER_H

#include "farm_session.h"

void worker_on_credit(const struct act *a, struct session *s, const union message *m);
void worker_on_start(const struct act *a, struct session *s, const union message *m);
void worker_on_report(const struct act *a, struct session *s, const union message *m);
void worker_on_checkpoint(const struct act *a, struct session *s, const union message *m);
void worker_on_final(const struct act *a, struct session *s, const union message *m);
void worker_on_release(const struct act *a, struct session *s, const union message *m);
void worker_on_drain(const struct act *a, struct session *s, const union message *m);

#endif
