/* Work on checkpoints that takes long: digests, and the removal of old ones; on threads of the
 * loop's pool. */
#ifndef FARM_TRIAL_WORKER_SEALER_H
#define FARM_TRIAL_WORKER_SEALER_H

#include <uv.h>

#include "worker_core.h"

struct sealer;
struct sealer_events {
    void *self;
    void (*checked)(void *self, uint64_t run, const struct seal *s);
    void (*sealed)(void *self, uint64_t run, const struct seal *s);
};

struct sealer *sealer_new(uv_loop_t *loop, const struct sealer_events *e);
/* Answers that are still to come are not given any more; the memory goes when the loop has run to
 * its end. NULL is legal. */
void sealer_close(struct sealer *s);

/* WFX_SEAL and WFX_CHECK. `dir` is the attempt's directory for checkpoints. The answer comes from
 * the loop, never from within the call. */
void sealer_seal(struct sealer *s, uint64_t run, struct str place, const char *dir);
void sealer_check(struct sealer *s, uint64_t run, struct str place);
void sealer_remove(struct sealer *s, const char *path);

#endif
