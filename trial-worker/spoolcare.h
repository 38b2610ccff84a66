/* The worker's spool between its core and its file. */
#ifndef FARM_TRIAL_WORKER_SPOOLCARE_H
#define FARM_TRIAL_WORKER_SPOOLCARE_H

#include "spool.h"
#include "worker_core.h"

struct spoolcare { /* zeroed: no spool is kept */
    struct spool *spool;
    struct spool_counts counted; /* what the core has counted of it */
    bool restored;               /* the spools of ended workers were read */
};

/* The farm is known, and nothing was granted yet: what ended workers left on this root is offered
 * to it. Does so once. */
void spoolcare_restore(struct spoolcare *s, struct worker *w, int64_t now, struct worker_out *fx);
/* True if the core has now said everything again, so that effects have to be carried out. *next:
 * when to ask again. */
bool spoolcare_respool(struct spoolcare *s, struct worker *w, int64_t now, struct worker_out *fx,
                       int64_t *next);
/* Begins to write what was added, and counts what went wrong. */
void spoolcare_flush(struct spoolcare *s, struct worker *w, int64_t now);

#endif
