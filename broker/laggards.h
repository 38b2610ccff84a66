/* Peers that take messages more slowly than they are made: their streams wait. */
#ifndef FARM_BROKER_LAGGARDS_H
#define FARM_BROKER_LAGGARDS_H

#include "clock.h"
#include "intake.h"
#include "router.h"

#define LAGGARDS_LOOK (5 * NS_PER_MS) /* while there are some, look so often */

struct laggards {
    uint64_t *peers;
    size_t n, cap;
};

/* After EVENTS went to a peer: tells the farm if it is behind now. */
void laggards_notice(struct laggards *l, const struct router *r, struct intake *in, uint64_t peer);
/* Tells the farm who has caught up. */
void laggards_look(struct laggards *l, const struct router *r, struct intake *in);
void laggards_fini(struct laggards *l);

#endif
