/* Bodies of entries: numbers with their lowest byte first, texts behind their length. Called by
 * intake.c, which writes them, and rerun.c, which reads them.
 *
 * A reader believes nothing: lengths and counts are compared with the bytes that are left before
 * memory is asked for. */
#include "tapebody.h"

#include "clock.h"
#include "crc32c.h"

/* ---- writing ---- */

static void add_u64(struct buf *out, uint64_t v)
{
    uint8_t p[8];
    for (int i = 0; i < 8; i++, v >>= 8)
        p[i] = (uint8_t)v;
    buf_add(out, p, sizeof p);
}

static void add_text(struct buf *out, struct str s)
{
    add_u64(out, s.n);
    buf_add_str(out, s);
}

static void add_texts(struct buf *out, const struct str *v, uint32_t n)
{
    add_u64(out, n);
    for (uint32_t i = 0; i < n; i++)
        add_text(out, v[i]);
}

void tapebody_config_write(struct buf *out, const struct farm_config *c)
{
    const uint64_t numbers[] = {c->farm,
                                c->timeline,
                                c->epoch,
                                (uint64_t)c->lease_ns,
                                (uint64_t)c->beat_ns,
                                (uint64_t)c->orphan_ns,
                                (uint64_t)c->flush_ns,
                                (uint64_t)c->restart_grace_ns,
                                (uint64_t)c->row_ns,
                                c->max_sessions,
                                c->max_workers,
                                c->lost_limit,
                                c->put_limit};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        add_u64(out, numbers[i]);
    add_text(out, str_of(c->feed));
    add_text(out, str_of(c->version));
}

void tapebody_answer_write(struct buf *out, const struct answer *a)
{
    add_u64(out, a->kind);
    add_u64(out, a->token);
    add_u64(out, (a->complete ? 1u : 0u) | (a->known ? 2u : 0u) | (a->cut ? 4u : 0u));
    add_u64(out, a->size);
    add_u64(out, a->seq);
    const uint64_t upkeep[] = {a->at, a->of, a->dropped, a->free, a->fault};
    for (size_t i = 0; i < sizeof upkeep / sizeof *upkeep; i++)
        add_u64(out, upkeep[i]);
    add_text(out, a->bytes);
    add_text(out, a->error);
    add_texts(out, a->columns, a->n_columns);
    add_texts(out, a->lines, a->n_lines);
    add_u64(out, a->n_rows);
    for (uint32_t i = 0; i < a->n_rows; i++) {
        add_u64(out, a->rows[i].seq);
        add_u64(out, a->rows[i].study_seq);
        add_u64(out, a->rows[i].kind);
        add_text(out, a->rows[i].body);
    }
}

void tapebody_sums_write(struct buf *out, const struct tapebody_sums *s)
{
    const uint64_t numbers[] = {s->seq,        s->records,     s->messages,
                                s->record_sum, s->message_sum, s->rest_sum};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        add_u64(out, numbers[i]);
}

/* ---- sums ---- */

static uint32_t sum_text(uint32_t sum, struct str s)
{
    sum = crc32c_u64(sum, s.n);
    return crc32c(sum, s.p, s.n);
}

static uint32_t sum_messages(const struct effects *fx)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < fx->n_messages; i++) {
        const struct fx_message *m = &fx->messages[i];
        sum = crc32c_u64(sum, m->peer);
        sum = crc32c_u64(sum, m->session);
        sum = crc32c_u64(sum, m->kind);
        sum = sum_text(sum, effects_str(fx, m->body));
    }
    for (size_t i = 0; i < fx->n_feed; i++) {
        sum = crc32c_u64(sum, fx->feed[i].study);
        sum = crc32c_u64(sum, fx->feed[i].kind);
        sum = sum_text(sum, effects_str(fx, fx->feed[i].body));
    }
    return sum;
}

static uint32_t sum_asks(uint32_t sum, const struct effects *fx)
{
    for (size_t i = 0; i < fx->n_asks; i++) {
        const struct fx_ask *q = &fx->asks[i];
        const uint64_t numbers[] = {q->kind,  q->token, q->study,  q->from, q->to,
                                    q->kinds, q->limit, q->n_args, q->force};
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            sum = crc32c_u64(sum, numbers[k]);
        sum = crc32c(sum, q->digest.b, sizeof q->digest.b);
        sum = sum_text(sum, str_of(q->query));
        for (uint32_t k = 0; k < q->n_args; k++)
            sum = sum_text(sum, q->args[k]);
    }
    return sum;
}

static uint32_t sum_rows(uint32_t sum, const struct effects *fx)
{
    for (size_t i = 0; i < fx->n_trials; i++) {
        const struct trial_image *t = &fx->trials[i];
        const uint64_t numbers[] = {t->study,   t->number, t->seq,  t->state,
                                    t->attempt, t->lost,   t->draw, (uint64_t)t->retry_ms};
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            sum = crc32c_u64(sum, numbers[k]);
        sum = sum_text(sum, t->metrics);
    }
    for (size_t i = 0; i < fx->n_studies; i++) {
        const struct study_image *s = &fx->studies[i];
        const uint64_t numbers[] = {s->number,          s->seq,    s->study_seq,  s->state,
                                    s->optimizer_epoch, s->trials, s->best_trial, s->elapsed_ms};
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            sum = crc32c_u64(sum, numbers[k]);
    }
    for (size_t i = 0; i < fx->n_workers; i++) {
        sum = crc32c(sum, fx->workers[i].id.b, sizeof fx->workers[i].id.b);
        sum = crc32c_u64(sum, fx->workers[i].state);
        sum = crc32c_u64(sum, fx->workers[i].running);
    }
    return crc32c_u64(sum, fx->fold_seq);
}

static uint32_t sum_rest(const struct effects *fx)
{
    uint32_t sum = sum_asks(0, fx);
    for (size_t i = 0; i < fx->n_blobs; i++) {
        sum = crc32c(sum, fx->blobs[i].digest.b, sizeof fx->blobs[i].digest.b);
        sum = sum_text(sum, effects_str(fx, fx->blobs[i].bytes));
    }
    for (size_t i = 0; i < fx->n_requests; i++) {
        const struct fx_request *q = &fx->requests[i];
        sum = crc32c(sum, q->request.b, sizeof q->request.b);
        sum = crc32c_u64(sum, q->number);
        sum = crc32c_u64(sum, q->seq);
        sum = sum_text(sum, effects_str(fx, q->text));
    }
    return sum_rows(sum, fx);
}

void tapebody_sums_of(const struct effects *fx, struct tapebody_sums *out)
{
    *out = (struct tapebody_sums){.records = (uint32_t)fx->n_records,
                                  .messages = (uint32_t)fx->n_messages,
                                  .message_sum = sum_messages(fx),
                                  .rest_sum = sum_rest(fx)};
    for (size_t i = 0; i < fx->n_records; i++) {
        out->seq = fx->records[i].seq;
        out->record_sum = crc32c_u64(out->record_sum, fx->records[i].seq);
        out->record_sum = sum_text(out->record_sum, effects_str(fx, fx->records[i].body));
    }
}

/* ---- reading ---- */

struct cursor {
    const uint8_t *p;
    size_t n; /* left */
    struct arena *a;
    bool bad, no_memory;
};

static uint64_t take_u64(struct cursor *c)
{
    uint64_t v = 0;
    if (c->n < 8) {
        c->bad = true;
        c->n = 0;
        return 0;
    }
    for (int i = 7; i >= 0; i--)
        v = v << 8 | c->p[i];
    c->p += 8;
    c->n -= 8;
    return v;
}

static uint64_t take_at_most(struct cursor *c, uint64_t most)
{
    uint64_t v = take_u64(c);
    if (v > most)
        c->bad = true;
    return c->bad ? 0 : v;
}

static struct str take_text(struct cursor *c)
{
    size_t n = (size_t)take_at_most(c, c->n);
    if (n > c->n)
        c->bad = true;
    if (c->bad)
        return (struct str){0};
    struct str s = str_make(c->p, n);
    c->p += n;
    c->n -= n;
    return s;
}

/* How many items follow, each of at least so many bytes, and the memory for them. */
static void *take_list(struct cursor *c, size_t bytes, size_t size, uint32_t *n)
{
    *n = (uint32_t)take_at_most(c, c->n / bytes);
    if (c->bad || !*n)
        return NULL;
    void *v = arena_array(c->a, *n, size);
    c->no_memory |= !v;
    c->bad |= !v;
    return v;
}

static const struct str *take_texts(struct cursor *c, uint32_t *n)
{
    struct str *v = take_list(c, 8, sizeof *v, n);
    for (uint32_t i = 0; i < *n && !c->bad; i++)
        v[i] = take_text(c);
    return v;
}

static const char *take_textz(struct cursor *c)
{
    struct str s = take_text(c);
    struct str copy = arena_dup(c->a, s);
    c->no_memory |= !copy.p;
    c->bad |= !copy.p;
    return c->bad ? "" : copy.p;
}

static err_t end_of(const struct cursor *c, const char *what, struct errmsg *em)
{
    if (c->no_memory)
        return errmsg_set(em, ERR_NOMEM, "%s: there is no memory for it", what);
    if (c->bad || c->n)
        return errmsg_set(em, ERR_CORRUPT, "%s: it is not what this program writes", what);
    return ERR_OK;
}

static struct cursor cursor_of(struct str body, struct arena *a)
{
    return (struct cursor){.p = (const uint8_t *)body.p, .n = body.n, .a = a};
}

/* A span of time that a broker's options allow. */
static int64_t take_span(struct cursor *c)
{
    return (int64_t)take_at_most(c, (uint64_t)(864000 * NS_PER_S));
}

err_t tapebody_config_read(struct farm_config *out, struct str body, struct arena *a,
                           struct errmsg *em)
{
    struct cursor c = cursor_of(body, a);
    *out = (struct farm_config){0};
    out->farm = take_u64(&c);
    out->timeline = take_u64(&c);
    out->epoch = take_at_most(&c, UINT32_MAX);
    out->lease_ns = take_span(&c);
    out->beat_ns = take_span(&c);
    out->orphan_ns = take_span(&c);
    out->flush_ns = take_span(&c);
    out->restart_grace_ns = take_span(&c);
    out->row_ns = take_span(&c);
    out->max_sessions = (uint32_t)take_at_most(&c, UINT32_MAX);
    out->max_workers = (uint32_t)take_at_most(&c, UINT32_MAX);
    out->lost_limit = (uint32_t)take_at_most(&c, UINT32_MAX);
    out->put_limit = (size_t)take_at_most(&c, SIZE_MAX);
    out->feed = take_textz(&c);
    out->version = take_textz(&c);
    return end_of(&c, "the configuration", em);
}

err_t tapebody_answer_read(struct answer *out, struct str body, struct arena *a, struct errmsg *em)
{
    struct cursor c = cursor_of(body, a);
    *out = (struct answer){0};
    out->kind = (uint8_t)take_at_most(&c, ASK_CHECK);
    out->token = take_u64(&c);
    uint64_t flags = take_at_most(&c, 7);
    out->complete = flags & 1;
    out->known = flags & 2;
    out->cut = flags & 4;
    out->size = take_u64(&c);
    out->seq = take_u64(&c);
    out->at = take_u64(&c);
    out->of = take_u64(&c);
    out->dropped = take_u64(&c);
    out->free = take_u64(&c);
    out->fault = (uint8_t)take_at_most(&c, ERR_COUNT - 1);
    out->bytes = take_text(&c);
    out->error = take_text(&c);
    out->columns = take_texts(&c, &out->n_columns);
    out->lines = take_texts(&c, &out->n_lines);
    struct answer_row *rows = take_list(&c, 32, sizeof *rows, &out->n_rows);
    for (uint32_t i = 0; i < out->n_rows && !c.bad; i++) {
        rows[i].seq = take_u64(&c);
        rows[i].study_seq = take_u64(&c);
        rows[i].kind = (uint8_t)take_at_most(&c, UINT8_MAX);
        rows[i].body = take_text(&c);
    }
    out->rows = rows;
    return end_of(&c, "an answer of the store", em);
}

err_t tapebody_sums_read(struct tapebody_sums *out, struct str body, struct errmsg *em)
{
    struct cursor c = cursor_of(body, NULL);
    out->seq = take_u64(&c);
    out->records = (uint32_t)take_at_most(&c, UINT32_MAX);
    out->messages = (uint32_t)take_at_most(&c, UINT32_MAX);
    out->record_sum = (uint32_t)take_at_most(&c, UINT32_MAX);
    out->message_sum = (uint32_t)take_at_most(&c, UINT32_MAX);
    out->rest_sum = (uint32_t)take_at_most(&c, UINT32_MAX);
    return end_of(&c, "a group's sums", em);
}
