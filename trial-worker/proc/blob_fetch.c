/* Fetching by digest. Called by agent.c. It must not know where blobs are kept nor what they are
 * for: that is the sink's.
 *
 * One piece is asked for at a time. A lost question or answer is repeated after ten seconds; a new
 * session asks for the awaited piece again at once. The size in the first piece is checked against
 * the farm's limit, every offset against what is awaited, and the whole against its digest, by the
 * sink. */
#include "blob_fetch.h"

#include <stdlib.h>

#include "alloc.h"

#define AGAIN_NS (10 * NS_PER_S)
#define BLOB_MAX (64u << 20)

struct want {
    struct list link;
    struct digest digest;
};

void blob_fetch_init(struct blob_fetch *b, const struct blob_sink *sink)
{
    *b = (struct blob_fetch){.sink = *sink, .again = CLOCK_NEVER};
    list_init(&b->queue);
}

static struct want *current(const struct blob_fetch *b)
{
    return LIST_FIRST(&b->queue, struct want, link);
}

static void drop_first(struct blob_fetch *b)
{
    struct want *w = current(b);
    list_remove(&w->link);
    free(w);
    b->offset = 0;
    b->again = CLOCK_NEVER;
}

void blob_fetch_fini(struct blob_fetch *b)
{
    if (current(b))
        b->sink.abandon(b->sink.self, current(b)->digest);
    while (current(b))
        drop_first(b);
}

static void ask(struct blob_fetch *b, int64_t now)
{
    struct want *w = current(b);
    if (!w || !b->up) {
        b->again = CLOCK_NEVER;
        return;
    }
    struct msg_get_blob m = {w->digest, b->offset};
    b->again = now + AGAIN_NS;
    b->sink.send(b->sink.self, &m);
}

void blob_fetch_want(struct blob_fetch *b, struct digest d, int64_t now)
{
    LIST_FOREACH (it, &b->queue) {
        if (digest_eq(CONTAINER_OF(it, struct want, link)->digest, d))
            return;
    }
    bool first = list_empty(&b->queue);
    struct want *w = alloc_zero(sizeof *w);
    w->digest = d;
    list_push(&b->queue, &w->link);
    if (first)
        ask(b, now);
}

void blob_fetch_session(struct blob_fetch *b, bool up, int64_t now)
{
    b->up = up;
    ask(b, now);
}

/* The first of the queue is over; on with the next. */
static void end(struct blob_fetch *b, const char *text, bool forever, int64_t now)
{
    struct digest d = current(b)->digest;
    if (text[0])
        b->sink.abandon(b->sink.self, d);
    drop_first(b);
    ask(b, now);
    b->sink.ended(b->sink.self, d, str_of(text), forever);
}

void blob_fetch_on_blob(struct blob_fetch *b, const struct msg_blob *m, int64_t now)
{
    struct want *w = current(b);
    struct errmsg em;
    if (!w || !digest_eq(m->digest, w->digest) || (m->offset != b->offset && !m->unknown))
        return; /* an answer to a question that was repeated */
    if (m->unknown) {
        end(b, "the farm does not have a file or specification that the study needs", true, now);
        return;
    }
    if (m->size > BLOB_MAX || m->offset + m->bytes.n > m->size ||
        (m->bytes.n == 0 && m->size > 0)) {
        end(b, "the broker sent a piece of a file that does not fit the file", false, now);
        return;
    }
    err_t e = b->sink.piece(b->sink.self, m->digest, m->offset, m->bytes, &em);
    if (!e) {
        b->offset += m->bytes.n;
        if (b->offset < m->size) {
            ask(b, now);
            return;
        }
        e = b->sink.complete(b->sink.self, m->digest, &em);
    }
    end(b, e ? em.text : "", false, now);
}

int64_t blob_fetch_tick(struct blob_fetch *b, int64_t now)
{
    if (b->again <= now)
        ask(b, now);
    return b->again;
}
