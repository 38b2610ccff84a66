/* Blobs. A client sends a file's pieces in order; they gather in memory within a common limit, and
 * when the whole is there and has its digest it goes to the store with the group. Each piece is
 * answered, so a client has one on its way.
 *
 * A first piece asks the store whether the blob is there already; the answer tells the client to
 * stop. Specs of studies are served from memory, everything else from the store. */
#include "put.h"

#include <stdlib.h>

#include "alloc.h"
#include "hash.h"
#include "on_client.h"
#include "stream.h"
#include "study.h"
#include "tally.h"

#define BLOB_MAX   (64u << 20)
#define BLOB_PIECE 131072u
#define PUTS_MAX   256u

static struct put *find(const struct farm *f, uint64_t session, struct digest d)
{
    LIST_FOREACH (it, &f->puts) {
        struct put *p = CONTAINER_OF(it, struct put, in_farm);
        if (p->session == session && digest_eq(p->digest, d))
            return p;
    }
    return NULL;
}

static void put_free(struct farm *f, struct put *p)
{
    budget_release(&f->put_budget, p->size);
    buf_fini(&p->bytes);
    list_remove(&p->in_farm);
    f->n_puts--;
    free(p);
}

void put_end_all(struct farm *f, uint64_t session)
{
    LIST_FOREACH_SAFE (it, tmp, &f->puts) {
        struct put *p = CONTAINER_OF(it, struct put, in_farm);
        if (p->session == session)
            put_free(f, p);
    }
}

static struct put *begin(struct farm *f, const struct session *s, const struct msg_put_blob *q)
{
    struct put *p = find(f, s->number, q->digest);
    if (p)
        put_free(f, p);
    if (f->n_puts >= PUTS_MAX || !budget_charge(&f->put_budget, (size_t)q->size))
        return NULL;
    p = alloc_zero(sizeof *p);
    p->session = s->number;
    p->digest = q->digest;
    p->size = q->size;
    buf_init(&p->bytes, (size_t)q->size + 1);
    list_push(&f->puts, &p->in_farm);
    f->n_puts++;
    return p;
}

static void ask_have(const struct act *a, const struct session *s, const struct msg_put_blob *q)
{
    struct pending p = {
        .kind = PENDING_HAVE, .session = s->number, .request = q->request, .digest = q->digest};
    struct fx_ask *ask = effects_ask(a->fx, ASK_BLOB, pending_add(a->f, p));
    ask->digest = q->digest;
}

/* The whole is there: to the store, if it is what it says. */
static void complete(const struct act *a, struct session *s, struct put *p,
                     const struct msg_put_blob *q)
{
    struct digest d = hash_bytes(buf_str(&p->bytes));
    if (digest_eq(d, p->digest)) {
        effects_blob(a->fx, d, buf_str(&p->bytes));
        on_client_reply(a, s, q->request, ERR_OK, "", 0);
    } else {
        on_client_reply(a, s, q->request, ERR_INVALID, "PUT_BLOB: the bytes have another digest",
                        0);
    }
    put_free(a->f, p);
}

void put_on_put(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_put_blob *q = &m->put_blob;
    if (q->size > BLOB_MAX || q->offset > q->size || q->bytes.n > q->size - q->offset) {
        on_client_reply(a, s, q->request, ERR_LIMIT,
                        "PUT_BLOB: a file is at most 64 MiB, and its pieces lie within it", 0);
        return;
    }
    if (a->f->full) {
        on_client_reply(a, s, q->request, ERR_FULL, "the broker's disk is full", 0);
        return;
    }
    struct put *p = q->offset ? find(a->f, s->number, q->digest) : begin(a->f, s, q);
    if (!p || p->bytes.n != q->offset) {
        tally(a->f, s, COUNT_INVALID_VALUE, !p && q->offset);
        on_client_reply(a, s, q->request,
                        p           ? ERR_INVALID
                        : q->offset ? ERR_NOT_FOUND
                                    : ERR_LIMIT,
                        p ? "PUT_BLOB: the pieces do not come in order"
                          : "PUT_BLOB: no such upload, or too many at once; begin again later",
                        0);
        return;
    }
    buf_add_str(&p->bytes, q->bytes);
    if (p->bytes.n == p->size)
        complete(a, s, p, q);
    else if (!q->offset)
        ask_have(a, s, q);
    else
        on_client_reply(a, s, q->request, ERR_OK, "", 0);
}

void put_on_have(const struct act *a, const struct pending *p, const struct answer *answer)
{
    struct session *s = session_get(a->f, p->session);
    if (!s)
        return;
    struct put *put = find(a->f, s->number, p->digest);
    if (answer->known && put)
        put_free(a->f, put);
    on_client_reply(a, s, p->request, ERR_OK, answer->known ? "{\"have\":true}" : "", 0);
}

static void send_blob(const struct act *a, const struct session *s, const struct msg_blob *m)
{
    effects_send(a->fx, s->peer, s->number, MSG_BLOB, m);
}

void put_on_get(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_get_blob *q = &m->get_blob;
    struct farm *f = a->f;
    for (size_t i = 0; i < f->n_studies; i++) {
        const struct study *study = f->studies[i];
        if (!study->spec.n || !digest_eq(study->spec_digest, q->digest))
            continue;
        uint64_t at = q->offset < study->spec.n ? q->offset : study->spec.n;
        struct msg_blob b = {.digest = q->digest, .offset = at, .size = study->spec.n};
        b.bytes = str_make(study->spec.p + at, study->spec.n - (size_t)at);
        b.bytes.n = b.bytes.n < BLOB_PIECE ? b.bytes.n : BLOB_PIECE;
        send_blob(a, s, &b);
        return;
    }
    struct pending p = {
        .kind = PENDING_BLOB, .session = s->number, .digest = q->digest, .offset = q->offset};
    struct fx_ask *ask = effects_ask(a->fx, ASK_BLOB, pending_add(f, p));
    ask->digest = q->digest;
    ask->from = q->offset;
    ask->limit = BLOB_PIECE;
}

void put_on_blob(const struct act *a, const struct pending *p, const struct answer *answer)
{
    const struct session *s = session_get(a->f, p->session);
    if (!s)
        return;
    struct msg_blob b = {.digest = p->digest,
                         .offset = p->offset,
                         .size = answer->size,
                         .bytes = answer->bytes,
                         .unknown = !answer->known};
    send_blob(a, s, &b);
}
