/* Which peers are behind, by what waits for them in the router's queues. Those are bounded and what
 * does not fit is dropped, which costs a peer its session; so streams stop long before.
 *
 * Called by broker.c. */
#include "laggards.h"

#include <stdlib.h>

#include "alloc.h"

#define BEHIND_BYTES (1u << 20)

void laggards_notice(struct laggards *l, const struct router *r, struct intake *in, uint64_t peer)
{
    if (router_queued(r, peer) < BEHIND_BYTES)
        return;
    for (size_t i = 0; i < l->n; i++) {
        if (l->peers[i] == peer)
            return;
    }
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 8;
        l->peers = alloc_grow(l->peers, l->cap, sizeof *l->peers);
    }
    l->peers[l->n++] = peer;
    intake_peer_busy(in, peer, true);
}

void laggards_look(struct laggards *l, const struct router *r, struct intake *in)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (router_queued(r, l->peers[i]) >= BEHIND_BYTES / 2)
            l->peers[kept++] = l->peers[i];
        else
            intake_peer_busy(in, l->peers[i], false);
    }
    l->n = kept;
}

void laggards_fini(struct laggards *l)
{
    free(l->peers);
}
