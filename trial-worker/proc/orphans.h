/* Results that count no longer, kept for people under the worker's root. */
#ifndef FARM_TRIAL_WORKER_ORPHANS_H
#define FARM_TRIAL_WORKER_ORPHANS_H

#include "err.h"
#include "str.h"

#define ORPHANS_FILE_MAX (4u << 20)

/* Appends the result, a JSON object, with the time to root/orphans/results.jsonl. When that has
 * ORPHANS_FILE_MAX bytes it becomes results.1.jsonl, in place of the one before. */
err_t orphans_add(const char *root, struct str object, struct errmsg *em) MUST_CHECK;

#endif
