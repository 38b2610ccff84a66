/* What this worker is made of. */
#ifndef FARM_TRIAL_WORKER_SOFTWARE_H
#define FARM_TRIAL_WORKER_SOFTWARE_H

#include "buf.h"

void software_describe(struct buf *out); /* a JSON object */

#endif
