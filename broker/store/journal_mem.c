/* The journal in memory. Rows are kept as images with their texts in one arena; a newer image takes
 * the place of the older.
 *
 * It passes the same contract tests as the one on SQLite, so a simulation may stand on it. */
#include "journal_mem.h"

#include <stdlib.h>

#include "alloc.h"
#include "codec.h"
#include "sieve.h"

struct mem_record {
    uint64_t seq, study, study_seq;
    uint8_t kind;
    struct str body;
};
struct mem_blob {
    struct digest digest;
    struct str bytes;
};
struct mem_store {
    struct arena arena;
    struct mem_record *records;
    struct mem_blob *blobs;
    struct msg_reply *requests;
    struct trial_image *trials;
    struct study_image *studies;
    size_t n_records, cap_records, n_blobs, cap_blobs, n_requests, cap_requests, n_trials,
        cap_trials, n_studies, cap_studies;
    struct journal_ids ids;
};
struct journal_mem {
    struct journal j;
    struct mem_store *m;
    struct list done;
    void (*wake)(void *self);
    void *self;
    struct journal_stats stats;
};

#define MORE(m, array)                                                                             \
    do {                                                                                           \
        if ((m)->n_##array == (m)->cap_##array) {                                                  \
            (m)->cap_##array = (m)->cap_##array ? 2 * (m)->cap_##array : 64;                       \
            (m)->array = alloc_grow((m)->array, (m)->cap_##array, sizeof *(m)->array);             \
        }                                                                                          \
    } while (0)

struct mem_store *mem_store_new(void)
{
    struct mem_store *m = alloc_zero(sizeof *m);
    arena_init(&m->arena, (size_t)1 << 30);
    m->ids.farm = m->ids.timeline = 1;
    return m;
}

void mem_store_free(struct mem_store *m)
{
    if (!m)
        return;
    arena_fini(&m->arena);
    free(m->records);
    free(m->blobs);
    free(m->requests);
    free(m->trials);
    free(m->studies);
    free(m);
}

static struct str keep(struct mem_store *m, struct str s)
{
    struct str copy = arena_dup(&m->arena, s);
    REQUIRE(copy.p || !s.n);
    return copy;
}

static const struct mem_blob *find_blob(const struct mem_store *m, struct digest d)
{
    for (size_t i = 0; i < m->n_blobs; i++) {
        if (digest_eq(m->blobs[i].digest, d))
            return &m->blobs[i];
    }
    return NULL;
}

static void put_trial(struct mem_store *m, const struct trial_image *t)
{
    size_t i = 0;
    while (i < m->n_trials && (m->trials[i].study != t->study || m->trials[i].number != t->number))
        i++;
    if (i == m->n_trials) {
        MORE(m, trials);
        m->n_trials++;
    }
    struct trial_image *mine = &m->trials[i];
    *mine = *t;
    struct str *texts[] = {&mine->params, &mine->why_text, &mine->metrics, &mine->error,
                           &mine->resume};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
        *texts[k] = keep(m, *texts[k]);
    int64_t *steps = arena_array(&m->arena, t->n_decide + 1, sizeof *steps);
    REQUIRE(steps);
    if (t->n_decide)
        memcpy(steps, t->decide, t->n_decide * sizeof *steps);
    mine->decide = steps;
}

static int by_number(const void *x, const void *y)
{
    const struct study_image *a = x, *b = y;
    return a->number < b->number ? -1 : a->number > b->number;
}

static void put_study(struct mem_store *m, const struct study_image *s)
{
    size_t i = 0;
    while (i < m->n_studies && m->studies[i].number != s->number)
        i++;
    if (i == m->n_studies) {
        MORE(m, studies);
        m->n_studies++;
    }
    m->studies[i] = *s;
    m->studies[i].name = keep(m, s->name);
    m->studies[i].metric = keep(m, s->metric);
    m->studies[i].why = keep(m, s->why);
    qsort(m->studies, m->n_studies, sizeof *m->studies, by_number);
}

static void put_records(struct mem_store *m, const struct effects *fx)
{
    for (size_t i = 0; i < fx->n_records; i++) {
        const struct fx_record *r = &fx->records[i];
        MORE(m, records);
        m->records[m->n_records++] = (struct mem_record){r->seq, r->study, r->study_seq, r->kind,
                                                         keep(m, effects_str(fx, r->body))};
        m->ids.last_seq = r->seq;
    }
}

static void put_all(struct mem_store *m, const struct effects *fx)
{
    put_records(m, fx);
    for (size_t i = 0; i < fx->n_blobs; i++) {
        if (find_blob(m, fx->blobs[i].digest))
            continue;
        MORE(m, blobs);
        m->blobs[m->n_blobs++] =
            (struct mem_blob){fx->blobs[i].digest, keep(m, effects_str(fx, fx->blobs[i].bytes))};
    }
    for (size_t i = 0; i < fx->n_requests; i++) {
        const struct fx_request *q = &fx->requests[i];
        MORE(m, requests);
        m->requests[m->n_requests++] = (struct msg_reply){.request = q->request,
                                                          .name = keep(m, effects_str(fx, q->name)),
                                                          .text = keep(m, effects_str(fx, q->text)),
                                                          .number = q->number,
                                                          .seq = q->seq};
    }
    for (size_t i = 0; i < fx->n_trials; i++)
        put_trial(m, &fx->trials[i]);
    for (size_t i = 0; i < fx->n_studies; i++)
        put_study(m, &fx->studies[i]);
    if (fx->fold_seq)
        m->ids.fold_seq = fx->fold_seq;
}

/* ---- answers ---- */

static void answer_records(const struct mem_store *m, const struct fx_ask *ask, struct group *g,
                           struct answer *a)
{
    struct answer_row *rows = arena_array(&g->arena, ask->limit + 1, sizeof *rows);
    REQUIRE(rows);
    a->rows = rows;
    a->complete = true;
    for (size_t i = 0; i < m->n_records; i++) {
        const struct mem_record *r = &m->records[i];
        uint64_t at = ask->study ? r->study_seq : r->seq;
        if ((ask->study && r->study != ask->study) || at < ask->from || at > ask->to ||
            !(ask->kinds >> r->kind & 1))
            continue;
        if (a->n_rows == ask->limit) {
            a->complete = false;
            return;
        }
        rows[a->n_rows++] = (struct answer_row){r->seq, r->study_seq, r->kind, r->body};
    }
}

static void answer_blob(const struct mem_store *m, const struct fx_ask *ask, struct answer *a)
{
    const struct mem_blob *b = find_blob(m, ask->digest);
    if (!b)
        return;
    a->known = true;
    a->size = b->bytes.n;
    size_t from = ask->from < b->bytes.n ? (size_t)ask->from : b->bytes.n;
    size_t n = b->bytes.n - from;
    a->bytes = str_make(b->bytes.p + from, n < ask->limit ? n : ask->limit);
}

/* ---- compaction ---- */

struct mem_study {
    const struct mem_store *m;
    uint64_t number;
};

static void look_up(void *self, uint64_t number, struct sieve_trial *out)
{
    const struct mem_study *s = self;
    *out = (struct sieve_trial){0};
    for (size_t i = 0; i < s->m->n_trials; i++) {
        const struct trial_image *t = &s->m->trials[i];
        if (t->study != s->number || t->number != number)
            continue;
        out->final = trial_state_final(t->state);
        out->n_decide = t->n_decide < SIEVE_STEPS ? t->n_decide : SIEVE_STEPS;
        memcpy(out->decide, t->decide, out->n_decide * sizeof *out->decide);
    }
}

static uint64_t sift(struct sieve *s, const struct mem_record *r)
{
    struct arena a;
    struct record x;
    arena_init(&a, 0);
    REQUIRE(record_decode(&x, r->body, &a, NULL) == ERR_OK);
    struct sieve_record look = {x.seq, x.trial, x.step, x.attempt, x.kind, x.has_step, x.has_value};
    arena_fini(&a);
    return sieve_look(s, &look);
}

static void drop(struct mem_store *m, uint64_t seq)
{
    size_t i = 0;
    while (m->records[i].seq != seq)
        i++;
    m->n_records--;
    memmove(&m->records[i], &m->records[i + 1], (m->n_records - i) * sizeof *m->records);
}

static void compact(struct mem_store *m, const struct fx_ask *ask, struct answer *a)
{
    struct mem_study of = {m, ask->study};
    struct sieve s;
    sieve_init(&s, &of, look_up);
    for (size_t i = m->n_records; i--;) {
        const struct mem_record *r = &m->records[i];
        uint64_t seq = r->study == ask->study && r->study_seq <= ask->to ? sift(&s, r) : 0;
        if (!seq)
            continue;
        drop(m, seq); /* behind i */
        a->dropped++;
    }
    sieve_fini(&s);
    a->complete = true;
    a->at = a->of = ask->to;
}

static void answer(struct mem_store *m, const struct fx_ask *ask, struct group *g)
{
    struct answer *a = group_answer(g, ask);
    a->seq = m->ids.last_seq;
    if (ask->kind == ASK_RECORDS) {
        answer_records(m, ask, g, a);
    } else if (ask->kind == ASK_BLOB) {
        answer_blob(m, ask, a);
    } else if (ask->kind == ASK_COMPACT) {
        compact(m, ask, a);
    } else {
        a->complete = true;
        a->fault = ERR_UNSUPPORTED;
        a->error = STR("this journal is in memory and has no tables");
    }
}

/* ---- the interface ---- */

static struct journal_mem *of(struct journal *j)
{
    return CONTAINER_OF(j, struct journal_mem, j);
}

static err_t load_rows(const struct mem_store *m, const struct journal_reader *r, struct errmsg *em)
{
    err_t e = ERR_OK;
    for (size_t i = 0; i < m->n_studies && e == ERR_OK; i++)
        e = r->study(r->self, &m->studies[i], em);
    for (size_t i = 0; i < m->n_trials && e == ERR_OK; i++)
        e = r->trial(r->self, &m->trials[i], em);
    for (size_t i = 0; i < m->n_requests && e == ERR_OK; i++)
        e = r->request(r->self, &m->requests[i], em);
    return e;
}

static err_t on_load(struct journal *j, const struct journal_reader *r, struct errmsg *em)
{
    const struct mem_store *m = of(j)->m;
    err_t e = load_rows(m, r, em);
    for (size_t i = 0; i < m->n_records && e == ERR_OK; i++) {
        if (m->records[i].seq > m->ids.fold_seq)
            e = r->record(r->self, m->records[i].seq, m->records[i].body, em);
    }
    return e;
}

static err_t on_blob(struct journal *j, struct digest d, struct buf *out, struct errmsg *em)
{
    const struct mem_blob *b = find_blob(of(j)->m, d);
    if (!b)
        return errmsg_set(em, ERR_NOT_FOUND, "there is no such blob");
    buf_add_str(out, b->bytes);
    return ERR_OK;
}

static err_t on_start(struct journal *j, struct errmsg *em)
{
    (void)j;
    (void)em;
    return ERR_OK;
}

static void on_submit(struct journal *j, struct group *g)
{
    struct journal_mem *s = of(j);
    put_all(s->m, &g->fx);
    s->stats.groups += effects_writes(&g->fx);
    s->stats.records += g->fx.n_records;
    for (size_t i = 0; i < g->fx.n_asks; i++)
        answer(s->m, &g->fx.asks[i], g);
    list_push(&s->done, &g->link);
    if (s->wake)
        s->wake(s->self);
}

static struct group *on_done(struct journal *j)
{
    struct group *g = LIST_FIRST(&of(j)->done, struct group, link);
    if (g)
        list_remove(&g->link);
    return g;
}

static bool on_full(struct journal *j)
{
    (void)j;
    return false;
}

static struct journal_stats on_stats(struct journal *j)
{
    return of(j)->stats;
}

static void on_close(struct journal *j)
{
    for (struct group *g; (g = on_done(j));)
        group_free(g);
    free(of(j));
}

static const struct journal_ops ops = {on_load, on_blob, on_start, on_submit,
                                       on_done, on_full, on_stats, on_close};

struct journal *journal_mem_open(struct mem_store *m, void (*wake)(void *self), void *self)
{
    struct journal_mem *s = alloc_zero(sizeof *s);
    m->ids.epoch++;
    *s =
        (struct journal_mem){.j = {.ops = &ops, .ids = m->ids}, .m = m, .wake = wake, .self = self};
    list_init(&s->done);
    return &s->j;
}
