/* Messages of workers. */
#ifndef FARM_CORE_ON_WORKER_H
#define FARM_CORE_ON_WORKER_H

#include "farm_session.h"

void on_worker_credit(const struct act *a, struct session *s, const union message *m);
void on_worker_start(const struct act *a, struct session *s, const union message *m);
void on_worker_report(const struct act *a, struct session *s, const union message *m);
void on_worker_checkpoint(const struct act *a, struct session *s, const union message *m);
void on_worker_final(const struct act *a, struct session *s, const union message *m);
void on_worker_release(const struct act *a, struct session *s, const union message *m);
void on_worker_drain(const struct act *a, struct session *s, const union message *m);

#endif
