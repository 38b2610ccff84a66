/* Which durable records the broker logs, and how. */
#ifndef FARM_BROKER_RECORD_LOG_H
#define FARM_BROKER_RECORD_LOG_H

#include "effects.h"

/* One line if r is of a kind that people look for in a log; fx holds its texts. */
void record_log(const struct effects *fx, const struct fx_record *r);

#endif
