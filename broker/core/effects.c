/* Appending to a group: arrays that grow by doubling, bytes in one buffer.
 *
 * Called by every file of the core through farm_journal.c and directly; read by the journal's
 * thread and by the owner. Nothing here decides anything. */
#include "effects.h"

#include <stdlib.h>

#include "alloc.h"
#include "codec.h"

#define ARENA_LIMIT ((size_t)1 << 30)

/* Room for one more item of an array; the new item, zeroed. */
static void *push(void **v, size_t *n, size_t *cap, size_t size)
{
    if (*n == *cap) {
        *cap = *cap ? *cap * 2 : 64;
        *v = alloc_grow(*v, *cap, size);
    }
    void *x = (char *)*v + (*n)++ * size;
    memset(x, 0, size);
    return x;
}
#define PUSH(fx, array)                                                                            \
    push((void **)&(fx)->array, &(fx)->n_##array, &(fx)->cap_##array, sizeof *(fx)->array)

void effects_init(struct effects *fx)
{
    *fx = (struct effects){0};
    buf_init(&fx->bytes, 0);
    arena_init(&fx->arena, ARENA_LIMIT);
}

void effects_fini(struct effects *fx)
{
    buf_fini(&fx->bytes);
    arena_fini(&fx->arena);
    free(fx->records);
    free(fx->messages);
    free(fx->feed);
    free(fx->asks);
    free(fx->blobs);
    free(fx->requests);
    free(fx->trials);
    free(fx->studies);
    free(fx->workers);
    *fx = (struct effects){0};
}

void effects_clear(struct effects *fx)
{
    buf_clear(&fx->bytes);
    arena_clear(&fx->arena);
    fx->n_records = fx->n_messages = fx->n_feed = fx->n_asks = fx->n_blobs = 0;
    fx->n_requests = fx->n_trials = fx->n_studies = fx->n_workers = 0;
    fx->fold_seq = 0;
}

bool effects_writes(const struct effects *fx)
{
    return fx->n_records || fx->n_blobs || fx->n_requests || fx->n_trials || fx->n_studies ||
           fx->n_workers || fx->fold_seq;
}

bool effects_empty(const struct effects *fx)
{
    return !effects_writes(fx) && !fx->n_messages && !fx->n_feed && !fx->n_asks;
}

struct str effects_str(const struct effects *fx, struct span s)
{
    return s.n ? str_make(fx->bytes.p + s.at, s.n) : (struct str){0};
}

struct span effects_bytes(struct effects *fx, struct str s)
{
    struct span at = {fx->bytes.n, s.n};
    buf_add_str(&fx->bytes, s);
    REQUIRE(buf_ok(&fx->bytes));
    return at;
}

void effects_send(struct effects *fx, uint64_t peer, uint64_t session, unsigned kind,
                  const void *msg)
{
    struct fx_message *m = PUSH(fx, messages);
    *m = (struct fx_message){.peer = peer, .session = session, .kind = (uint8_t)kind};
    m->body.at = fx->bytes.n;
    message_encode(&fx->bytes, kind, msg);
    REQUIRE(buf_ok(&fx->bytes));
    m->body.n = fx->bytes.n - m->body.at;
}

void effects_feed(struct effects *fx, uint64_t study, unsigned kind, const void *msg)
{
    struct fx_feed *m = PUSH(fx, feed);
    *m = (struct fx_feed){.study = study, .kind = (uint8_t)kind};
    m->body.at = fx->bytes.n;
    message_encode(&fx->bytes, kind, msg);
    REQUIRE(buf_ok(&fx->bytes));
    m->body.n = fx->bytes.n - m->body.at;
}

struct fx_message *effects_open_message(struct effects *fx, uint64_t peer, uint64_t session,
                                        unsigned kind)
{
    struct fx_message *m = PUSH(fx, messages);
    *m = (struct fx_message){.peer = peer, .session = session, .kind = (uint8_t)kind};
    m->body.at = fx->bytes.n;
    return m;
}

struct fx_feed *effects_open_feed(struct effects *fx, uint64_t study, unsigned kind)
{
    struct fx_feed *m = PUSH(fx, feed);
    *m = (struct fx_feed){.study = study, .kind = (uint8_t)kind};
    m->body.at = fx->bytes.n;
    return m;
}

/* The text of a record that people want to read beside it; params stand in the view `trial`. */
static struct str record_text(const struct record *r)
{
    switch (r->kind) {
    case REC_PROPOSED:
    case REC_ENQUEUED:
        return (struct str){0};
    case REC_REPORTED:
    case REC_STUDY_CREATED:
    case REC_CHECKPOINTED:
    case REC_BROKER_STARTED:
    case REC_WORKER_JOINED:
        return r->text;
    default:
        return r->note;
    }
}

struct span effects_record(struct effects *fx, const struct record *r)
{
    struct fx_record *x = PUSH(fx, records);
    *x = (struct fx_record){.seq = r->seq,
                            .study = r->study,
                            .study_seq = r->study_seq,
                            .trial = r->trial,
                            .wall_ms = r->wall_ms,
                            .step = r->step,
                            .value = r->value,
                            .attempt = r->attempt,
                            .kind = r->kind,
                            .has_step = r->has_step,
                            .has_value = r->has_value};
    struct str text = record_text(r);
    if (text.n)
        x->text = effects_bytes(fx, text);
    x->body.at = fx->bytes.n;
    record_encode(&fx->bytes, r);
    REQUIRE(buf_ok(&fx->bytes));
    x->body.n = fx->bytes.n - x->body.at;
    return x->body;
}

struct fx_ask *effects_ask(struct effects *fx, enum ask_kind kind, uint64_t token)
{
    struct fx_ask *a = PUSH(fx, asks);
    a->kind = (uint8_t)kind;
    a->token = token;
    return a;
}

void effects_blob(struct effects *fx, struct digest d, struct str bytes)
{
    struct span s = effects_bytes(fx, bytes);
    struct fx_blob *b = PUSH(fx, blobs);
    *b = (struct fx_blob){.digest = d, .bytes = s};
}

void effects_request(struct effects *fx, const struct msg_reply *answer, int64_t wall_ms)
{
    struct span name = effects_bytes(fx, answer->name);
    struct span text = effects_bytes(fx, answer->text);
    struct fx_request *q = PUSH(fx, requests);
    *q = (struct fx_request){.request = answer->request,
                             .number = answer->number,
                             .seq = answer->seq,
                             .wall_ms = wall_ms,
                             .name = name,
                             .text = text};
}

struct trial_image *effects_trial(struct effects *fx)
{
    return PUSH(fx, trials);
}

struct study_image *effects_study(struct effects *fx)
{
    return PUSH(fx, studies);
}

struct worker_image *effects_worker(struct effects *fx)
{
    return PUSH(fx, workers);
}
