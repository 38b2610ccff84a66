/* The replay of a journal: a study is driven by a tuner as a farm would, with restarts, points of a
 * person and late records; what it proposed must come again, and what was altered must be named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "alloc.h"
#include "replay.h"
#include "rng.h"
#include "tuner.h"

#define SPEC                                                                                       \
    "{\"study\":\"s\",\"objective\":{\"command\":[\"x\"]},\"sampler\":{\"seed\":5},"               \
    "\"space\":{\"x\":{\"float\":[0,%s]},\"c\":{\"choice\":[\"a\",{\"b\":{\"y\":{\"int\":[1,9]}}}" \
    "]}}}"
#define MAX 1000

struct journal {
    const char *text; /* of the specification in force */
    struct spec *spec;
    struct tuner *tuner;
    struct rng rng;
    struct record v[MAX]; /* texts owned */
    struct proposal made[MAX];
    uint64_t n, n_made, trials;
    uint64_t running[64], n_running;
    struct proposal flying[16]; /* made, and not recorded yet; texts owned */
    uint32_t n_flying;
};

static void restart(struct journal *j)
{
    struct errmsg em = {""};
    tuner_free(j->tuner);
    spec_free(j->spec);
    if (spec_parse(str_of(j->text), &j->spec, &em) || tuner_new(&j->tuner, j->spec, &em))
        fail_msg("%s", em.text);
    for (uint64_t i = 0; i < j->n; i++)
        assert_int_equal(tuner_on_record(j->tuner, &j->v[i], &em), ERR_OK);
    for (uint32_t i = 0; i < j->n_flying; i++) { /* they never were */
        free((char *)j->flying[i].params.p);
        free((char *)j->flying[i].why.p);
    }
    j->n_flying = 0;
}

static void record(struct journal *j, struct record r)
{
    struct errmsg em;
    r.study_seq = j->n + 1;
    j->v[j->n++] = r;
    assert_int_equal(tuner_on_record(j->tuner, &r, &em), ERR_OK);
}

static struct str keep(struct str s)
{
    return str_make(str_dupz(s), s.n);
}

static void ask(struct journal *j, uint32_t n)
{
    struct tuner_proposal p;
    for (uint32_t i = 0; i < n && j->n_flying < 16; i++) {
        assert_int_equal(tuner_ask(j->tuner, 1, &p), 1);
        j->flying[j->n_flying++] = (struct proposal){.draw = p.draw,
                                                     .params = keep(p.params),
                                                     .why = keep(p.why),
                                                     .based_on = p.based_on,
                                                     .behind = p.behind};
    }
}

static void land(struct journal *j)
{
    for (uint32_t i = 0; i < j->n_flying; i++) {
        const struct proposal *p = &j->flying[i];
        record(j, (struct record){.kind = REC_PROPOSED,
                                  .trial = j->trials,
                                  .text = p->params,
                                  .note = p->why,
                                  .number = p->draw,
                                  .based_on = p->based_on,
                                  .behind = p->behind});
        j->made[j->n_made++] = *p;
        j->running[j->n_running++] = j->trials++;
    }
    j->n_flying = 0;
}

static void finish_one(struct journal *j)
{
    uint64_t i = j->n_running ? rng_below(&j->rng, j->n_running) : 0;
    if (!j->n_running)
        return;
    uint64_t trial = j->running[i];
    j->running[i] = j->running[--j->n_running];
    record(j, (struct record){.kind = REC_FINISHED,
                              .trial = trial,
                              .code = TRIAL_COMPLETE,
                              .has_value = true,
                              .value = rng_unit(&j->rng)});
}

/* Whatever may happen, in an order that the seed gives. */
static void live(struct journal *j, uint64_t proposals)
{
    while (j->n_made < proposals) {
        switch (rng_below(&j->rng, 8)) {
        case 0:
        case 1:
            ask(j, 1 + (uint32_t)rng_below(&j->rng, 4));
            break;
        case 2:
        case 3:
            if (j->n_running < 40)
                land(j);
            break;
        case 4:
            if (rng_below(&j->rng, 4) == 0)
                restart(j);
            break;
        case 5:
            record(j, (struct record){.kind = REC_ENQUEUED,
                                      .trial = j->trials++,
                                      .text = keep(STR("{\"x\":0.5,\"c\":\"a\"}"))});
            break;
        default:
            finish_one(j);
        }
    }
}

static void begin(struct journal *j, const char *text, uint64_t seed)
{
    *j = (struct journal){.text = text};
    rng_seed(&j->rng, seed);
    restart(j);
}

static void end(struct journal *j)
{
    restart(j);
    for (uint64_t i = 0; i < j->n; i++) {
        free((char *)j->v[i].text.p);
        free((char *)j->v[i].note.p);
    }
    tuner_free(j->tuner);
    spec_free(j->spec);
}

static void replay_part(struct replay *r, const struct journal *j, const char *text, uint64_t from,
                        uint64_t to)
{
    struct errmsg em = {""};
    if (replay_spec(r, str_of(text), &em))
        fail_msg("%s", em.text);
    for (uint64_t i = from; i < to; i++)
        assert_int_equal(replay_expect(r, &j->made[i], &em), ERR_OK);
    for (uint64_t i = 0; i < j->n; i++)
        assert_int_equal(replay_record(r, &j->v[i], &em), ERR_OK);
}

static bool replay_says(struct replay *r, const char *part)
{
    struct buf out;
    buf_init(&out, 0);
    replay_end(r);
    replay_write(r, &out);
    bool there = strstr(buf_z(&out), part) != NULL;
    if (!there)
        print_error("%s\n", buf_z(&out));
    buf_fini(&out);
    return there;
}

static void text_of(char out[512], const char *high)
{
    snprintf(out, 512, SPEC, high);
}

static void what_was_lived_comes_again(void **state)
{
    char text[512];
    (void)state;
    text_of(text, "1");
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct journal *j = alloc_zero(sizeof *j);
        struct replay *r = replay_new();
        begin(j, text, seed);
        live(j, 80);
        replay_part(r, j, text, 0, j->n_made);
        assert_true(replay_says(r, "\"reasons\":0,\"difference\":null"));
        assert_true(replay_equal(r));
        replay_free(r);
        end(j);
        free(j);
    }
}

static void a_changed_specification_begins_anew(void **state)
{
    char first[512], second[512];
    (void)state;
    text_of(first, "1");
    text_of(second, "2");
    struct journal *j = alloc_zero(sizeof *j);
    struct replay *r = replay_new();
    begin(j, first, 3);
    live(j, 40);
    uint64_t part = j->n_made;
    record(j, (struct record){.kind = REC_SPEC_ADDED});
    j->text = second;
    restart(j);
    live(j, 80);
    replay_part(r, j, first, 0, part);
    replay_part(r, j, second, part, j->n_made);
    assert_true(replay_says(r, "\"difference\":null"));
    replay_free(r);
    r = replay_new();
    replay_part(r, j, first, 0, j->n_made); /* the second part under the wrong one */
    assert_true(replay_says(r, "\"what\":"));
    assert_false(replay_equal(r));
    replay_free(r);
    end(j);
    free(j);
}

static void an_altered_one_is_named(void **state)
{
    char text[512], part[64];
    (void)state;
    text_of(text, "1");
    struct journal *j = alloc_zero(sizeof *j);
    begin(j, text, 9);
    live(j, 60);
    static const char *const what[] = {"params", "behind", "based_on", "draw"};
    for (int k = 0; k < 4; k++) {
        struct replay *r = replay_new();
        struct proposal was = j->made[30], *p = &j->made[30];
        if (k == 0)
            p->params = STR("{\"x\":");
        else if (k == 1)
            p->behind++;
        else if (k == 2)
            p->based_on = 0;
        else
            p->draw++;
        replay_part(r, j, text, 0, j->n_made);
        snprintf(part, sizeof part, "\"what\":\"%s\"", what[k]);
        assert_true(replay_says(r, part));
        assert_true(replay_says(r, k == 0 ? "\"expected\":\"{\\\"x\\\":\"" : "\"proposals\":31"));
        replay_free(r);
        *p = was;
    }
    end(j);
    free(j);
}

static void another_reason_is_counted_only(void **state)
{
    char text[512];
    (void)state;
    text_of(text, "1");
    struct journal *j = alloc_zero(sizeof *j);
    struct replay *r = replay_new();
    begin(j, text, 4);
    live(j, 30);
    struct str was = j->made[7].why;
    j->made[7].why = STR("{}");
    replay_part(r, j, text, 0, j->n_made);
    assert_true(replay_says(r, "\"reasons\":1,\"difference\":null"));
    j->made[7].why = was;
    replay_free(r);
    end(j);
    free(j);
}

static void order_is_checked(void **state)
{
    (void)state;
    struct errmsg em;
    struct replay *r = replay_new();
    struct record record = {.kind = REC_STUDY_OPENED};
    struct proposal p = {0};
    assert_int_equal(replay_record(r, &record, &em), ERR_INVALID);
    assert_int_equal(replay_expect(r, &p, &em), ERR_INVALID);
    assert_int_equal(replay_spec(r, STR("{}"), &em), ERR_INVALID);
    assert_int_equal(replay_record(r, &record, &em), ERR_INVALID);
    assert_true(replay_says(r, "\"proposals\":0"));
    replay_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_lived_comes_again),
        cmocka_unit_test(a_changed_specification_begins_anew),
        cmocka_unit_test(an_altered_one_is_named),
        cmocka_unit_test(another_reason_is_counted_only),
        cmocka_unit_test(order_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
