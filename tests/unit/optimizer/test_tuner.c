/* The study loop: proposals, records, stop rules, and that a restart changes nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rng.h"
#include "tuner.h"

#define SPACE                                                                                      \
    "{\"x\":{\"float\":[0,1]},\"lr\":{\"float\":[1e-5,1],\"log\":true},"                           \
    "\"act\":{\"choice\":[\"relu\",{\"gelu\":{\"s\":{\"float\":[0.5,2]}}}]},\"k\":{\"int\":[1,8]}" \
    "}"

struct bed {
    struct spec *spec;
    struct tuner *tuner;
    uint64_t seq;
};

static struct spec *spec_of(const char *members, bool maximize)
{
    char text[2048];
    struct spec *s = NULL;
    struct errmsg em = {""};
    snprintf(text, sizeof text,
             "{\"study\":\"s\",\"objective\":{\"command\":[\"x\"],\"direction\":\"%s\"},%s}",
             maximize ? "maximize" : "minimize", members);
    if (spec_parse(str_of(text), &s, &em))
        fail_msg("%s", em.text);
    return s;
}

static void open_bed(struct bed *b, const char *members, bool maximize)
{
    struct errmsg em = {""};
    *b = (struct bed){.spec = spec_of(members, maximize)};
    if (tuner_new(&b->tuner, b->spec, &em))
        fail_msg("%s", em.text);
}

static void close_bed(struct bed *b)
{
    tuner_free(b->tuner);
    spec_free(b->spec);
}

static void apply(struct bed *b, struct record r)
{
    struct errmsg em = {""};
    r.study_seq = ++b->seq;
    assert_int_equal(tuner_on_record(b->tuner, &r, &em), ERR_OK);
}

static void proposed(struct bed *b, uint64_t trial, const struct tuner_proposal *p)
{
    char text[1024];
    assert_true(str_copyz(text, sizeof text, p->params));
    apply(b, (struct record){
                 .kind = REC_PROPOSED, .trial = trial, .number = p->draw, .text = str_of(text)});
}

static void ask_one(struct bed *b, uint64_t trial)
{
    struct tuner_proposal p;
    assert_int_equal(tuner_ask(b->tuner, 1, &p), 1);
    proposed(b, trial, &p);
}

static void finished(struct bed *b, uint64_t trial, uint8_t code, double value)
{
    apply(b, (struct record){.kind = REC_FINISHED,
                             .trial = trial,
                             .code = code,
                             .has_value = code == TRIAL_COMPLETE,
                             .value = value});
}

static const char *verdict(const struct bed *b, bool *stop_running)
{
    return tuner_verdict(b->tuner, stop_running);
}

static void proposals_are_numbered_and_counted(void **state)
{
    (void)state;
    struct bed b;
    struct tuner_proposal p[4];
    open_bed(&b, "\"space\":" SPACE ",\"sampler\":{\"name\":\"tpe\",\"seed\":3}", false);
    tuner_on_upto(b.tuner, 17);
    assert_int_equal(tuner_ask(b.tuner, 4, p), 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(p[i].draw, i);
        assert_int_equal(p[i].based_on, 17);
        assert_int_equal(p[i].behind, i);
        assert_true(p[i].params.p[0] == '{' && p[i].why.p[0] == '{');
    }
    assert_int_equal(history_outcomes(tuner_history(b.tuner), OUTCOME_PENDING), 4);
    close_bed(&b);
}

static void ask_n_is_n_times_ask_1(void **state)
{
    (void)state;
    struct bed a, b;
    struct tuner_proposal all[60], one;
    open_bed(&a, "\"space\":" SPACE ",\"sampler\":{\"seed\":3}", false);
    open_bed(&b, "\"space\":" SPACE ",\"sampler\":{\"seed\":3}", false);
    assert_int_equal(tuner_ask(a.tuner, 60, all), 60);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(tuner_ask(b.tuner, 1, &one), 1);
        assert_true(str_eq(all[i].params, one.params));
        assert_true(str_eq(all[i].why, one.why));
        assert_int_equal(all[i].behind, one.behind);
    }
    close_bed(&a);
    close_bed(&b);
}

/* ---- restart ---- */

#define MOST 4000
struct journal {
    struct record v[MOST];
    char text[MOST][300];
    size_t n;
};

static void write_down(struct journal *j, struct bed *b, struct record r)
{
    assert_true(j->n < MOST);
    struct record *k = &j->v[j->n];
    *k = r;
    k->study_seq = j->n + 1;
    if (r.text.n) {
        assert_true(str_copyz(j->text[j->n], sizeof j->text[0], r.text));
        k->text = str_of(j->text[j->n]);
    }
    j->n++;
    struct errmsg em = {""};
    assert_int_equal(tuner_on_record(b->tuner, k, &em), ERR_OK);
}

struct sent {
    uint64_t draw;
    char params[300];
};

/* A tuner that reads the journal afterwards, with the n earlier draws that were on their way
 * pending behind it, makes the same proposal. */
static void assert_replays(const struct journal *j, const struct sent *sent, size_t n,
                           uint64_t trials, const struct tuner_proposal *want, const char *members)
{
    struct bed b;
    struct errmsg em = {""};
    struct tuner_proposal p;
    open_bed(&b, members, true);
    for (size_t i = 0; i < j->n; i++)
        assert_int_equal(tuner_on_record(b.tuner, &j->v[i], &em), ERR_OK);
    for (size_t i = 0; i < n; i++) {
        struct record r = {.kind = REC_PROPOSED,
                           .trial = trials + i,
                           .number = sent[i].draw,
                           .text = str_of(sent[i].params)};
        assert_int_equal(tuner_on_record(b.tuner, &r, &em), ERR_OK);
    }
    assert_int_equal(tuner_ask(b.tuner, 1, &p), 1);
    assert_int_equal(p.draw, want->draw);
    assert_true(str_eq(p.params, want->params));
    assert_true(str_eq(p.why, want->why));
    assert_int_equal(p.behind, want->behind);
    assert_int_equal(p.based_on, want->based_on);
    close_bed(&b);
}

static void random_event(struct journal *j, struct bed *b, struct rng *r, uint64_t trials)
{
    uint64_t t = trials ? rng_below(r, trials) : 0;
    if (!trials || !tuner_pending(b->tuner, t))
        return;
    uint64_t what = rng_below(r, 8);
    struct record f = {.kind = REC_FINISHED, .trial = t, .code = TRIAL_COMPLETE, .has_value = true};
    f.value = rng_below(r, 20) == 0 ? (double)NAN : rng_unit(r);
    if (what == 0) {
        f.code = (uint8_t)(TRIAL_PRUNED + rng_below(r, 3));
        f.has_value = false;
    } else if (what < 3) {
        f = (struct record){
            .kind = REC_REPORTED, .trial = t, .step = 1, .has_value = true, .value = 1};
    } else if (what == 3) {
        f = (struct record){.kind = REC_CLOSED, .trial = t, .attempt = 1};
    }
    write_down(j, b, f);
}

/* Records of proposals come late, in bunches, with a person's points in between. */
static void a_restart_changes_nothing(void **state)
{
    (void)state;
    const char *members = "\"space\":" SPACE ",\"sampler\":{\"name\":\"tpe\",\"seed\":9}";
    struct journal *j = calloc(1, sizeof *j);
    struct bed b;
    struct rng r;
    static struct sent queue[MOST];
    size_t first = 0, n = 0;
    uint64_t trials = 0;
    rng_seed(&r, 21);
    open_bed(&b, members, true);
    for (int turn = 0; turn < 500; turn++) {
        struct tuner_proposal p;
        for (uint64_t k = rng_below(&r, 3); k > 0 && n - first < 12; k--) {
            assert_int_equal(tuner_ask(b.tuner, 1, &p), 1);
            if (rng_below(&r, 12) == 0)
                assert_replays(j, queue + first, n - first, trials, &p, members);
            queue[n].draw = p.draw;
            assert_true(str_copyz(queue[n++].params, sizeof queue[0].params, p.params));
        }
        for (uint64_t k = rng_below(&r, 4); k > 0 && first < n; k--, first++)
            write_down(j, &b,
                       (struct record){.kind = REC_PROPOSED,
                                       .trial = trials++,
                                       .number = queue[first].draw,
                                       .text = str_of(queue[first].params)});
        if (rng_below(&r, 25) == 0)
            write_down(j, &b,
                       (struct record){
                           .kind = REC_ENQUEUED,
                           .trial = trials++,
                           .text = turn % 2
                                       ? STR("{\"x\":0.5,\"lr\":0.01,\"act\":\"relu\",\"k\":2}")
                                       : STR("{\"x\":7}")});
        for (uint64_t k = rng_below(&r, 4); k > 0; k--)
            random_event(j, &b, &r, trials);
    }
    assert_true(trials > 400);
    close_bed(&b);
    free(j);
}

/* ---- maximise, best ---- */

static void maximise_turns_the_sign_here_only(void **state)
{
    (void)state;
    struct bed b;
    struct tuner_best best;
    open_bed(&b, "\"space\":" SPACE ",\"stop\":{\"target\":0.9}", true);
    assert_false(tuner_best(b.tuner, &best));
    ask_one(&b, 0);
    ask_one(&b, 1);
    ask_one(&b, 2);
    finished(&b, 0, TRIAL_COMPLETE, 0.5);
    finished(&b, 1, TRIAL_COMPLETE, 0.7);
    assert_true(tuner_best(b.tuner, &best));
    assert_int_equal(best.trial, 1);
    assert_true(best.loss == 0.7);
    assert_true(history_loss(tuner_history(b.tuner), 1) == -0.7);
    bool stop;
    assert_null(verdict(&b, &stop));
    finished(&b, 2, TRIAL_COMPLETE, 0.9);
    assert_string_equal(verdict(&b, &stop), "target");
    assert_true(stop);
    close_bed(&b);
}

static void a_missing_final_value_is_the_last_report(void **state)
{
    (void)state;
    struct bed b;
    struct tuner_best best;
    open_bed(&b, "\"space\":" SPACE, false);
    ask_one(&b, 0);
    ask_one(&b, 1);
    apply(&b, (struct record){
                  .kind = REC_REPORTED, .trial = 0, .step = 4, .has_value = true, .value = 0.25});
    apply(&b, (struct record){.kind = REC_FINISHED, .trial = 0, .code = TRIAL_COMPLETE});
    apply(&b, (struct record){.kind = REC_FINISHED, .trial = 1, .code = TRIAL_COMPLETE});
    assert_true(tuner_best(b.tuner, &best) && best.loss == 0.25);
    assert_int_equal(history_outcome(tuner_history(b.tuner), 1), OUTCOME_FAILED);
    assert_int_equal(history_step(tuner_history(b.tuner), 0), 4);
    close_bed(&b);
}

/* ---- stop rules ---- */

static void trials_end_proposals_but_not_runs(void **state)
{
    (void)state;
    struct bed b;
    struct tuner_proposal p[8];
    bool stop;
    open_bed(&b, "\"space\":" SPACE ",\"stop\":{\"trials\":5}", false);
    assert_int_equal(tuner_ask(b.tuner, 3, p), 3);
    assert_null(verdict(&b, &stop));
    for (uint64_t i = 0; i < 3; i++)
        proposed(&b, i, &p[i]);
    finished(&b, 1, TRIAL_CANCELLED, 0); /* a cancelled one does not count */
    assert_int_equal(tuner_ask(b.tuner, 8, p), 3);
    for (uint64_t i = 0; i < 3; i++)
        proposed(&b, 3 + i, &p[i]);
    assert_string_equal(verdict(&b, &stop), "trials");
    assert_false(stop);
    assert_int_equal(tuner_ask(b.tuner, 1, p), 0);
    close_bed(&b);
}

static void plateau_counts_trials_without_progress(void **state)
{
    (void)state;
    struct bed b;
    bool stop;
    open_bed(&b, "\"space\":" SPACE ",\"stop\":{\"plateau\":{\"trials\":3,\"delta\":0.1}}", false);
    const double losses[] = {1, 0.95, 0.92, 0.8, 0.79, 0.75, 0.71};
    for (uint64_t i = 0; i < 7; i++) {
        assert_null(verdict(&b, &stop));
        ask_one(&b, i);
        finished(&b, i, TRIAL_COMPLETE, losses[i]);
    }
    assert_string_equal(verdict(&b, &stop), "plateau");
    assert_true(stop);
    close_bed(&b);
}

static void time_ends_everything(void **state)
{
    (void)state;
    struct bed b;
    bool stop;
    open_bed(&b, "\"space\":" SPACE ",\"stop\":{\"time\":\"2s\"}", false);
    tuner_on_elapsed(b.tuner, INT64_C(1999999999));
    assert_null(verdict(&b, &stop));
    tuner_on_elapsed(b.tuner, INT64_C(2000000000));
    assert_string_equal(verdict(&b, &stop), "time");
    assert_true(stop);
    close_bed(&b);
}

static void an_exhausted_grid_closes_when_its_records_are_in(void **state)
{
    (void)state;
    struct bed b;
    struct tuner_proposal p[8];
    bool stop;
    open_bed(&b, "\"space\":{\"k\":{\"int\":[1,3]}},\"sampler\":{\"name\":\"grid\"}", false);
    apply(&b, (struct record){.kind = REC_ENQUEUED, .trial = 0, .text = STR("{\"k\":2}")});
    assert_int_equal(tuner_ask(b.tuner, 8, p), 2);
    assert_true(str_is(p[0].params, "{\"k\":1}") && str_is(p[1].params, "{\"k\":3}"));
    assert_null(verdict(&b, &stop));
    proposed(&b, 1, &p[0]);
    proposed(&b, 2, &p[1]);
    assert_string_equal(verdict(&b, &stop), "exhausted");
    assert_false(stop);
    close_bed(&b);
}

static void a_closed_study_forgets_what_was_on_its_way(void **state)
{
    (void)state;
    struct bed b;
    struct tuner_proposal p[4];
    open_bed(&b, "\"space\":" SPACE, false);
    assert_int_equal(tuner_ask(b.tuner, 3, p), 3);
    proposed(&b, 0, &p[0]);
    apply(&b, (struct record){.kind = REC_STUDY_CLOSED});
    assert_int_equal(tuner_ask(b.tuner, 1, p), 0);
    assert_int_equal(history_outcomes(tuner_history(b.tuner), OUTCOME_PENDING), 1);
    apply(&b, (struct record){.kind = REC_STUDY_OPENED});
    assert_int_equal(tuner_ask(b.tuner, 1, p), 1);
    assert_int_equal(p[0].draw, 1);
    close_bed(&b);
}

/* ---- what does not fit ---- */

static void contradictions_are_ignored(void **state)
{
    (void)state;
    struct bed b;
    struct tuner_best best;
    struct errmsg em = {""};
    open_bed(&b, "\"space\":" SPACE, false);
    finished(&b, 5, TRIAL_COMPLETE, 1); /* unknown */
    ask_one(&b, 0);
    finished(&b, 0, TRIAL_COMPLETE, 1);
    finished(&b, 0, TRIAL_COMPLETE, 0.1); /* twice */
    apply(&b, (struct record){.kind = REC_REPORTED, .trial = 0, .has_value = true, .value = 3});
    apply(&b, (struct record){.kind = REC_PROPOSED, .trial = 0, .text = STR("{}")});
    apply(&b,
          (struct record){.kind = REC_PROPOSED, .trial = 1, .number = 1, .text = STR("{\"x\":")});
    apply(&b, (struct record){.kind = 250, .trial = 1});
    finished(&b, 1, TRIAL_COMPLETE, 0.5); /* foreign point: a result all the same */
    assert_true(tuner_best(b.tuner, &best));
    assert_int_equal(best.trial, 1);
    assert_int_equal(history_count(tuner_history(b.tuner)), 1);
    struct record far = {.kind = REC_ENQUEUED, .trial = HISTORY_MAX_TRIALS};
    assert_int_equal(tuner_on_record(b.tuner, &far, &em), ERR_LIMIT);
    close_bed(&b);
}

static void an_unknown_sampler_is_named(void **state)
{
    (void)state;
    struct spec *s = spec_of("\"space\":" SPACE ",\"sampler\":{\"name\":\"tpee\"}", false);
    struct tuner *t = NULL;
    struct errmsg em = {""};
    assert_int_equal(tuner_new(&t, s, &em), ERR_INVALID);
    assert_string_equal(em.text,
                        "sampler.name: there is no sampler \"tpee\"; did you mean \"tpe\"?; "
                        "known: tpe, random, grid");
    spec_free(s);
}

/* A trial that was given back is pending as before; nothing of the model hangs on it. */
static void interrupted_trials(void **state)
{
    (void)state;
    struct bed b;
    struct tuner_proposal p[3];
    open_bed(&b, "\"space\":" SPACE ",\"sampler\":{\"name\":\"random\"}", false);
    assert_int_equal(tuner_ask(b.tuner, 2, p), 2);
    struct record first = {
        .kind = REC_PROPOSED, .trial = 0, .number = p[0].draw, .text = p[0].params};
    struct record second = {
        .kind = REC_PROPOSED, .trial = 1, .number = p[1].draw, .text = p[1].params};
    struct buf texts[2];
    for (int i = 0; i < 2; i++) { /* they live until the next record only */
        buf_init(&texts[i], 0);
        buf_add(&texts[i], p[i].params.p, p[i].params.n);
    }
    first.text = buf_str(&texts[0]);
    second.text = buf_str(&texts[1]);
    apply(&b, first);
    apply(&b, second);
    apply(&b, (struct record){
                  .kind = REC_REPORTED, .trial = 0, .step = 3, .has_value = true, .value = 2});
    apply(&b, (struct record){.kind = REC_CHECKPOINTED, .trial = 0, .attempt = 1, .step = 3});
    for (int i = 0; i < 2; i++)
        apply(&b, (struct record){.kind = REC_CLOSED, .trial = 0, .code = CLOSE_RELEASED});
    apply(&b, (struct record){.kind = REC_CLOSED, .trial = 1, .code = CLOSE_EXPIRED});
    apply(&b, (struct record){.kind = REC_CLOSED, .trial = 7, .code = CLOSE_EXPIRED});
    assert_int_equal(tuner_interrupted(b.tuner), 2);
    assert_true(tuner_pending(b.tuner, 0) && tuner_pending(b.tuner, 1));
    assert_true(history_step(tuner_history(b.tuner), 0) == 3);
    assert_int_equal(history_outcomes(tuner_history(b.tuner), OUTCOME_PENDING), 2);
    apply(&b, (struct record){
                  .kind = REC_REPORTED, .trial = 0, .step = 4, .has_value = true, .value = 1});
    apply(&b, (struct record){.kind = REC_FINISHED,
                              .trial = 1,
                              .code = TRIAL_COMPLETE,
                              .has_value = true,
                              .value = 1});
    apply(&b, (struct record){.kind = REC_CLOSED, .trial = 1, .code = CLOSE_EXPIRED});
    assert_int_equal(tuner_interrupted(b.tuner), 0);
    assert_false(tuner_pending(b.tuner, 1));
    for (int i = 0; i < 2; i++)
        buf_fini(&texts[i]);
    close_bed(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proposals_are_numbered_and_counted),
        cmocka_unit_test(ask_n_is_n_times_ask_1),
        cmocka_unit_test(a_restart_changes_nothing),
        cmocka_unit_test(maximise_turns_the_sign_here_only),
        cmocka_unit_test(a_missing_final_value_is_the_last_report),
        cmocka_unit_test(trials_end_proposals_but_not_runs),
        cmocka_unit_test(plateau_counts_trials_without_progress),
        cmocka_unit_test(time_ends_everything),
        cmocka_unit_test(an_exhausted_grid_closes_when_its_records_are_in),
        cmocka_unit_test(a_closed_study_forgets_what_was_on_its_way),
        cmocka_unit_test(contradictions_are_ignored),
        cmocka_unit_test(an_unknown_sampler_is_named),
        cmocka_unit_test(interrupted_trials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
