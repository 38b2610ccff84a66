/* What every sampler owes, run over each row of the registry and each preset of a row: legal
 * points, no trace of the way to a state, no effect of a question on the next, an end where the
 * space ends, settings checked. */
#include <json-c/json.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "json.h"
#include "sampler.h"

#define MIXED                                                                                      \
    "{\"x\":{\"float\":[-1,2]},\"lr\":{\"float\":[1e-5,1],\"log\":true},"                          \
    "\"beta\":{\"float\":[0,0.999],\"log\":\"reverse\"},\"k\":{\"int\":[1,9]},"                    \
    "\"u\":{\"int\":[16,512],\"log\":true,\"step\":16},\"g\":{\"float\":[0,1],\"step\":0.25},"     \
    "\"act\":{\"choice\":[\"relu\",\"tanh\",\"gelu\"]},"                                           \
    "\"opt\":{\"choice\":[{\"sgd\":{\"momentum\":{\"float\":[0,0.99]}}},"                          \
    "{\"adam\":{\"b2\":{\"int\":[1,3]}}}]}}"
#define FINITE                                                                                     \
    "{\"k\":{\"int\":[1,3]},\"act\":{\"choice\":[\"relu\",\"tanh\"]},"                             \
    "\"n\":{\"int\":[0,4],\"step\":2,\"when\":{\"act\":[\"tanh\"]}}}"
#define FINITE_POINTS (3 * (1 + 3))

/* What is tested: a row of the registry, or one of its presets. */
struct subject {
    const struct sampler_ops *row, *preset; /* preset may be NULL */
};

struct bed {
    struct spec *spec;
    struct sampler *sampler;
    struct history *history;
    double *point;
    struct buf why;
};

static const char *extra_of(const struct subject *s)
{
    return strcmp(s->row->name, "grid") ? "" : ",\"points\":7";
}

static err_t open_bed(struct bed *b, const struct subject *s, const char *space, const char *extra,
                      struct errmsg *em)
{
    char text[4096], preset[100] = "";
    *b = (struct bed){0};
    if (s->preset)
        snprintf(preset, sizeof preset, ",\"preset\":\"%s\"", s->preset->name);
    snprintf(text, sizeof text,
             "{\"study\":\"s\",\"objective\":{\"command\":[\"x\"]},\"space\":%s,"
             "\"sampler\":{\"name\":\"%s\",\"seed\":7%s%s}}",
             space, s->row->name, preset, extra);
    err_t e = spec_parse(str_of(text), &b->spec, em);
    if (e)
        return e;
    e = s->row->create(&b->sampler, b->spec->space, &b->spec->sampler, false, em);
    b->history = history_new(b->spec->space);
    b->point = calloc(b->spec->space->n + 1, sizeof *b->point);
    buf_init(&b->why, 4096);
    return e;
}

static void close_bed(struct bed *b)
{
    if (b->sampler)
        b->sampler->ops->destroy(b->sampler);
    history_free(b->history);
    spec_free(b->spec);
    free(b->point);
    buf_fini(&b->why);
}

static void must_open(struct bed *b, const struct subject *s, const char *space)
{
    struct errmsg em = {""};
    if (open_bed(b, s, space, extra_of(s), &em))
        fail_msg("%s: %s", s->row->name, em.text);
}

static void observe(struct bed *b, uint64_t trial)
{
    b->sampler->ops->observe(b->sampler, b->history, trial);
}

static enum suggest_result suggest(struct bed *b, uint64_t draw)
{
    buf_clear(&b->why);
    return b->sampler->ops->suggest(b->sampler, b->history, draw, b->point, &b->why);
}

static void propose(struct bed *b, uint64_t trial, const double *point)
{
    history_propose(b->history, trial, point);
    observe(b, trial);
}

static void finish(struct bed *b, uint64_t trial, enum outcome o, double loss)
{
    history_finish(b->history, trial, o, loss);
    observe(b, trial);
}

static void assert_legal(struct bed *b)
{
    struct buf text;
    struct json_object *v = NULL;
    struct errmsg em = {""};
    double back[64];
    buf_init(&text, 0);
    space_write(b->spec->space, b->point, &text);
    assert_int_equal(json_parse(buf_str(&text), JSON_STRICT, &v, &em), ERR_OK);
    if (space_read(b->spec->space, v, back, &em))
        fail_msg("%s: %s", buf_z(&text), em.text);
    for (uint32_t i = 0; i < b->spec->space->n; i++) /* the text holds the same bits */
        assert_true(back[i] == b->point[i] || (isnan(back[i]) && isnan(b->point[i])));
    json_object_put(v);
    buf_fini(&text);
    assert_in_range(b->why.n, 2, 1024);
    assert_int_equal(json_parse(buf_str(&b->why), JSON_STRICT, &v, &em), ERR_OK);
    assert_true(json_object_is_type(v, json_type_object));
    json_object_put(v);
}

/* Some loss of a point, with ties and infinities. */
static double loss_of(const struct bed *b, uint64_t trial)
{
    const double *p = history_point(b->history, trial);
    if (trial % 17 == 3)
        return INFINITY;
    return p[0] * p[0] + (trial % 5 == 0 ? 0 : fabs(p[1]));
}

static void end_somehow(struct bed *b, uint64_t trial)
{
    switch (trial % 11) {
    case 2:
        history_report(b->history, trial, 1, 0.5);
        observe(b, trial);
        finish(b, trial, OUTCOME_PRUNED, (double)NAN);
        break;
    case 4:
        finish(b, trial, OUTCOME_FAILED, (double)NAN);
        break;
    case 6:
        finish(b, trial, OUTCOME_CANCELLED, (double)NAN);
        break;
    default:
        finish(b, trial, OUTCOME_COMPLETE, loss_of(b, trial));
    }
}

/* A study of n trials with at most `slots` pending; points[trial] is what was asked. Stops at
 * exhaustion. */
static uint64_t live(struct bed *b, uint64_t n, uint64_t slots, double (*points)[16])
{
    for (uint64_t t = 0; t < n; t++) {
        if (suggest(b, t) != SUGGEST_OK)
            return t;
        assert_legal(b);
        memcpy(points[t], b->point, b->spec->space->n * sizeof *b->point);
        propose(b, t, b->point);
        if (t + 1 >= slots)
            end_somehow(b, t + 1 - slots);
    }
    return n;
}

static void suggestions_are_legal(const struct subject *s)
{
    struct bed b;
    double points[400][16];
    must_open(&b, s, MIXED);
    assert_int_equal(live(&b, 400, 9, points), 400);
    close_bed(&b);
}

static void asking_changes_nothing(const struct subject *s)
{
    struct bed asked, quiet;
    double points[200][16];
    must_open(&asked, s, MIXED);
    must_open(&quiet, s, MIXED);
    for (uint64_t t = 0; t < 200; t++) {
        for (uint64_t k = 0; k < 3; k++)
            suggest(&asked, t + 50 * k + k);
        assert_int_equal(suggest(&asked, t), suggest(&quiet, t));
        assert_memory_equal(asked.point, quiet.point, asked.spec->space->n * sizeof(double));
        assert_true(str_eq(buf_str(&asked.why), buf_str(&quiet.why)));
        memcpy(points[t], quiet.point, quiet.spec->space->n * sizeof(double));
        propose(&asked, t, points[t]);
        propose(&quiet, t, points[t]);
        if (t >= 4) {
            end_somehow(&asked, t - 4);
            end_somehow(&quiet, t - 4);
        }
    }
    close_bed(&asked);
    close_bed(&quiet);
}

/* A fresh sampler that is told everything in another order, and of outcomes only at the end, asks
 * the same. */
static void history_restored_is_history_lived(const struct subject *s)
{
    struct bed lived, restored;
    static double points[600][16];
    const uint64_t sizes[] = {0, 1, 19, 30, 150, 330};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t n = sizes[i];
        must_open(&lived, s, MIXED);
        must_open(&restored, s, MIXED);
        assert_int_equal(live(&lived, n, 7, points), n);
        for (uint64_t t = 0; t < n; t++)
            propose(&restored, t, points[t]);
        for (uint64_t t = n; t-- > 0;)
            if (history_outcome(lived.history, t) != OUTCOME_PENDING)
                end_somehow(&restored, t);
        for (uint64_t draw = n; draw < n + 5; draw++) {
            assert_int_equal(suggest(&lived, draw), suggest(&restored, draw));
            assert_memory_equal(lived.point, restored.point, lived.spec->space->n * sizeof(double));
            assert_true(str_eq(buf_str(&lived.why), buf_str(&restored.why)));
        }
        close_bed(&lived);
        close_bed(&restored);
    }
}

/* Numbers that were only expected are taken back as if they had never been. */
static void retracted_is_never_proposed(const struct subject *s)
{
    struct bed b, clean;
    double points[120][16];
    must_open(&b, s, MIXED);
    must_open(&clean, s, MIXED);
    for (uint64_t t = 0; t < 120; t++) {
        for (uint64_t k = 0; k < 3; k++) {
            suggest(&b, 1000 + t * 3 + k);
            propose(&b, t + k, b.point);
            if (k == 1)
                suggest(&b, t); /* so that it stands in the model */
        }
        for (uint64_t k = 3; k-- > 0;) {
            history_retract(b.history, t + k);
            observe(&b, t + k);
        }
        assert_int_equal(suggest(&b, t), suggest(&clean, t));
        assert_memory_equal(b.point, clean.point, b.spec->space->n * sizeof(double));
        memcpy(points[t], clean.point, clean.spec->space->n * sizeof(double));
        propose(&b, t, points[t]);
        propose(&clean, t, points[t]);
        if (t >= 2) {
            end_somehow(&b, t - 2);
            end_somehow(&clean, t - 2);
        }
    }
    close_bed(&b);
    close_bed(&clean);
}

/* Small spaces: legal to the end; one that knows an end has asked for each point once. */
static void finite_spaces_end_or_go_on(const struct subject *s)
{
    struct bed b;
    double points[60][16];
    must_open(&b, s, FINITE);
    uint64_t n = live(&b, 60, 3, points);
    if (n < 60) {
        assert_int_equal(n, FINITE_POINTS);
        for (uint64_t i = 0; i < n; i++)
            for (uint64_t j = 0; j < i; j++)
                assert_memory_not_equal(points[i], points[j], b.spec->space->n * sizeof(double));
        assert_int_equal(suggest(&b, 5), SUGGEST_EXHAUSTED);
    }
    close_bed(&b);
}

static void everything_may_fail(const struct subject *s)
{
    struct bed b;
    must_open(&b, s, MIXED);
    for (uint64_t t = 0; t < 100; t++) {
        assert_int_equal(suggest(&b, t), SUGGEST_OK);
        assert_legal(&b);
        propose(&b, t, b.point);
        finish(&b, t, t % 2 ? OUTCOME_FAILED : OUTCOME_CANCELLED, (double)NAN);
    }
    close_bed(&b);
}

static void everything_may_be_pending(const struct subject *s)
{
    struct bed b;
    must_open(&b, s, MIXED);
    for (uint64_t t = 0; t < 150; t++) {
        assert_int_equal(suggest(&b, t), SUGGEST_OK);
        assert_legal(&b);
        propose(&b, t, b.point);
    }
    close_bed(&b);
}

/* One point again and again, and losses that are all the same. */
static void repetition_does_no_harm(const struct subject *s)
{
    struct bed b;
    must_open(&b, s, MIXED);
    assert_int_equal(suggest(&b, 0), SUGGEST_OK);
    double same[16];
    memcpy(same, b.point, b.spec->space->n * sizeof *same);
    for (uint64_t t = 0; t < 300; t++) {
        propose(&b, t, same);
        finish(&b, t, OUTCOME_COMPLETE, t % 2 ? -INFINITY : 1e300);
        assert_int_equal(suggest(&b, t), SUGGEST_OK);
        assert_legal(&b);
    }
    close_bed(&b);
}

static void a_setting_that_is_none_is_named(const struct subject *s)
{
    struct bed b;
    struct errmsg em = {""};
    char extra[200];
    snprintf(extra, sizeof extra, "%s,\"no_such_setting\":1", extra_of(s));
    assert_int_not_equal(open_bed(&b, s, MIXED, extra, &em), ERR_OK);
    assert_non_null(strstr(em.text, "sampler.no_such_setting"));
    close_bed(&b);
}

static void why_names_the_preset(const struct subject *s)
{
    struct bed b;
    must_open(&b, s, MIXED);
    assert_int_equal(suggest(&b, 0), SUGGEST_OK);
    assert_non_null(strstr(buf_z(&b.why), s->row->name));
    if (s->preset)
        assert_non_null(strstr(buf_z(&b.why), s->preset->name));
    close_bed(&b);
}

static void each(void (*test)(const struct subject *))
{
    for (const struct sampler_ops *const *row = sampler_registry(); *row; row++) {
        struct subject s = {*row, NULL};
        print_message("    %s\n", (*row)->name);
        test(&s);
        for (size_t i = 0; (*row)->presets && (*row)->presets[i]; i++) {
            s.preset = (*row)->presets[i];
            print_message("    %s, preset %s\n", (*row)->name, s.preset->name);
            test(&s);
        }
    }
}

#define CASE(name)                                                                                 \
    static void case_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        each(name);                                                                                \
    }
CASE(suggestions_are_legal)
CASE(asking_changes_nothing)
CASE(history_restored_is_history_lived)
CASE(retracted_is_never_proposed)
CASE(finite_spaces_end_or_go_on)
CASE(everything_may_fail)
CASE(everything_may_be_pending)
CASE(repetition_does_no_harm)
CASE(a_setting_that_is_none_is_named)
CASE(why_names_the_preset)

static void assert_sound(const struct sampler_ops *ops)
{
    assert_true(ops->name && ops->about && ops->create);
    if (ops->presets)
        return;
    assert_true(ops->destroy && ops->observe && ops->suggest);
}

static void registry_is_sound(void **state)
{
    (void)state;
    for (const struct sampler_ops *const *s = sampler_registry(); *s; s++) {
        assert_sound(*s);
        assert_ptr_equal(sampler_find(str_of((*s)->name)), *s);
        for (size_t i = 0; (*s)->presets && (*s)->presets[i]; i++)
            assert_sound((*s)->presets[i]);
    }
    assert_null(sampler_find(STR("no such sampler")));
    assert_null(sampler_find(STR("")));
}

static void without_a_preset_it_is_the_first(void **state)
{
    (void)state;
    for (const struct sampler_ops *const *row = sampler_registry(); *row; row++) {
        struct subject s = {*row, NULL};
        struct bed b;
        must_open(&b, &s, MIXED);
        assert_ptr_equal(b.sampler->ops, (*row)->presets ? (*row)->presets[0] : *row);
        close_bed(&b);
    }
}

static void an_unknown_preset_is_named_with_the_known(void **state)
{
    (void)state;
    static const struct sampler_ops unknown = {.name = "no such preset"};
    for (const struct sampler_ops *const *row = sampler_registry(); *row; row++) {
        struct subject s = {*row, &unknown};
        struct errmsg em = {""};
        struct bed b;
        assert_int_not_equal(open_bed(&b, &s, MIXED, extra_of(&s), &em), ERR_OK);
        assert_non_null(strstr(em.text, "sampler.preset"));
        for (size_t i = 0; (*row)->presets && (*row)->presets[i]; i++)
            assert_non_null(strstr(em.text, (*row)->presets[i]->name));
        close_bed(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registry_is_sound),
        cmocka_unit_test(case_suggestions_are_legal),
        cmocka_unit_test(case_asking_changes_nothing),
        cmocka_unit_test(case_history_restored_is_history_lived),
        cmocka_unit_test(case_retracted_is_never_proposed),
        cmocka_unit_test(case_finite_spaces_end_or_go_on),
        cmocka_unit_test(case_everything_may_fail),
        cmocka_unit_test(case_everything_may_be_pending),
        cmocka_unit_test(case_repetition_does_no_harm),
        cmocka_unit_test(case_a_setting_that_is_none_is_named),
        cmocka_unit_test(case_why_names_the_preset),
        cmocka_unit_test(without_a_preset_it_is_the_first),
        cmocka_unit_test(an_unknown_preset_is_named_with_the_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
