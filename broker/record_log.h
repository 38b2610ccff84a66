/* Which durable records the broker logs, and how. */
#ifndef FARM_BROKER_RECORD_LOG_H
#define FARM_BROKER_RECORD_LOG_H

#include "effects.h"
#include "journal.h"

/* One line for each record of a kind that people look for in a log. */
void record_log(const struct effects *fx);
/* A warning if a timeline begins with this start, and why. */
void record_log_timeline(const struct journal *j, const char *db);

#endif
