/* The events of a study as bytes: read back as written, and nothing believed that is not right. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "codes.h"
#include "spec.h"
#include "trail.h"

#define SPACE                                                                                      \
    "{\"study\":\"s\",\"space\":{\"x\":{\"float\":[0,1]},\"c\":{\"choice\":[\"a\",\"b\"]},"        \
    "\"k\":{\"int\":[1,9],\"when\":{\"c\":[\"b\"]}}}}"

static struct spec *spec_of(void)
{
    struct spec *spec = NULL;
    assert_int_equal(spec_parse(str_of(SPACE), &spec, NULL), ERR_OK);
    return spec;
}

static int by_name(const struct spec *spec, const char *name)
{
    int i = space_find(spec->space, str_of(name));
    assert_true(i >= 0);
    return i;
}

static void set(const struct spec *spec, double *point, double x, double c, double k)
{
    point[by_name(spec, "x")] = x;
    point[by_name(spec, "c")] = c;
    point[by_name(spec, "k")] = k;
}

/* One event of each kind. */
static void fill(struct trail *t, const struct spec *spec)
{
    double point[3];
    set(spec, point, 0.25, 0, (double)NAN);
    trail_add(t, &(struct event){.kind = EVENT_PROPOSED, .point = point, .why = STR("{}")});
    set(spec, point, 1, 1, 9);
    trail_add(t, &(struct event){.kind = EVENT_ENQUEUED, .point = point});
    trail_add(t, &(struct event){.kind = EVENT_TAKEN, .point = point});
    trail_add(t, &(struct event){.kind = EVENT_ADDED, .point = point});
    trail_add(t, &(struct event){
                     .kind = EVENT_REPORTED, .trial = 300, .step = 1 << 20, .loss = -INFINITY});
    trail_add(t, &(struct event){
                     .kind = EVENT_FINISHED, .trial = 1, .state = TRIAL_COMPLETE, .loss = 0.5});
    trail_add(t, &(struct event){.kind = EVENT_FINISHED, .trial = 2, .state = TRIAL_FAILED});
}

static void events_are_read_as_they_were_written(void **state)
{
    (void)state;
    static const enum event_kind kinds[] = {EVENT_PROPOSED, EVENT_ENQUEUED, EVENT_TAKEN,
                                            EVENT_ADDED,    EVENT_REPORTED, EVENT_FINISHED,
                                            EVENT_FINISHED};
    struct spec *spec = spec_of();
    struct trail t, again;
    double point[3];
    struct event e = {.point = point};
    size_t at = 0, n = 0;
    trail_init(&t, spec->space);
    trail_init(&again, spec->space);
    fill(&t, spec);
    for (; at < t.bytes.n; n++) {
        assert_true(trail_read(buf_str(&t.bytes), spec->space, &at, &e));
        assert_int_equal(e.kind, kinds[n]);
        if (n == 0)
            assert_true(point[by_name(spec, "x")] == 0.25 && isnan(point[by_name(spec, "k")]));
        if (n == 4)
            assert_true(e.trial == 300 && e.step == 1 << 20 && isinf(e.loss));
        trail_add(&again, &e);
    }
    assert_int_equal(n, sizeof kinds / sizeof *kinds);
    assert_true(str_eq(buf_str(&t.bytes), buf_str(&again.bytes)));
    assert_true(str_is(trail_why(&t, 0), "{}"));
    assert_int_equal(trail_why(&t, 1).n, 0);
    assert_int_equal(trail_why(&t, 2).n, 0);
    assert_false(trail_full(&t));
    trail_fini(&t);
    trail_fini(&again);
    spec_free(spec);
}

static void a_trail_cut_short_is_refused(void **state)
{
    (void)state;
    struct spec *spec = spec_of();
    struct trail t;
    double point[3];
    struct event e = {.point = point};
    trail_init(&t, spec->space);
    fill(&t, spec);
    for (size_t begin = 0, end = 0; begin < t.bytes.n; begin = end) {
        assert_true(trail_read(buf_str(&t.bytes), spec->space, &end, &e));
        for (size_t n = begin; n < end; n++) {
            size_t at = begin;
            char *piece = malloc(n ? n : 1); /* its exact size, for the sanitizers */
            memcpy(piece, t.bytes.p, n);
            assert_false(trail_read(str_make(piece, n), spec->space, &at, &e));
            assert_int_equal(at, begin);
            free(piece);
        }
    }
    trail_fini(&t);
    spec_free(spec);
}

static bool reads(const struct spec *spec, const void *bytes, size_t n)
{
    double point[3];
    struct event e = {.point = point};
    size_t at = 0;
    return trail_read(str_make(bytes, n), spec->space, &at, &e);
}

static void refused_point(struct spec *spec, double x, double c, double k)
{
    struct trail t;
    double point[3];
    trail_init(&t, spec->space);
    set(spec, point, x, c, k);
    trail_add(&t, &(struct event){.kind = EVENT_ADDED, .point = point});
    assert_false(reads(spec, t.bytes.p, t.bytes.n));
    trail_fini(&t);
}

static void what_is_no_event_is_refused(void **state)
{
    (void)state;
    struct spec *spec = spec_of();
    refused_point(spec, 1.5, 0, (double)NAN);
    refused_point(spec, -INFINITY, 0, (double)NAN);
    refused_point(spec, 0.5, 2, (double)NAN);
    refused_point(spec, 0.5, 0.5, (double)NAN);
    refused_point(spec, 0.5, 1, 1.5);
    assert_false(reads(spec, "", 0));
    assert_false(reads(spec, "\0", 1));
    assert_false(reads(spec, "\x08", 1));
    assert_true(reads(spec, "\x07", 1));
    assert_true(reads(spec, "\x03", 1));
    assert_true(reads(spec, "\x06\x05\x08", 3));
    assert_true(reads(spec, "\x06\x85\x01\x08", 4));
    assert_false(reads(spec, "\x06\x85\x00\x08", 4)); /* not the shortest form */
    assert_false(reads(spec, "\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x08", 12));
    assert_false(reads(spec, "\x01\xff\xff\xff\x7f", 5)); /* a reason of 256 MiB */
    spec_free(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_read_as_they_were_written),
        cmocka_unit_test(a_trail_cut_short_is_refused),
        cmocka_unit_test(what_is_no_event_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
