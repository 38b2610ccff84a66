/* From the journal into a new core. */
#ifndef FARM_BROKER_LOADING_H
#define FARM_BROKER_LOADING_H

#include "farm.h"
#include "journal.h"

/* Everything that the journal holds, up to farm_load_done(), which the caller calls. file: for
 * sentences. *sum: of what was loaded; the same for the same rows and records. */
err_t loading_run(struct journal *j, struct farm *f, const char *file, uint32_t *sum,
                  struct errmsg *em) MUST_CHECK;

#endif
