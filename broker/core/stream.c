/* Moving readers along the journal.
 *
 * farm_tick() calls stream_move_all() after everything that makes records, so one EVENTS carries
 * what a whole group brought. Records are copied encoded. A message holds at most MESSAGE_ELEMENTS
 * map pairs and list items and EVENTS_BYTES bytes. It must not know who reads: on_optimizer.c and
 * on_client.c open and feed the readers. */
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "attach.h"
#include "codec.h"
#include "events_head.h"
#include "on_client.h"
#include "study.h"

#define EVENTS_RECORDS  512u
#define EVENTS_BYTES    (640u << 10)
#define EVENTS_ELEMENTS (MESSAGE_ELEMENTS - 16)
#define ASK_LIMIT       1024u
/* An upper bound for a record whose list of decision steps has not been counted. */
#define RECORD_ELEMENTS 24u
#define DECIDE_LIMIT    64u

struct batch {
    struct str bodies[EVENTS_RECORDS];
    uint32_t n, elements;
    size_t bytes;
    uint64_t upto;
};

uint64_t pending_add(struct farm *f, struct pending p)
{
    struct pending *copy = alloc_zero(sizeof *copy);
    *copy = p;
    idmap_put(&f->pending, ++f->token_counter, copy);
    return f->token_counter;
}

struct stream *stream_new(struct farm *f, struct session *s, struct study *study, uint64_t from,
                          uint64_t to)
{
    struct stream *st = alloc_zero(sizeof *st);
    st->session = s;
    st->study = study;
    st->next = from ? from : 1;
    st->to = to;
    st->kinds = UINT64_MAX;
    list_init(&st->pump);
    list_push(&s->streams, &st->in_session);
    s->n_streams++;
    list_push(study ? &study->streams : &f->tails, &st->in_owner);
    return st;
}

void stream_end(struct farm *f, struct stream *st)
{
    (void)f;
    if (st->attachment && st->study->stream == st)
        st->study->stream = NULL;
    st->session->n_streams--;
    list_remove(&st->in_session);
    list_remove(&st->in_owner);
    list_remove(&st->pump);
    free(st);
}

void stream_end_all(struct farm *f, struct session *s)
{
    LIST_FOREACH_SAFE (it, tmp, &s->streams) {
        stream_end(f, CONTAINER_OF(it, struct stream, in_session));
    }
}

void stream_wake(struct farm *f, struct stream *st)
{
    if (!list_linked(&st->pump))
        list_push(&f->pump, &st->pump);
}

static uint64_t head_of(const struct farm *f, const struct stream *st)
{
    return st->study ? st->study->study_seq : f->seq;
}

static bool batch_takes(const struct batch *b, uint32_t elements, size_t n)
{
    return b->n < EVENTS_RECORDS && b->elements + elements <= EVENTS_ELEMENTS &&
           (b->n == 0 || b->bytes + n <= EVENTS_BYTES);
}

static void batch_add(struct batch *b, struct str body, uint32_t elements)
{
    b->bodies[b->n++] = body;
    b->elements += elements;
    b->bytes += body.n;
}

static void append_batch(struct buf *out, const struct msg_events *head, const struct batch *b)
{
    events_head(out, head, b->n);
    for (uint32_t i = 0; i < b->n; i++)
        buf_add_str(out, b->bodies[i]);
    REQUIRE(buf_ok(out));
}

/* Sends what was gathered and moves the cursor behind upto. */
static void send_batch(const struct act *a, struct stream *st, const struct batch *b)
{
    const struct session *s = st->session;
    uint64_t head = head_of(a->f, st);
    st->next = b->upto + 1;
    st->sent += b->n;
    st->live = b->upto >= head;
    bool end = st->to && b->upto >= st->to;
    if (!b->n && !end && !(st->live && !st->told))
        return;
    st->told |= st->live;
    st->announced = b->upto;
    struct msg_events m = {.study = st->study ? st->study->number : 0,
                           .epoch = st->epoch,
                           .upto = b->upto,
                           .request = st->request,
                           .live = st->live,
                           .end = end,
                           .compacted = st->study ? st->study->compacted : 0};
    struct fx_message *out = effects_open_message(a->fx, s->peer, s->number, MSG_EVENTS);
    append_batch(&a->fx->bytes, &m, b);
    out->body.n = a->fx->bytes.n - out->body.at;
}

static const struct recent_entry *recent_next(const struct farm *f, const struct stream *st)
{
    return st->study ? recent_study_at(&f->recent, st->study->number, st->next)
                     : recent_at(&f->recent, st->next);
}

/* From memory, up to `limit`. False: the first is not there any more. */
static bool from_memory(const struct act *a, struct stream *st, uint64_t limit)
{
    const struct farm *f = a->f;
    const struct recent_entry *e = recent_next(f, st);
    if (!e)
        return false;
    struct batch b = {.upto = st->next - 1};
    uint64_t credit = st->credit - st->sent;
    while (e) {
        uint64_t place = st->study ? e->study_seq : e->seq;
        bool wanted = e->kind < 64 && (st->kinds >> e->kind & 1);
        if (place > limit || (wanted && (b.n >= credit || !batch_takes(&b, e->elements, e->n))))
            break;
        if (wanted)
            batch_add(&b, recent_body(&f->recent, e), e->elements);
        b.upto = place;
        e = st->study ? (e->next ? recent_at(&f->recent, e->next) : NULL)
                      : recent_at(&f->recent, e->seq + 1);
    }
    send_batch(a, st, &b);
    return true;
}

static void ask_store(const struct act *a, struct stream *st, uint64_t limit)
{
    uint64_t credit = st->credit - st->sent;
    struct pending p = {.kind = PENDING_STREAM, .session = st->session->number, .to = limit};
    st->token = pending_add(a->f, p);
    st->asking = true;
    struct fx_ask *ask = effects_ask(a->fx, ASK_RECORDS, st->token);
    ask->study = st->study ? st->study->number : 0;
    ask->from = st->next;
    ask->to = limit;
    ask->kinds = st->kinds;
    ask->limit = credit < ASK_LIMIT ? (uint32_t)credit : ASK_LIMIT;
}

static void move(const struct act *a, struct stream *st)
{
    bool was_live = st->live;
    for (;;) {
        uint64_t head = head_of(a->f, st);
        uint64_t limit = st->to && st->to < head ? st->to : head;
        if (st->asking)
            return;
        if (st->to && st->next > st->to) {
            stream_end(a->f, st);
            return;
        }
        st->live = st->next > head;
        if (st->next > limit || st->credit <= st->sent)
            break;
        uint64_t before = st->next;
        if (!from_memory(a, st, limit)) {
            ask_store(a, st, limit);
            break;
        }
        if (st->next == before)
            break;
    }
    if (st->live && !st->told && st->credit) {
        struct batch b = {.upto = head_of(a->f, st)};
        send_batch(a, st, &b);
    }
    if (st->live && !was_live && st->attachment) {
        study_activate(st->study);
        a->f->again = true;
    }
}

static void feed_study(const struct act *a, struct study *s)
{
    struct farm *f = a->f;
    if (!f->feed_wanted) {
        s->feed_next = s->study_seq + 1;
        return;
    }
    const struct recent_entry *e = recent_study_at(&f->recent, s->number, s->feed_next);
    while (e) {
        struct batch b = {.upto = 0};
        while (e && batch_takes(&b, e->elements, e->n)) {
            batch_add(&b, recent_body(&f->recent, e), e->elements);
            b.upto = e->study_seq;
            e = e->next ? recent_at(&f->recent, e->next) : NULL;
        }
        struct msg_events m = {.study = s->number, .upto = b.upto, .live = !e};
        struct fx_feed *out = effects_open_feed(a->fx, s->number, MSG_EVENTS);
        append_batch(&a->fx->bytes, &m, &b);
        out->body.n = a->fx->bytes.n - out->body.at;
    }
    s->feed_next = s->study_seq + 1;
}

void stream_move_all(const struct act *a)
{
    struct farm *f = a->f;
    LIST_FOREACH_SAFE (it, tmp, &f->touched) {
        struct study *s = CONTAINER_OF(it, struct study, touched);
        list_remove(&s->touched);
        LIST_FOREACH_SAFE (x, next, &s->streams) {
            move(a, CONTAINER_OF(x, struct stream, in_owner));
        }
        feed_study(a, s);
    }
    LIST_FOREACH_SAFE (x, next, &f->tails) {
        move(a, CONTAINER_OF(x, struct stream, in_owner));
    }
    LIST_FOREACH_SAFE (x, next, &f->pump) {
        struct stream *st = CONTAINER_OF(x, struct stream, pump);
        list_remove(&st->pump);
        move(a, st);
    }
}

static uint32_t row_elements(const struct answer_row *row)
{
    return RECORD_ELEMENTS + (row->kind == REC_PROPOSED ? DECIDE_LIMIT : 0);
}

/* The store cannot read on: nobody is given less than all without a word. */
static void end_damaged(const struct act *a, struct stream *st, const struct answer *answer)
{
    char text[256];
    struct study *s = st->study;
    snprintf(text, sizeof text, "the broker's database is damaged: " STR_FMT,
             STR_ARG(answer->error));
    if (st->attachment) {
        s->broken = true;
        attach_end(a, s, text);
        return;
    }
    on_client_reply(a, st->session, st->request, ERR_CORRUPT, text, 0);
    stream_end(a->f, st);
}

void stream_on_answer(const struct act *a, const struct pending *p, const struct answer *answer)
{
    struct session *s = idmap_get(&a->f->sessions, p->session);
    struct stream *st = NULL;
    if (!s)
        return;
    LIST_FOREACH (it, &s->streams) {
        struct stream *x = CONTAINER_OF(it, struct stream, in_session);
        if (x->asking && x->token == answer->token)
            st = x;
    }
    if (!st)
        return;
    st->asking = false;
    if (answer->fault != ERR_OK) {
        end_damaged(a, st, answer);
        return;
    }
    for (uint32_t i = 0; i < answer->n_rows;) {
        struct batch b = {0};
        for (; i < answer->n_rows; i++) {
            const struct answer_row *row = &answer->rows[i];
            if (!batch_takes(&b, row_elements(row), row->body.n))
                break;
            batch_add(&b, row->body, row_elements(row));
            b.upto = st->study ? row->study_seq : row->seq;
        }
        if (i == answer->n_rows && answer->complete)
            b.upto = p->to;
        send_batch(a, st, &b);
    }
    if (!answer->n_rows && answer->complete)
        st->next = p->to + 1;
    if (st->to && st->next > st->to && st->announced < st->to) {
        struct batch end = {.upto = st->to};
        send_batch(a, st, &end);
    }
    stream_wake(a->f, st);
}
