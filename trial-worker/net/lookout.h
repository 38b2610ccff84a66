/* Looks out for the cloud's notice that this machine goes. */
#ifndef FARM_TRIAL_WORKER_LOOKOUT_H
#define FARM_TRIAL_WORKER_LOOKOUT_H

#include <uv.h>

#include "cloud.h"

struct lookout;
struct lookout_config {
    uv_loop_t *loop;
    enum cloud_kind kind;
    const char *address; /* http://HOST[:PORT]; NULL = the documented one */
    int64_t every_ns;
};
struct lookout_events {
    void *self;
    /* The machine goes. Once; nothing is asked after it. */
    void (*coming)(void *self, const struct cloud_notice *n);
    /* It could not be asked: the first time of a row, with the reason; and that it can again, text
     * NULL. failures: all so far. */
    void (*trouble)(void *self, const char *text, uint64_t failures);
};
/* http://HOST[:PORT] without a path. */
err_t lookout_check_address(const char *address, struct errmsg *em) MUST_CHECK;
err_t lookout_open(struct lookout **out, const struct lookout_config *c,
                   const struct lookout_events *e, struct errmsg *em) MUST_CHECK;
void lookout_close(struct lookout *l); /* NULL is legal */

#endif
