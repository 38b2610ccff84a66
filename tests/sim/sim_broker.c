/* The broker's shell in the simulator: one group of effects gathers while another is being
 * committed; nothing leaves before its group is on the disk. The disk keeps what was committed; a
 * crash in the middle of a commit keeps the group or forgets it, as chance has it, and nobody is
 * told. A restart loads the rows and the journal behind them, or now and then the journal alone. */
#include "sim.h"

#include <stdlib.h>

#include "alloc.h"
#include "codec.h"
#include "hash.h"

struct disk_record {
    uint64_t seq, study, study_seq;
    uint8_t kind;
    struct str body; /* owned */
};
struct disk_blob {
    struct digest digest;
    struct str bytes; /* owned */
};
struct disk_request {
    struct msg_reply reply; /* texts owned */
};
struct sim_disk {
    struct disk_record *records;
    size_t n_records, cap_records;
    struct disk_blob *blobs;
    size_t n_blobs, cap_blobs;
    struct disk_request *requests;
    size_t n_requests, cap_requests;
    struct trial_image *trials; /* texts owned */
    size_t n_trials, cap_trials;
    struct study_image *studies;
    size_t n_studies, cap_studies;
    uint64_t fold_seq, epoch;
};

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

static void *more(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return p;
    *cap = *cap ? 2 * *cap : 64;
    return alloc_grow(p, *cap, size);
}

/* ---- the disk ---- */

static void own_trial(struct trial_image *t)
{
    t->params = own(t->params);
    t->why_text = own(t->why_text);
    t->metrics = own(t->metrics);
    t->error = own(t->error);
    t->resume = own(t->resume);
    t->decide = NULL;
    t->n_decide = 0;
}

static void disown_trial(struct trial_image *t)
{
    disown(t->params);
    disown(t->why_text);
    disown(t->metrics);
    disown(t->error);
    disown(t->resume);
}

static void write_trial(struct sim_disk *d, const struct trial_image *image)
{
    struct trial_image copy = *image;
    own_trial(&copy);
    for (size_t i = 0; i < d->n_trials; i++) {
        if (d->trials[i].study == copy.study && d->trials[i].number == copy.number) {
            disown_trial(&d->trials[i]);
            d->trials[i] = copy;
            return;
        }
    }
    d->trials = more(d->trials, d->n_trials, &d->cap_trials, sizeof *d->trials);
    d->trials[d->n_trials++] = copy;
}

static void disown_study(struct study_image *t)
{
    disown(t->name);
    disown(t->metric);
    disown(t->why);
}

static void write_study(struct sim_disk *d, const struct study_image *image)
{
    struct study_image copy = *image;
    copy.name = own(copy.name);
    copy.metric = own(copy.metric);
    copy.why = own(copy.why);
    for (size_t i = 0; i < d->n_studies; i++) {
        if (d->studies[i].number == copy.number) {
            disown_study(&d->studies[i]);
            d->studies[i] = copy;
            return;
        }
    }
    d->studies = more(d->studies, d->n_studies, &d->cap_studies, sizeof *d->studies);
    d->studies[d->n_studies++] = copy;
}

static struct disk_blob *find_blob(struct sim_disk *d, struct digest digest)
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
        d->blobs = more(d->blobs, d->n_blobs, &d->cap_blobs, sizeof *d->blobs);
        d->blobs[d->n_blobs++] =
            (struct disk_blob){fx->blobs[i].digest, own(effects_str(fx, fx->blobs[i].bytes))};
    }
    for (size_t i = 0; i < fx->n_requests; i++) {
        const struct fx_request *r = &fx->requests[i];
        d->requests = more(d->requests, d->n_requests, &d->cap_requests, sizeof *d->requests);
        d->requests[d->n_requests++].reply =
            (struct msg_reply){.request = r->request,
                               .name = own(effects_str(fx, r->name)),
                               .text = own(effects_str(fx, r->text)),
                               .number = r->number,
                               .seq = r->seq};
    }
}

static void disk_commit(struct sim *s, const struct effects *fx)
{
    struct sim_disk *d = s->disk;
    for (size_t i = 0; i < fx->n_records; i++) {
        const struct fx_record *r = &fx->records[i];
        SIM_CHECK(s, r->seq == d->n_records + 1, "record %llu follows record %zu",
                  (unsigned long long)r->seq, d->n_records);
        d->records = more(d->records, d->n_records, &d->cap_records, sizeof *d->records);
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
    for (size_t i = 0; i < s->disk->n_trials; i++) {
        if (s->disk->trials[i].study == study && s->disk->trials[i].number == trial) {
            *out = s->disk->trials[i];
            return true;
        }
    }
    return false;
}

size_t disk_records(const struct sim *s)
{
    return s->disk ? s->disk->n_records : 0;
}

void disk_record(const struct sim *s, size_t i, struct record *out, struct arena *a)
{
    struct errmsg em;
    err_t e = record_decode(out, s->disk->records[i].body, a, &em);
    SIM_CHECK(s, e == ERR_OK, "record %zu cannot be read: %s", i + 1, em.text);
    const struct disk_record *r = &s->disk->records[i];
    out->seq = r->seq;
    out->study = r->study;
    out->study_seq = r->study_seq;
    out->kind = r->kind;
}

void sim_disk_free(struct sim *s)
{
    struct sim_disk *d = s->disk;
    for (size_t i = 0; i < d->n_records; i++)
        disown(d->records[i].body);
    for (size_t i = 0; i < d->n_blobs; i++)
        disown(d->blobs[i].bytes);
    for (size_t i = 0; i < d->n_requests; i++) {
        disown(d->requests[i].reply.name);
        disown(d->requests[i].reply.text);
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

/* ---- answers to questions ---- */

static void answer_records(struct sim *s, const struct fx_ask *q, struct effects *fx)
{
    struct sim_disk *d = s->disk;
    struct answer_row *rows = alloc_array(q->limit ? q->limit : 1, sizeof *rows);
    uint32_t n = 0;
    bool complete = true;
    for (size_t i = 0; i < d->n_records; i++) {
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
    farm_on_answer(s->farm, s->now, &a, fx);
    free(rows);
}

static void answer_blob(struct sim *s, const struct fx_ask *q, struct effects *fx)
{
    struct disk_blob *b = find_blob(s->disk, q->digest);
    struct answer a = {
        .kind = ASK_BLOB, .token = q->token, .known = b != NULL, .seq = s->disk->n_records};
    if (b) {
        size_t from = q->from < b->bytes.n ? (size_t)q->from : b->bytes.n;
        size_t n = b->bytes.n - from < q->limit ? b->bytes.n - from : q->limit;
        a.size = b->bytes.n;
        a.bytes = str_make(b->bytes.p + from, n);
    }
    farm_on_answer(s->farm, s->now, &a, fx);
}

/* ---- the shell ---- */

static struct effects *effects_make(void)
{
    struct effects *fx = alloc_zero(sizeof *fx);
    effects_init(fx);
    return fx;
}

static void effects_drop(struct effects *fx)
{
    if (!fx)
        return;
    effects_fini(fx);
    free(fx);
}

static void pump(struct sim *s);

static void on_committed(struct sim *s, struct sim_event *e)
{
    if (!s->farm || e->a != s->broker_generation)
        return;
    if (s->disk_is_full &&
        effects_writes(s->flight)) { /* waits for room, as the journal thread does */
        sim_at(s, s->now + 200 * MS, on_committed, NULL, e->a, 0);
        return;
    }
    struct effects *fx = s->flight;
    s->flight = NULL;
    disk_commit(s, fx);
    for (size_t i = 0; i < fx->n_messages; i++)
        sim_send_from_broker(s, fx->messages[i].peer, fx->messages[i].session, fx->messages[i].kind,
                             effects_str(fx, fx->messages[i].body));
    for (size_t i = 0; i < fx->n_asks; i++) {
        if (fx->asks[i].kind == ASK_RECORDS)
            answer_records(s, &fx->asks[i], s->gather);
        else if (fx->asks[i].kind == ASK_BLOB)
            answer_blob(s, &fx->asks[i], s->gather);
    }
    effects_drop(fx);
    pump(s);
}

static void on_wake(struct sim *s, struct sim_event *e)
{
    if (s->farm && e->a == s->broker_generation && s->broker_wake <= s->now) {
        s->broker_wake = CLOCK_NEVER;
        pump(s);
    }
}

static void check_now_and_then(struct sim *s)
{
    struct errmsg em;
    if (s->steps % 64 == 0)
        SIM_CHECK(s, farm_check(s->farm, &em) == ERR_OK, "farm_check: %s", em.text);
}

/* Hands a group over if none is under way. */
static void pump(struct sim *s)
{
    if (s->flight)
        return;
    int64_t wake = farm_tick(s->farm, s->now, s->gather);
    check_now_and_then(s);
    if (!effects_empty(s->gather)) {
        s->flight = s->gather;
        s->gather = effects_make();
        int64_t takes = effects_writes(s->flight) ? sim_between(s, 100000, 8 * MS) : 1000;
        if (sim_chance(s, s->faults.slow_commit))
            takes = sim_between(s, SEC, 10 * SEC);
        sim_at(s, s->now + takes, on_committed, NULL, s->broker_generation, 0);
        return;
    }
    if (wake != CLOCK_NEVER && wake < s->broker_wake) {
        s->broker_wake = wake > s->now ? wake : s->now + 1;
        sim_at(s, s->broker_wake, on_wake, NULL, s->broker_generation, 0);
    }
}

static struct envelope sim_envelope(struct str spec)
{
    (void)spec;
    return (struct envelope){.metric = STR("loss"),
                             .cpu = 1,
                             .weight = 1,
                             .retries = 2,
                             .retry_delay_ns = SEC,
                             .grace_ns = 2 * SEC};
}

void broker_input(struct sim *s, uint64_t peer, uint64_t session, unsigned kind,
                  const union message *m)
{
    struct envelope env = sim_envelope(STR(""));
    struct farm_input in = {.peer = peer,
                            .session = session,
                            .kind = (uint8_t)kind,
                            .msg = m,
                            .envelope = kind == MSG_SUBMIT ? &env : NULL};
    farm_on_message(s->farm, s->now, &in, s->gather);
    pump(s);
}

void broker_peer_gone(struct sim *s, uint64_t peer)
{
    farm_on_peer_gone(s->farm, s->now, peer, s->gather);
    pump(s);
}

void broker_full(struct sim *s, bool full)
{
    s->disk_is_full = full;
    if (!s->farm)
        return;
    farm_on_full(s->farm, s->now, full, s->gather);
    pump(s);
}

static void load(struct sim *s, struct farm *f, bool from_rows)
{
    struct sim_disk *d = s->disk;
    struct errmsg em = {""};
    struct envelope env = sim_envelope(STR(""));
    err_t e = ERR_OK;
    for (size_t i = 0; from_rows && i < d->n_studies && e == ERR_OK; i++)
        e = farm_load_study(f, &d->studies[i], find_blob(d, d->studies[i].spec)->bytes, &env, &em);
    for (size_t i = 0; from_rows && i < d->n_trials && e == ERR_OK; i++)
        e = farm_load_trial(f, &d->trials[i], &em);
    for (size_t i = 0; i < d->n_requests; i++)
        farm_load_request(f, &d->requests[i].reply);
    struct arena a;
    arena_init(&a, 0);
    for (size_t i = from_rows ? d->fold_seq : 0; i < d->n_records && e == ERR_OK; i++) {
        struct record r;
        arena_clear(&a);
        disk_record(s, i, &r, &a);
        bool spec = r.kind == REC_STUDY_CREATED || r.kind == REC_SPEC_ADDED;
        e = farm_load_record(f, &r, spec ? find_blob(d, r.digest)->bytes : (struct str){0},
                             spec ? &env : NULL, &em);
    }
    arena_fini(&a);
    SIM_CHECK(s, e == ERR_OK, "the journal cannot be loaded %s: %s",
              from_rows ? "with rows" : "alone", em.text);
}

static struct farm_config config(const struct sim *s)
{
    struct farm_config c;
    farm_config_defaults(&c);
    c.farm = 1;
    c.timeline = 1;
    c.epoch = s->disk->epoch;
    c.version = "sim";
    return c;
}

struct farm *broker_fold(struct sim *s, bool from_rows)
{
    struct farm_config c = config(s);
    struct farm *f = farm_new(&c);
    load(s, f, from_rows);
    return f;
}

void broker_start(struct sim *s)
{
    if (!s->disk)
        s->disk = alloc_zero(sizeof *s->disk);
    s->disk->epoch++;
    s->broker_generation++;
    s->broker_wake = CLOCK_NEVER;
    s->gather = effects_make();
    s->farm = broker_fold(s, sim_chance(s, 0.8));
    farm_load_done(s->farm, s->now, s->disk->n_records, s->gather);
    pump(s);
}

void broker_crash(struct sim *s)
{
    if (!s->farm)
        return;
    if (s->flight && !s->disk_is_full &&
        sim_chance(s, 0.5)) /* the outcome of a commit under way is unknown */
        disk_commit(s, s->flight);
    effects_drop(s->flight);
    effects_drop(s->gather);
    s->flight = s->gather = NULL;
    farm_free(s->farm);
    s->farm = NULL;
    for (size_t i = 0; i < SIM_WORKERS; i++)
        sim_disconnect(s, &s->workers[i].node);
    sim_disconnect(s, &s->optimizer.node);
    sim_disconnect(s, &s->client.node);
}
