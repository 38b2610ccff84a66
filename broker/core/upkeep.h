/* The farm's upkeep that a client asks for, a backup or a compaction: one at a time, and the answer
 * to each who asks how far it is. */
#ifndef FARM_CORE_UPKEEP_H
#define FARM_CORE_UPKEEP_H

#include "farm_session.h"

void upkeep_on_backup(const struct act *a, struct session *s, const union message *m);
void upkeep_on_compact(const struct act *a, struct session *s, const union message *m);
void upkeep_on_answer(const struct act *a, const struct pending *p, const struct answer *answer);
void upkeep_free(struct farm *f);

#endif
