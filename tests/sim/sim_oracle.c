/* The invariants of the farm, checked on the journal as it is on the disk after the last recovery,
 * and on what peers saw (the numbers are those of docs/reliability.md):
 *
 *   I1  what a worker saw acknowledged is in the journal        I6  attempts are 1, 2, 3, granted
 * when none is open I2  one end a trial           I3  nothing after the end     I11 trial numbers
 * and draws are dense I4  steps rise in an attempt  I5  records of an attempt lie between its grant
 * and its end I14 everything ends           I15 retries are bounded       I20 live state = fold of
 * the journal */
#include "sim.h"

#include <stdlib.h>

#include "alloc.h"
#include "idmap.h"

#define RETRIES    2
#define LOST_LIMIT 8

struct fate { /* of one trial, as the journal tells it */
    uint32_t attempt, crashes, lost;
    bool open, started, ended;
    int64_t last_step;
    uint32_t final_attempt;
    int64_t durable[64]; /* last step by attempt */
    bool started_attempt[64], closed_attempt[64];
};

static uint64_t key(uint64_t study, uint64_t trial)
{
    return study << 32 | trial;
}

void oracle_ack(struct sim *s, const struct msg_ack *a)
{
    if (s->n_acks == s->cap_acks) {
        s->cap_acks = s->cap_acks ? 2 * s->cap_acks : 256;
        s->acks = alloc_grow(s->acks, s->cap_acks, sizeof *s->acks);
    }
    s->acks[s->n_acks++] = (struct sim_ack){a->study, a->trial, a->attempt, a->of, a->step};
}

static struct fate *fate_of(struct idmap *m, const struct record *r, bool make)
{
    struct fate *f = idmap_get(m, key(r->study, r->trial));
    if (!f && make) {
        f = alloc_zero(sizeof *f);
        for (size_t i = 0; i < 64; i++)
            f->durable[i] = -1;
        idmap_put(m, key(r->study, r->trial), f);
    }
    return f;
}

#define WHO(r) (unsigned long long)(r)->study, (unsigned long long)(r)->trial, (r)->attempt

static void on_granted(struct sim *s, struct fate *f, const struct record *r)
{
    SIM_CHECK(s, r->attempt == f->attempt + 1, "trial %llu/%llu: attempt %u follows %u (I6)",
              WHO(r), f->attempt);
    SIM_CHECK(s, !f->open, "trial %llu/%llu: attempt %u granted while one is open (I6)", WHO(r));
    SIM_CHECK(s, r->attempt < 64, "trial %llu/%llu: attempt %u (I15)", WHO(r));
    f->attempt = r->attempt;
    f->open = true;
    bool adopted = r->code == 1; /* runs already, and what it reported counts */
    f->started = adopted;
    f->last_step = adopted ? f->last_step : -1;
    f->durable[r->attempt] = f->last_step;
}

static void on_closed(struct sim *s, struct fate *f, const struct record *r)
{
    f->open = false;
    f->closed_attempt[r->attempt] = true;
    f->crashes += r->code == CLOSE_CRASH;
    f->lost += r->code == CLOSE_EXPIRED && f->started;
    SIM_CHECK(s, f->crashes <= RETRIES,
              "trial %llu/%llu: attempt %u, too many crashes without an end (I15)", WHO(r));
    SIM_CHECK(s, f->lost < LOST_LIMIT,
              "trial %llu/%llu: attempt %u, too many losses without an end (I15)", WHO(r));
}

static void on_trial_record(struct sim *s, struct fate *f, const struct record *r)
{
    SIM_CHECK(s, !f->ended, "trial %llu/%llu attempt %u: %s after its end (I3)", WHO(r),
              record_kind_name(r->kind));
    bool of_attempt = r->kind == REC_STARTED || r->kind == REC_REPORTED ||
                      r->kind == REC_CHECKPOINTED || r->kind == REC_CLOSED ||
                      r->kind == REC_STOPPING;
    SIM_CHECK(s, !of_attempt || (f->open && f->attempt == r->attempt),
              "trial %llu/%llu attempt %u: %s outside the attempt (I5)", WHO(r),
              record_kind_name(r->kind));
    if (r->kind == REC_GRANTED) {
        on_granted(s, f, r);
    } else if (r->kind == REC_STARTED) {
        f->started = f->started_attempt[r->attempt] = true;
    } else if (r->kind == REC_REPORTED) {
        SIM_CHECK(s, r->step > f->last_step, "trial %llu/%llu attempt %u: steps do not rise (I4)",
                  WHO(r));
        f->last_step = f->durable[r->attempt] = r->step;
    } else if (r->kind == REC_CLOSED) {
        on_closed(s, f, r);
    } else if (r->kind == REC_FINISHED) {
        SIM_CHECK(s, !f->open || r->attempt == f->attempt,
                  "trial %llu/%llu: attempt %u ends another's trial (I5)", WHO(r));
        f->ended = true;
        f->open = false;
        f->final_attempt = r->attempt;
    }
}

static void read_journal(struct sim *s, struct idmap *fates)
{
    uint64_t next_trial[SIM_STUDIES + 1] = {0}, next_draw[SIM_STUDIES + 1] = {0},
                                      study_seq[SIM_STUDIES + 1] = {0};
    bool paused[SIM_STUDIES + 1] = {false};
    struct arena a;
    arena_init(&a, 0);
    for (size_t i = 0; i < disk_records(s); i++) {
        struct record r;
        arena_clear(&a);
        disk_record(s, i, &r, &a);
        SIM_CHECK(s, r.study <= SIM_STUDIES, "a record of study %llu", (unsigned long long)r.study);
        if (r.study == 0)
            continue;
        study_seq[r.study]++;
        SIM_CHECK(s, r.study_seq == study_seq[r.study],
                  "record %zu (%s): study_seq %llu of study %llu comes in place of %llu", i + 1,
                  record_kind_name(r.kind), (unsigned long long)r.study_seq,
                  (unsigned long long)r.study, (unsigned long long)study_seq[r.study]);
        if (r.kind == REC_PROPOSED || r.kind == REC_ENQUEUED) {
            SIM_CHECK(s, r.trial == next_trial[r.study]++, "trial numbers have a gap (I11)");
            SIM_CHECK(s, r.kind == REC_ENQUEUED || r.number == next_draw[r.study]++,
                      "draws have a gap (I11)");
            fate_of(fates, &r, true);
        } else if (r.kind == REC_STUDY_PAUSED || r.kind == REC_STUDY_RESUMED) {
            paused[r.study] = r.kind == REC_STUDY_PAUSED;
        } else if (r.kind >= REC_GRANTED) {
            SIM_CHECK(s, r.kind != REC_GRANTED || r.code == 1 || !paused[r.study],
                      "trial %llu/%llu attempt %u is granted in a paused study", WHO(&r));
            struct fate *f = fate_of(fates, &r, false);
            SIM_CHECK(s, f != NULL, "a record of a trial that was never made");
            on_trial_record(s, f, &r);
        }
    }
    arena_fini(&a);
}

/* I1: by the fates; an ACK of FINAL may be for the attempt that finished or for one that ended in
 * another way. */
static void check_acks(struct sim *s, struct idmap *fates)
{
    for (size_t i = 0; i < s->n_acks; i++) {
        const struct sim_ack *a = &s->acks[i];
        struct fate *f = idmap_get(fates, key(a->study, a->trial));
        SIM_CHECK(s, f && a->attempt < 64,
                  "an acknowledged trial %llu/%llu is not in the journal (I1)",
                  (unsigned long long)a->study, (unsigned long long)a->trial);
        bool held = true;
        if (a->of == MSG_START)
            held = f->attempt >= a->attempt;
        else if (a->of == MSG_REPORT)
            held = f->durable[a->attempt] >= a->step || a->step < 0;
        else if (a->of == MSG_FINAL || a->of == MSG_RELEASE)
            held = f->closed_attempt[a->attempt] || (f->ended && f->final_attempt >= a->attempt);
        SIM_CHECK(
            s, held,
            "%s of trial %llu/%llu attempt %u was acknowledged and is not in the journal (I1)",
            message_name(a->of), (unsigned long long)a->study, (unsigned long long)a->trial,
            a->attempt);
    }
}

static bool same_details(const struct trial_image *p, const struct trial_image *q)
{
    return p->lost == q->lost && p->crashes == q->crashes && p->has_value == q->has_value &&
           p->has_step == q->has_step && p->step == q->step &&
           (!p->has_value || memcmp(&p->value, &q->value, sizeof p->value) == 0);
}

/* `values`: of a finished trial whose row is written, the farm keeps the state alone. */
static void check_same(struct sim *s, const struct trial_image *p, const struct trial_image *q,
                       bool values, const char *what)
{
    SIM_CHECK(s,
              p->state == q->state && p->attempt == q->attempt && p->seq == q->seq &&
                  (!values || same_details(p, q)),
              "trial %llu/%llu: %s and the journal's fold differ (I20): %s/%s attempt %u/%u lost "
              "%u/%u crashes "
              "%u/%u step %lld/%lld value %g/%g seq %llu/%llu",
              (unsigned long long)q->study, (unsigned long long)q->number, what,
              trial_state_name(p->state), trial_state_name(q->state), p->attempt, q->attempt,
              p->lost, q->lost, p->crashes, q->crashes, (long long)p->step, (long long)q->step,
              p->has_value ? p->value : 0, q->has_value ? q->value : 0, (unsigned long long)p->seq,
              (unsigned long long)q->seq);
}

static void check_fold(struct sim *s, struct idmap *fates)
{
    struct farm *journal = broker_fold(s, false), *rows = broker_fold(s, true);
    for (size_t i = 0; i < fates->used; i++) {
        uint64_t id = fates->entries[i].id;
        uint64_t study = id >> 32, trial = id & 0xffffffff;
        struct trial_image live, folded, loaded, row;
        SIM_CHECK(s,
                  farm_trial(s->farm, study, trial, &live) &&
                      farm_trial(rows, study, trial, &loaded) &&
                      farm_trial(journal, study, trial, &folded),
                  "a trial is missing in a fold (I20)");
        check_same(s, &live, &folded, !trial_state_final(folded.state), "the live state");
        check_same(s, &loaded, &folded, !trial_state_final(folded.state),
                   "rows with the journal's tail");
        if (disk_trial(s, study, trial, &row) && row.seq == folded.seq)
            check_same(s, &row, &folded, true, "the row");
    }
    farm_free(journal);
    farm_free(rows);
}

void oracle_end(struct sim *s)
{
    struct errmsg em;
    SIM_CHECK(s, farm_check(s->farm, &em) == ERR_OK, "farm_check at the end: %s", em.text);
    struct idmap fates;
    idmap_init(&fates);
    read_journal(s, &fates);
    check_acks(s, &fates);
    check_fold(s, &fates);
    size_t pos = 0;
    struct fate *f;
    while ((f = idmap_next(&fates, &pos)) != NULL) {
        SIM_CHECK(s, f->ended, "a trial has not ended (I14)");
        free(f);
    }
    idmap_fini(&fates);
}
