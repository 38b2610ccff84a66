/* The bounded send queues of zsock.c. ZeroMQ's own high-water mark drops or blocks; here the sender
 * is told.
 *
 * Routing ids are up to 255 bytes and a peer may choose its own, so peers are found by a hash and
 * then compared. Two waiting peers with one hash can only be made on purpose, and the second one's
 * messages are refused, as if its queue were full. Knows no sockets: sending is a callback. */
#include "zqueue.h"

#include <stdlib.h>

#include "alloc.h"
#include "list.h"

#define PEER_ID_MAX 255

struct waiting {
    struct list link;
    size_t n;
    char body[];
};
struct peer {
    struct list messages;
    uint64_t hash;
    size_t bytes, count;
    size_t id_n;
    char id[PEER_ID_MAX];
};

void zqueue_init(struct zqueue *q, size_t limit)
{
    idmap_init(&q->peers);
    q->limit = limit;
}

void zqueue_fini(struct zqueue *q)
{
    zqueue_clear(q);
    idmap_fini(&q->peers);
}

/* FNV-1a. */
static uint64_t peer_hash(struct str id)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < id.n; i++)
        h = (h ^ (unsigned char)id.p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static bool peer_is(const struct peer *p, struct str id)
{
    return str_eq(str_make(p->id, p->id_n), id);
}

bool zqueue_empty(const struct zqueue *q)
{
    return q->peers.n == 0;
}

bool zqueue_waiting(const struct zqueue *q, struct str peer)
{
    const struct peer *p = idmap_get(&q->peers, peer_hash(peer));
    return p && peer_is(p, peer);
}

size_t zqueue_bytes(const struct zqueue *q, struct str peer)
{
    const struct peer *p = idmap_get(&q->peers, peer_hash(peer));
    return p && peer_is(p, peer) ? p->bytes : 0;
}

static void message_drop(struct peer *p, struct waiting *m)
{
    list_remove(&m->link);
    p->bytes -= m->n;
    p->count--;
    free(m);
}

static size_t peer_drop(struct zqueue *q, struct peer *p)
{
    size_t n = p->count;
    LIST_FOREACH_SAFE (it, tmp, &p->messages)
        free(CONTAINER_OF(it, struct waiting, link));
    idmap_remove(&q->peers, p->hash);
    free(p);
    return n;
}

static struct peer *peer_add(struct zqueue *q, struct str id, uint64_t hash)
{
    struct peer *p = alloc_zero(sizeof *p);
    list_init(&p->messages);
    p->hash = hash;
    p->id_n = id.n;
    if (id.n)
        memcpy(p->id, id.p, id.n);
    idmap_put(&q->peers, hash, p);
    return p;
}

bool zqueue_add(struct zqueue *q, struct str peer, struct str body)
{
    uint64_t hash = peer_hash(peer);
    struct peer *p = idmap_get(&q->peers, hash);
    if (peer.n > PEER_ID_MAX || (p && !peer_is(p, peer)))
        return false;
    if (p && (p->bytes > q->limit || body.n > q->limit - p->bytes))
        return false;
    struct waiting *m = malloc(sizeof *m + body.n);
    if (!m)
        return false;
    m->n = body.n;
    if (body.n)
        memcpy(m->body, body.p, body.n);
    if (!p)
        p = peer_add(q, peer, hash);
    list_push(&p->messages, &m->link);
    p->bytes += body.n;
    p->count++;
    return true;
}

static size_t peer_flush(struct zqueue *q, struct peer *p,
                         enum zqueue_sent (*send)(void *self, struct str peer, struct str body),
                         void *self)
{
    while (p->count) {
        struct waiting *m = LIST_FIRST(&p->messages, struct waiting, link);
        enum zqueue_sent s = send(self, str_make(p->id, p->id_n), str_make(m->body, m->n));
        if (s == ZQUEUE_LATER)
            return 0;
        if (s == ZQUEUE_GONE)
            break;
        message_drop(p, m);
    }
    return peer_drop(q, p);
}

size_t zqueue_flush(struct zqueue *q,
                    enum zqueue_sent (*send)(void *self, struct str peer, struct str body),
                    void *self)
{
    size_t pos = 0, dropped = 0;
    for (struct peer *p; (p = idmap_next(&q->peers, &pos)) != NULL;)
        dropped += peer_flush(q, p, send, self);
    return dropped;
}

size_t zqueue_clear(struct zqueue *q)
{
    size_t pos = 0, dropped = 0;
    for (struct peer *p; (p = idmap_next(&q->peers, &pos)) != NULL;)
        dropped += peer_drop(q, p);
    return dropped;
}
