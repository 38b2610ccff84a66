/* Messages that ZeroMQ did not take yet: bounded queues, one a peer, sent in order when it takes
 * them again. */
#ifndef FARM_BASE_ZQUEUE_H
#define FARM_BASE_ZQUEUE_H

#include "idmap.h"
#include "str.h"

struct zqueue {
    struct idmap peers; /* by a hash of the peer's routing id, only those with something waiting */
    size_t limit;       /* bytes a peer */
};
enum zqueue_sent { ZQUEUE_SENT, ZQUEUE_LATER, ZQUEUE_GONE };

void zqueue_init(struct zqueue *q, size_t limit);
void zqueue_fini(struct zqueue *q);
bool zqueue_empty(const struct zqueue *q);
size_t zqueue_bytes(const struct zqueue *q, struct str peer); /* that wait for it */
bool zqueue_waiting(const struct zqueue *q, struct str peer); /* something waits for that peer */
/* Copies body. False when the queue is full (one message always fits) or the peer cannot be told
 * from another one. */
bool zqueue_add(struct zqueue *q, struct str peer, struct str body);
/* Offers every peer's messages to `send` in order until it says LATER; GONE throws the peer's queue
 * away. Returns how many messages were thrown away. */
size_t zqueue_flush(struct zqueue *q,
                    enum zqueue_sent (*send)(void *self, struct str peer, struct str body),
                    void *self);
size_t zqueue_clear(struct zqueue *q); /* returns how many messages were thrown away */

#endif
