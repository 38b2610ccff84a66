/* Follows one study through a broker until it ends, is interrupted, or fails. */
#ifndef FARM_CLI_FOLLOW_H
#define FARM_CLI_FOLLOW_H

#include "announce.h"
#include "brokerlink.h"

struct follow_config {
    struct brokerlink *link;
    const char *study;
    uint64_t since; /* journal seq: what is not later was there before and is not announced */
    uint64_t seq;   /* journal seq that must have been seen before an end counts */
    unsigned max_failures; /* trials that fail with none complete before it gives up; 0 = never */
    const char *needs; /* what a trial needs, for people; said when none is taken for long. NULL =
                          not known */
    int signals;       /* signalfd of INT, TERM, CHLD, WINCH; -1 = none */
    err_t (*on_child)(void *self, struct errmsg *em); /* a child ended; may be NULL */
    void *self;
};
enum follow_end { FOLLOW_ENDED, FOLLOW_INTERRUPTED, FOLLOW_FAILING };

/* p and a are initialised by the caller and hold what was seen. An error: the broker refuses or a
 * child is lost. */
err_t follow_study(const struct follow_config *c, struct progress *p, struct announce *a,
                   enum follow_end *end, struct errmsg *em) MUST_CHECK;
/* Blocks the signals for this process and returns their descriptor. */
err_t follow_signals(int *fd, struct errmsg *em) MUST_CHECK;

#endif
