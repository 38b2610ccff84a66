/* Everything stored, into the core. */
#ifndef FARM_BROKER_LOADING_H
#define FARM_BROKER_LOADING_H

#include "farm.h"
#include "journal.h"

/* Between farm_new() and farm_load_done(). file: for sentences. */
err_t loading_run(struct journal *j, struct farm *f, const char *file,
                  struct errmsg *em) MUST_CHECK;

#endif
