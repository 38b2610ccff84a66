/* The daemon: the link to the broker on a loop. */
#ifndef FARM_OPTIMIZER_OPTIMIZER_H
#define FARM_OPTIMIZER_OPTIMIZER_H

#include "optimizer_options.h"

/* Serves until TERM, INT or the end of the parent's descriptor. Returns the exit code; faults are
 * on stderr. */
int optimizer_run(const struct optimizer_options *c);

#endif
