/* INSPECT: what is in memory only, told as rows: counters, peers, studies and what they wait for.
 */
#ifndef FARM_CORE_INSPECT_H
#define FARM_CORE_INSPECT_H

#include "farm_session.h"

void inspect_on_ask(const struct act *a, struct session *s, const union message *m);

#endif
