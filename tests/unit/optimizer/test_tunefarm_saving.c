/* A study that is saved and loaded goes on as the one that was not: over random spaces, samplers
 * and histories; and what is no saved study is refused and leaves the handle empty. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "buf.h"
#include "rng.h"
#include "tempdir.h"
#include "tunefarm.h"

#define STUDIES 40
#define STEPS   160

static uint64_t below(struct rng *r, uint64_t n)
{
    return rng_below(r, n);
}

static void random_param(struct rng *r, struct buf *b, int depth, int *number)
{
    static const char *const plain[] = {
        "{float: [-3, 2]}",
        "{float: [1e-5, 1], log: true}",
        "{float: [0, 0.999], log: reverse}",
        "{float: [0, 1], step: 0.1}",
        "{float: [0.3, 9.7], round: 1}",
        "{normal: [0, 2]}",
        "{int: [1, 9]}",
        "{int: [16, 512], log: true, step: 16}",
        "{choice: [relu, tanh, 3, true, 1.5]}",
        "{choice: [a, b], weights: [0.2, 0.8]}",
    };
    buf_printf(b, "p%d: ", (*number)++);
    if (depth == 2 || below(r, 4) > 0) {
        buf_addz(b, plain[below(r, sizeof plain / sizeof *plain)]);
        return;
    }
    buf_addz(b, "{choice: [one, {two: {");
    random_param(r, b, depth + 1, number);
    buf_addz(b, ", ");
    random_param(r, b, depth + 1, number);
    buf_addz(b, "}}]}");
}

static void random_study(struct rng *r, struct buf *b)
{
    static const char *const samplers[] = {"{name: tpe, preset: hyperopt, n_startup: 8}",
                                           "{name: tpe}", "{name: random}",
                                           "{name: grid, points: 3}"};
    int number = 0;
    buf_addz(b, "space: {");
    for (uint64_t n = 1 + below(r, 5); n > 0; n--) {
        random_param(r, b, 0, &number);
        buf_addz(b, n > 1 ? ", " : "}\n");
    }
    buf_printf(b, "sampler: %s\n", samplers[below(r, sizeof samplers / sizeof *samplers)]);
    if (below(r, 2))
        buf_addz(b, "objective: {direction: maximize}\n");
    if (below(r, 4) == 0)
        buf_addz(b, "stop: {trials: 30, plateau: {trials: 20}}\n");
}

static struct tunefarm_study *fresh(void)
{
    struct tunefarm_study *s = tunefarm_study_new();
    assert_non_null(s);
    return s;
}

static struct tunefarm_study *reloaded(struct tunefarm_study *s)
{
    const void *data;
    int64_t size;
    struct tunefarm_study *again = fresh();
    if (tunefarm_study_save(s, &data, &size) || tunefarm_study_load(again, data, size))
        fail_msg("%s %s", tunefarm_study_error(s), tunefarm_study_error(again));
    return again;
}

static void same_bytes(struct tunefarm_study *a, struct tunefarm_study *b)
{
    const void *p, *q;
    int64_t n, m;
    assert_int_equal(tunefarm_study_save(a, &p, &n), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_save(b, &q, &m), TUNEFARM_OK);
    assert_int_equal(n, m);
    assert_memory_equal(p, q, (size_t)n);
}

static void same_trial(struct tunefarm_study *a, struct tunefarm_study *b, int64_t trial)
{
    const char *p = "", *q = "";
    double x = 0, y = 0;
    assert_int_equal(tunefarm_study_state(a, trial), tunefarm_study_state(b, trial));
    assert_int_equal(tunefarm_study_params(a, trial, &p), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_params(b, trial, &q), TUNEFARM_OK);
    assert_string_equal(p, q);
    p = q = "";
    assert_int_equal(tunefarm_study_why(a, trial, &p), tunefarm_study_why(b, trial, &q));
    assert_string_equal(p, q);
    assert_int_equal(tunefarm_study_loss(a, trial, &x), tunefarm_study_loss(b, trial, &y));
    assert_true(x == y);
}

static void same_ends(const struct tunefarm_study *a, const struct tunefarm_study *b)
{
    const char *p = tunefarm_study_ended(a), *q = tunefarm_study_ended(b);
    assert_string_equal(p ? p : "", q ? q : "");
}

/* Some point that was handed out before, if any was. */
static int32_t again(struct tunefarm_study *s, struct rng r, bool add)
{
    const char *text = "";
    int64_t n = tunefarm_study_count(s);
    if (n == 0)
        return TUNEFARM_NONE;
    assert_int_equal(tunefarm_study_params(s, (int64_t)below(&r, (uint64_t)n), &text), TUNEFARM_OK);
    char *copy = strdup(text);
    int32_t status =
        add ? tunefarm_study_add(s, copy, 0.125, NULL) : tunefarm_study_enqueue(s, copy);
    free(copy);
    return status;
}

/* One random call; the same for the same state and r. */
static int32_t act(struct tunefarm_study *s, struct rng r)
{
    int64_t trial = 0, n = tunefarm_study_count(s);
    int64_t any = n > 0 ? (int64_t)below(&r, (uint64_t)n) : 0;
    double loss = below(&r, 20) == 0 ? (double)INFINITY : rng_unit(&r) * 10 - 5;
    switch (below(&r, 12)) {
    case 0:
        return tunefarm_study_report(s, any, (int64_t)below(&r, 300), loss);
    case 1:
        return tunefarm_study_tell_failed(s, any);
    case 2:
        return tunefarm_study_tell_pruned(s, any);
    case 3:
        return below(&r, 4) ? tunefarm_study_report(s, any, 1, (double)NAN)
                            : tunefarm_study_cancel(s, any);
    case 4:
        return again(s, r, false);
    case 5:
        return below(&r, 3) ? tunefarm_study_elapsed(s, rng_unit(&r)) : again(s, r, true);
    case 6:
    case 7:
    case 8:
        return tunefarm_study_tell(s, any, loss);
    default:
        return tunefarm_study_ask(s, &trial);
    }
}

static void one_study(uint64_t seed)
{
    struct rng r;
    struct buf text;
    struct tunefarm_study *lived = fresh(), *other = NULL;
    rng_seed(&r, seed);
    buf_init(&text, 0);
    random_study(&r, &text);
    if (tunefarm_study_define(lived, buf_z(&text)))
        fail_msg("%s: %s", buf_z(&text), tunefarm_study_error(lived));
    other = reloaded(lived);
    for (int i = 0; i < STEPS; i++) {
        struct rng step = r;
        int32_t status = act(lived, step);
        assert_int_equal(act(other, step), status);
        (void)rng_u64(&r);
        if (below(&r, 8) == 0) {
            tunefarm_study_free(other);
            other = reloaded(lived);
        }
        same_bytes(lived, other);
    }
    for (int64_t i = 0; i < tunefarm_study_count(lived); i++)
        same_trial(lived, other, i);
    same_ends(lived, other);
    tunefarm_study_free(lived);
    tunefarm_study_free(other);
    buf_fini(&text);
}

static void a_loaded_study_goes_on_as_the_one_that_lived(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= STUDIES; seed++)
        one_study(seed);
}

static struct tunefarm_study *some_study(void)
{
    struct tunefarm_study *s = fresh();
    int64_t trial;
    assert_int_equal(tunefarm_study_define(s, "space: {x: {float: [0, 1]}, c: {choice: [a, b]}}"),
                     TUNEFARM_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(tunefarm_study_ask(s, &trial), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_tell(s, 2, 0.5), TUNEFARM_OK);
    return s;
}

static void files_hold_a_study(void **state)
{
    (void)state;
    struct tempdir dir;
    char path[256];
    struct tunefarm_study *s = some_study(), *t = fresh();
    tempdir_make(&dir);
    tempdir_file(&dir, "s.tunefarm", path, sizeof path);
    assert_int_equal(tunefarm_study_load_file(t, path), TUNEFARM_NOT_FOUND);
    assert_non_null(strstr(tunefarm_study_error(t), path));
    assert_int_equal(tunefarm_study_save_file(s, path), TUNEFARM_OK);
    assert_int_equal(tunefarm_study_save_file(s, path), TUNEFARM_OK);
    if (tunefarm_study_load_file(t, path))
        fail_msg("%s", tunefarm_study_error(t));
    same_bytes(s, t);
    tunefarm_study_free(t);
    tempdir_write(path, STR("something else"));
    t = fresh();
    assert_int_equal(tunefarm_study_load_file(t, path), TUNEFARM_CORRUPT);
    assert_non_null(strstr(tunefarm_study_error(t), "s.tunefarm: not a saved study"));
    tempdir_file(&dir, "none/s", path, sizeof path);
    assert_int_equal(tunefarm_study_save_file(s, path), TUNEFARM_NOT_FOUND);
    assert_non_null(strstr(tunefarm_study_error(s), path));
    tunefarm_study_free(s);
    tunefarm_study_free(t);
    tempdir_remove(&dir);
}

static void refused(const char *p, int64_t n)
{
    struct tunefarm_study *s = fresh();
    char *copy = malloc(n > 0 ? (size_t)n : 1);
    memcpy(copy, p, (size_t)n);
    assert_int_equal(tunefarm_study_load(s, copy, n), TUNEFARM_CORRUPT);
    assert_true(strlen(tunefarm_study_error(s)) > 0);
    assert_int_equal(tunefarm_study_count(s), -1);
    free(copy);
    tunefarm_study_free(s);
}

/* Written by the first version. What it holds must be found in it for ever. */
static void saved_studies_of_the_first_version_are_read(void **state)
{
    (void)state;
    static const int32_t states[] = {TUNEFARM_TRIAL_COMPLETE,  TUNEFARM_TRIAL_COMPLETE,
                                     TUNEFARM_TRIAL_COMPLETE,  TUNEFARM_TRIAL_COMPLETE,
                                     TUNEFARM_TRIAL_PRUNED,    TUNEFARM_TRIAL_FAILED,
                                     TUNEFARM_TRIAL_CANCELLED, TUNEFARM_TRIAL_PENDING};
    struct tunefarm_study *s = fresh();
    const char *text;
    int64_t trial;
    double loss;
    if (tunefarm_study_load_file(s, GOLDEN "/study.saved"))
        fail_msg("%s", tunefarm_study_error(s));
    for (int64_t i = 0; i < 8; i++)
        assert_int_equal(tunefarm_study_state(s, i), states[i]);
    assert_int_equal(tunefarm_study_count(s), 9);
    assert_int_equal(tunefarm_study_params(s, 0, &text), TUNEFARM_OK);
    assert_string_equal(text, "{\"lr\":0.125,\"k\":1,\"opt\":\"adam\"}");
    assert_int_equal(tunefarm_study_params(s, 1, &text), TUNEFARM_OK);
    assert_string_equal(text, "{\"lr\":0.5,\"k\":3,\"opt\":\"adam\"}");
    assert_int_equal(tunefarm_study_params(s, 2, &text), TUNEFARM_OK);
    assert_string_equal(text, "{\"lr\":0.25,\"k\":9,\"opt\":\"sgd\",\"opt.sgd.m\":0.5}");
    assert_int_equal(tunefarm_study_why(s, 3, &text), TUNEFARM_OK);
    assert_string_equal(text, "{\"sampler\":\"random\"}");
    assert_int_equal(tunefarm_study_best(s, &trial, &loss), TUNEFARM_OK);
    assert_true(trial == 0 && loss == -1);
    tunefarm_study_free(s);
}

static void damage_is_refused(void **state)
{
    (void)state;
    const void *data;
    int64_t size;
    struct tunefarm_study *s = some_study();
    assert_int_equal(tunefarm_study_save(s, &data, &size), TUNEFARM_OK);
    char *bytes = malloc((size_t)size);
    memcpy(bytes, data, (size_t)size);
    for (int64_t n = 0; n < size; n++)
        refused(bytes, n);
    for (int64_t i = 40; i < size; i++) {
        bytes[i] = (char)(bytes[i] ^ 0x10);
        refused(bytes, size);
        bytes[i] = (char)(bytes[i] ^ 0x10);
    }
    struct tunefarm_study *t = fresh();
    assert_int_equal(tunefarm_study_load(t, NULL, 0), TUNEFARM_INVALID);
    assert_int_equal(tunefarm_study_load(t, bytes, -1), TUNEFARM_INVALID);
    bytes[8] = 2;
    assert_int_equal(tunefarm_study_load(t, bytes, size), TUNEFARM_UNKNOWN_VERSION);
    bytes[8] = 1;
    assert_int_equal(tunefarm_study_load(t, bytes, size), TUNEFARM_OK); /* it stayed usable */
    same_bytes(s, t);
    tunefarm_study_free(s);
    tunefarm_study_free(t);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_study_goes_on_as_the_one_that_lived),
        cmocka_unit_test(files_hold_a_study),
        cmocka_unit_test(saved_studies_of_the_first_version_are_read),
        cmocka_unit_test(damage_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
