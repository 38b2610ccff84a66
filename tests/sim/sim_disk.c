/* The disk: what was committed, in memory. Records, blobs, answers of requests and rows, and the
 * answers to the broker's questions about them. Written and asked by sim_broker.c. It knows nothing
 * of commits that are under way. */
#include "sim.h"

#include <stdlib.h>

#include "alloc.h"
#include "codec.h"
#include "envelope.h"

struct disk_record {
    uint64_t seq, study, study_seq;
    uint8_t kind;
    struct str body; /* owned */
};
struct disk_blob {
    struct digest digest;
    struct str bytes; /* owned */
};
struct sim_disk {
    struct disk_record *records;
    size_t n_records, cap_records;
    struct disk_blob *blobs;
    size_t n_blobs, cap_blobs;
    struct msg_reply *requests; /* texts owned */
    size_t n_requests, cap_requests;
    struct trial_image *trials; /* texts owned */
    size_t n_trials, cap_trials;
    struct study_image *studies;
    size_t n_studies, cap_studies;
    uint64_t fold_seq, epoch;
};

#define MORE(d, array)                                                                             \
    do {                                                                                           \
        if ((d)->n_##array == (d)->cap_##array) {                                                  \
            (d)->cap_##array = (d)->cap_##array ? 2 * (d)->cap_##array : 64;                       \
            (d)->array = alloc_grow((d)->array, (d)->cap_##array, sizeof *(d)->array);             \
        }                                                                                          \
    } while (0)

static struct str own(struct str v)
{
    char *p = malloc(v.n + 1);
    REQUIRE(p != NULL);
    if (v.n > 0)
        memcpy(p, v.p, v.n);
    return str_make(p, v.n);
}

static void disown(struct str v)
{
    free((void *)(uintptr_t)v.p);
}

static void own_trial(struct trial_image *t)
{
    struct str *texts[] = {&t->params, &t->why_text, &t->metrics, &t->error, &t->resume};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = own(*texts[i]);
    struct str steps = own(str_make((const char *)t->decide, t->n_decide * sizeof *t->decide));
    t->decide = (const int64_t *)(const void *)steps.p;
}

static void disown_trial(struct trial_image *t)
{
    struct str *texts[] = {&t->params, &t->why_text, &t->metrics, &t->error, &t->resume};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        disown(*texts[i]);
    free((void *)(uintptr_t)t->decide);
}

static struct trial_image *find_trial(const struct sim_disk *d, uint64_t study, uint64_t trial)
{
    for (size_t i = 0; i < d->n_trials; i++)
        if (d->trials[i].number == trial && d->trials[i].study == study)
            return &d->trials[i];
    return NULL;
}

static void write_trial(struct sim_disk *d, const struct trial_image *image)
{
    struct trial_image *mine = find_trial(d, image->study, image->number);
    if (mine) {
        disown_trial(mine);
    } else {
        MORE(d, trials);
        mine = &d->trials[d->n_trials++];
    }
    *mine = *image;
    own_trial(mine);
}

static void disown_study(struct study_image *t)
{
    disown(t->name);
    disown(t->metric);
    disown(t->why);
}

static void write_study(struct sim_disk *d, const struct study_image *image)
{
    size_t i = 0;
    while (i < d->n_studies && d->studies[i].number != image->number)
        i++;
    if (i == d->n_studies) {
        MORE(d, studies);
        d->n_studies++;
    } else {
        disown_study(&d->studies[i]);
    }
    d->studies[i] = *image;
    d->studies[i].name = own(image->name);
    d->studies[i].metric = own(image->metric);
    d->studies[i].why = own(image->why);
}

static const struct disk_blob *find_blob(const struct sim_disk *d, struct digest digest)
{
    for (size_t i = 0; i < d->n_blobs; i++)
        if (digest_eq(d->blobs[i].digest, digest))
            return &d->blobs[i];
    return NULL;
}

static void write_things(struct sim_disk *d, const struct effects *fx)
{
    for (size_t i = 0; i < fx->n_blobs; i++) {
        if (find_blob(d, fx->blobs[i].digest))
            continue;
        MORE(d, blobs);
        d->blobs[d->n_blobs++] =
            (struct disk_blob){fx->blobs[i].digest, own(effects_str(fx, fx->blobs[i].bytes))};
    }
    for (size_t i = 0; i < fx->n_requests; i++) {
        const struct fx_request *r = &fx->requests[i];
        MORE(d, requests);
        d->requests[d->n_requests++] = (struct msg_reply){.request = r->request,
                                                          .name = own(effects_str(fx, r->name)),
                                                          .text = own(effects_str(fx, r->text)),
                                                          .number = r->number,
                                                          .seq = r->seq};
    }
}

void disk_commit(struct sim *s, const struct effects *fx)
{
    struct sim_disk *d = s->disk;
    for (size_t i = 0; i < fx->n_records; i++) {
        const struct fx_record *r = &fx->records[i];
        SIM_CHECK(s, r->seq == d->n_records + 1, "I20: record %llu follows record %zu",
                  (unsigned long long)r->seq, d->n_records);
        MORE(d, records);
        d->records[d->n_records++] = (struct disk_record){r->seq, r->study, r->study_seq, r->kind,
                                                          own(effects_str(fx, r->body))};
    }
    write_things(d, fx);
    for (size_t i = 0; i < fx->n_trials; i++)
        write_trial(d, &fx->trials[i]);
    for (size_t i = 0; i < fx->n_studies; i++)
        write_study(d, &fx->studies[i]);
    if (fx->fold_seq)
        d->fold_seq = fx->fold_seq;
}

bool disk_trial(const struct sim *s, uint64_t study, uint64_t trial, struct trial_image *out)
{
    const struct trial_image *t = find_trial(s->disk, study, trial);
    if (t)
        *out = *t;
    return t != NULL;
}

bool disk_request(const struct sim *s, struct id128 request)
{
    for (size_t i = s->disk->n_requests; i-- > 0;)
        if (id128_eq(s->disk->requests[i].request, request))
            return true;
    return false;
}

size_t disk_records(const struct sim *s)
{
    return s->disk->n_records;
}

void disk_record(const struct sim *s, size_t i, struct record *out, struct arena *a)
{
    struct errmsg em;
    const struct disk_record *r = &s->disk->records[i];
    err_t e = record_decode(out, r->body, a, &em);
    SIM_CHECK(s, e == ERR_OK, "I20: record %zu cannot be read: %s", i + 1, em.text);
    SIM_CHECK(s,
              out->seq == r->seq && out->study == r->study && out->study_seq == r->study_seq &&
                  out->kind == r->kind,
              "I20: the columns of record %zu are not those of its body", i + 1);
}

struct str disk_blob(const struct sim *s, struct digest digest)
{
    const struct disk_blob *b = find_blob(s->disk, digest);
    return b ? b->bytes : (struct str){0};
}

uint64_t disk_epoch(const struct sim *s)
{
    return s->disk->epoch;
}

void disk_next_epoch(struct sim *s)
{
    s->disk->epoch++;
}

struct sim_disk *disk_new(void)
{
    return alloc_zero(sizeof(struct sim_disk));
}

void disk_free(struct sim_disk *d)
{
    for (size_t i = 0; i < d->n_records; i++)
        disown(d->records[i].body);
    for (size_t i = 0; i < d->n_blobs; i++)
        disown(d->blobs[i].bytes);
    for (size_t i = 0; i < d->n_requests; i++) {
        disown(d->requests[i].name);
        disown(d->requests[i].text);
    }
    for (size_t i = 0; i < d->n_trials; i++)
        disown_trial(&d->trials[i]);
    for (size_t i = 0; i < d->n_studies; i++)
        disown_study(&d->studies[i]);
    free(d->records);
    free(d->blobs);
    free(d->requests);
    free(d->trials);
    free(d->studies);
    free(d);
}

/* ---- questions ---- */

static void answer_records(struct sim *s, const struct fx_ask *q, struct effects *fx)
{
    const struct sim_disk *d = s->disk;
    struct answer_row *rows = alloc_array(q->limit + 1, sizeof *rows);
    uint32_t n = 0;
    bool complete = true;
    for (size_t i = q->study ? 0 : (size_t)(q->from ? q->from - 1 : 0); i < d->n_records; i++) {
        const struct disk_record *r = &d->records[i];
        uint64_t at = q->study ? r->study_seq : r->seq;
        if ((q->study && r->study != q->study) || at < q->from || at > q->to ||
            !(q->kinds >> r->kind & 1))
            continue;
        if (n == q->limit) {
            complete = false;
            break;
        }
        rows[n++] = (struct answer_row){
            .seq = r->seq, .study_seq = r->study_seq, .kind = r->kind, .body = r->body};
    }
    struct answer a = {.kind = ASK_RECORDS,
                       .token = q->token,
                       .rows = rows,
                       .n_rows = n,
                       .complete = complete,
                       .seq = d->n_records};
    farm_on_answer(s->farm, broker_now(s), &a, fx);
    free(rows);
}

static void answer_blob(struct sim *s, const struct fx_ask *q, struct effects *fx)
{
    const struct disk_blob *b = find_blob(s->disk, q->digest);
    struct answer a = {
        .kind = ASK_BLOB, .token = q->token, .known = b != NULL, .seq = s->disk->n_records};
    if (b) {
        size_t from = q->from < b->bytes.n ? (size_t)q->from : b->bytes.n;
        size_t n = b->bytes.n - from < q->limit ? b->bytes.n - from : q->limit;
        a.size = b->bytes.n;
        a.bytes = str_make(b->bytes.p + from, n);
    }
    farm_on_answer(s->farm, broker_now(s), &a, fx);
}

static void answer_sql(struct sim *s, const struct fx_ask *q, struct effects *fx)
{
    struct answer a = {.kind = ASK_SQL,
                       .token = q->token,
                       .complete = true,
                       .error = STR("this disk has no tables"),
                       .seq = s->disk->n_records};
    farm_on_answer(s->farm, broker_now(s), &a, fx);
}

void disk_answer(struct sim *s, const struct fx_ask *ask, struct effects *fx)
{
    switch (ask->kind) {
    case ASK_RECORDS:
        answer_records(s, ask, fx);
        break;
    case ASK_BLOB:
        answer_blob(s, ask, fx);
        break;
    default:
        answer_sql(s, ask, fx);
        break;
    }
}

/* ---- a start ---- */

static err_t read_spec(struct sim *s, struct digest d, struct arena *a, struct str *spec,
                       struct envelope *env, struct errmsg *em)
{
    *spec = disk_blob(s, d);
    return envelope_read(*spec, a, env, em);
}

static err_t load_rows(struct sim *s, struct farm *f, struct arena *a, struct errmsg *em)
{
    const struct sim_disk *d = s->disk;
    struct envelope env;
    struct str spec;
    err_t e = ERR_OK;
    for (size_t i = 0; i < d->n_studies && e == ERR_OK; i++) {
        e = read_spec(s, d->studies[i].spec, a, &spec, &env, em);
        if (e == ERR_OK)
            e = farm_load_study(f, &d->studies[i], spec, &env, em);
    }
    for (size_t i = 0; i < d->n_trials && e == ERR_OK; i++)
        e = farm_load_trial(f, &d->trials[i], em);
    return e;
}

static err_t load_record(struct sim *s, struct farm *f, size_t i, struct arena *a,
                         struct errmsg *em)
{
    struct record r;
    struct envelope env;
    struct str bytes = {0};
    arena_clear(a);
    disk_record(s, i, &r, a);
    bool spec = r.kind == REC_STUDY_CREATED || r.kind == REC_SPEC_ADDED;
    err_t e = spec ? read_spec(s, r.digest, a, &bytes, &env, em) : ERR_OK;
    return e == ERR_OK ? farm_load_record(f, &r, bytes, spec ? &env : NULL, em) : e;
}

void disk_load(struct sim *s, struct farm *f, bool from_rows)
{
    const struct sim_disk *d = s->disk;
    struct errmsg em = {""};
    struct arena a;
    arena_init(&a, 0);
    err_t e = from_rows ? load_rows(s, f, &a, &em) : ERR_OK;
    for (size_t i = 0; i < d->n_requests; i++)
        farm_load_request(f, &d->requests[i]);
    for (size_t i = from_rows ? d->fold_seq : 0; i < d->n_records && e == ERR_OK; i++)
        e = load_record(s, f, i, &a, &em);
    if (e == ERR_OK)
        e = farm_load_check(f, &em);
    arena_fini(&a);
    SIM_CHECK(s, e == ERR_OK, "I20: the journal cannot be loaded %s: %s",
              from_rows ? "with rows" : "alone", em.text);
}
