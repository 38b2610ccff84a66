/* Points as JSON: what is written is read back, and what is not legal is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <json-c/json.h>

#include <cmocka.h>

#include "json.h"
#include "study_fixture.h"

#define SPACES 150
#define POINTS 40

/* One random parameter of those that end in a value; parents are earlier ones by number. */
static void add_random(struct rng *r, struct buf *b, int index)
{
    static const char *const floats[][2] = {
        {"float", ""},
        {"float", ", step: 0.07"},
        {"float", ", round: 0.3"},
        {"float", ", log: reverse"},
        {"normal", ""},
        {"normal", ", round: 2, int: true"},
        {"lognormal", ""},
        {"lognormal", ", round: 0.5"},
    };
    static const char *const ints[][2] = {
        {"int", ""},
        {"int", ", log: true"},
        {"int", ", step: 2"},
        {"int", ", round: 1"},
        {"int", ", unordered: true"},
        {"randint", ""},
        {"float", ", log: true"},
        {"int", ", log: true, step: 3"},
        {"float", ", log: true, round: 4"},
    };
    const char *const *f = floats[rng_below(r, 8)], *const *i = ints[rng_below(r, 9)];
    uint64_t kind = rng_below(r, 4);
    buf_printf(b, "p%d: {", index);
    if (kind == 0)
        buf_printf(b, "%s: [%g, %g]%s", f[0], rng_between(r, -2, 2), rng_between(r, 2.1, 6), f[1]);
    else if (kind == 1)
        buf_printf(b, "%s: [%d, %d]%s", i[0], (int)rng_below(r, 5) + 1, (int)rng_below(r, 50) + 9,
                   i[1]);
    else if (kind == 2)
        buf_printf(b, "choice: [0, x, true, 0.5, ~], weights: [1, 0, 2, 0.1, 3]");
    else
        buf_printf(b, "choice: [1, {n: {k: {int: [0, 3]}, m: {choice: [a, {z: {q: {float: [0, "
                      "1]}}}]}}}, x]");
    if (index > 0 && rng_below(r, 2))
        buf_printf(b, ", when: [{base: [%d, 2]}, {base: 3, top: b}]", (int)rng_below(r, 3));
    buf_addz(b, "}\n");
}

static struct space *random_space(struct rng *r)
{
    struct buf b;
    buf_init(&b, 0);
    int n = 1 + (int)rng_below(r, 8);
    for (int i = 0; i < n; i++)
        add_random(r, &b, i);
    buf_addz(&b, "top: {choice: [a, b], when: {base: [2, 3]}}\nbase: {int: [0, 3]}\n");
    struct space *s = fixture_space(buf_z(&b));
    buf_fini(&b);
    return s;
}

static void check_point(const struct space *s, const double *point, double *again)
{
    struct errmsg em = {{0}};
    struct buf b;
    buf_init(&b, 0);
    space_write(s, point, &b);
    if (!fixture_read(s, buf_z(&b), again, &em))
        fail_msg("%s of %s", em.text, buf_z(&b));
    for (uint32_t i = 0; i < s->n; i++) {
        assert_int_equal(isnan(point[i]), !space_active(s, i, point));
        assert_true(point[i] == again[i] || (isnan(point[i]) && isnan(again[i])));
        if (!isnan(point[i]))
            assert_true(param_legal(&s->params[i], point[i]) == point[i]);
    }
    buf_fini(&b);
}

static void random_spaces_round_trip(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    for (int i = 0; i < SPACES; i++) {
        struct space *s = random_space(&r);
        double *point = calloc(s->n, sizeof *point), *again = calloc(s->n, sizeof *again);
        for (int k = 0; k < POINTS; k++) {
            fixture_draw(s, &r, point);
            check_point(s, point, again);
        }
        free(point);
        free(again);
        space_free(s);
    }
}

static void written_form(void **state)
{
    (void)state;
    struct space *s = fixture_space("lr: {float: [1e-5, 1], log: true}\nn: {int: [1, 4]}\n"
                                    "o: {choice: [{sgd: {m: {float: [0, 1]}}}, 3, null]}\n");
    double point[4] = {1e-3, 2, 0, 0.5};
    struct buf b;
    buf_init(&b, 0);
    space_write(s, point, &b);
    assert_string_equal(buf_z(&b), "{\"lr\":0.001,\"n\":2,\"o\":\"sgd\",\"o.sgd.m\":0.5}");
    buf_clear(&b);
    point[2] = 2;
    point[3] = NAN;
    space_write(s, point, &b);
    assert_string_equal(buf_z(&b), "{\"lr\":0.001,\"n\":2,\"o\":null}");
    buf_clear(&b);
    param_value_text(&s->params[2], 0, &b);
    param_value_text(&s->params[0], 0.25, &b);
    assert_string_equal(buf_z(&b), "sgd0.25");
    buf_fini(&b);
    space_free(s);
}

#define CHECKED                                                                                    \
    "lr: {float: [0.1, 1]}\nn: {int: [0, 9], step: 3}\no: {choice: [{sgd: {m: {float: [0, "        \
    "1]}}}, 3, '4', null]}\nl: {lognormal: [0, 1], when: {o: 3}}\nq: {float: [0, 1], round: "      \
    "0.3}\n"

static void accepted(void **state)
{
    (void)state;
    struct space *s = fixture_space(CHECKED);
    struct errmsg em = {{0}};
    double p[6];
    assert_true(fixture_read(s, "{\"q\":1,\"lr\":1,\"n\":3.0,\"o\":\"sgd\",\"m\":0.5}", p, &em) ==
                false); /* 1 is within the bounds of q, but no multiple of 0.3 */
    assert_true(fixture_read(s, "{\"q\":0.9,\"lr\":1,\"n\":3.0,\"o\":\"sgd\",\"m\":0.5}", p, &em));
    assert_true(p[1] == 3 && p[2] == 0 && p[3] == 0.5 && isnan(p[4]));
    assert_true(fixture_read(s, "{\"q\":0,\"lr\":1,\"n\":3,\"o\":3.0,\"l\":1e-9}", p, &em));
    assert_true(p[2] == 1 && p[4] == 1e-9);
    assert_true(fixture_read(s, "{\"q\":0.30000000000000004,\"lr\":1,\"n\":3,\"o\":null}", p, &em));
    assert_true(p[5] == 0.3);
    space_free(s);
}

static void refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"[]", "[] is not a group of parameters"},
        {"{}", "lr: missing; every parameter that is active needs a value"},
        {"{\"lr\":2}", "lr: 2 is out of bounds; expected 0.1 to 1"},
        {"{\"lr\":\"NaN\"}", "lr: NaN is not a finite number"},
        {"{\"lr\":\"0.5\"}", "lr: \"0.5\" is a text; write the number without quotes"},
        {"{\"lr\":null}", "lr: null is not a number"},
        {"{\"lr\":0.5,\"n\":4}", "n: 4 is not one of its values; the nearest is 3"},
        {"{\"lr\":0.5,\"n\":3.1}", "n: 3.1 is not one of its values; the nearest is 3"},
        {"{\"lr\":0.5,\"n\":3,\"o\":\"adam\"}",
         "o: \"adam\" is none of its options: \"sgd\", 3, \"4\", null"},
        {"{\"lr\":0.5,\"n\":3,\"o\":4}", "o: 4 is none of its options: ..."},
        {"{\"lr\":0.5,\"n\":3,\"o\":true}", "o: true is none of its options: ..."},
        {"{\"lr\":0.5,\"n\":3,\"o\":[3]}", "o: [3] is none of its options: ..."},
        {"{\"lr\":0.5,\"n\":3,\"o\":\"sgd\"}", "o.sgd.m: missing; ..."},
        {"{\"lr\":0.5,\"n\":3,\"o\":\"4\",\"q\":0,\"m\":0.5}",
         "m: not active at this point; leave it out"},
        {"{\"lr\":0.5,\"n\":3,\"o\":\"sgd\",\"o.sgd.m\":0,\"m\":0,\"q\":0}",
         "m: stands twice, here and as \"o.sgd.m\""},
        {"{\"lrr\":0.5}", "lrr: the space has no such parameter; did you mean \"lr\"?"},
        {"{\"lr\":0.5,\"other\":3}", "other: the space has no such parameter"},
        {"{\"lr\":0.5,\"n\":3,\"o\":3,\"l\":0}", "l: 0 is not above 0"},
        {"{\"lr\":0.5,\"n\":3,\"o\":null,\"q\":1.2}", "q: 1.2 is out of bounds; expected 0 to ..."},
    };
    struct space *s = fixture_space(CHECKED);
    double p[6];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct errmsg em = {{0}};
        assert_false(fixture_read(s, rows[i][0], p, &em));
        fixture_sentence(em.text, rows[i][1]);
    }
    assert_int_equal(space_read(s, NULL, p, NULL), ERR_INVALID);
    space_free(s);
}

static bool complete(const struct space *s, const char *json, uint64_t turn, double *point,
                     struct errmsg *em)
{
    struct json_object *v = NULL;
    assert_int_equal(json_parse(str_of(json), JSON_STRICT, &v, em), ERR_OK);
    err_t e = space_complete(s, v, turn, point, em);
    json_object_put(v);
    return e == ERR_OK;
}

static bool legal(const struct space *s, const double *point)
{
    struct buf text;
    struct errmsg em;
    double again[6];
    buf_init(&text, 0);
    space_write(s, point, &text);
    bool fine = fixture_read(s, buf_z(&text), again, &em);
    buf_fini(&text);
    return fine;
}

static void completed(void **state)
{
    (void)state;
    struct space *s = fixture_space(CHECKED);
    struct errmsg em = {{0}};
    double p[6], q[6];
    bool branches[4] = {false};
    for (uint64_t turn = 0; turn < 50; turn++) {
        assert_true(complete(s, "{\"lr\":0.5,\"n\":3}", turn, p, &em));
        assert_true(p[0] == 0.5 && p[1] == 3);
        assert_true(legal(s, p));
        branches[(int)p[2]] = true;
        /* the same values in another spelling */
        assert_true(complete(s, "{\"n\":3.0,\"lr\":5e-1}", turn, q, &em));
        assert_memory_equal(p, q, sizeof p);
    }
    assert_true(branches[0] && branches[1] && branches[2] && branches[3]);
    assert_true(complete(s, "{\"o\":\"sgd\",\"m\":0.25}", 0, p, &em));
    assert_true(p[2] == 0 && p[3] == 0.25 && legal(s, p));
    assert_true(complete(s, "{}", 0, p, &em) && legal(s, p));
    space_free(s);
}

static void not_completed(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"[]", "[] is not a group of parameters"},
        {"{\"lr\":2}", "lr: 2 is out of bounds; expected 0.1 to 1"},
        {"{\"m\":0.5}", "o.sgd.m: depends on o; give that too"},
        {"{\"o\":3,\"m\":0.5}", "m: not active at this point; leave it out"},
        {"{\"lrr\":0.5}", "lrr: the space has no such parameter; did you mean \"lr\"?"},
        {"{\"o\":\"sgd\",\"o.sgd.m\":0,\"m\":0}", "m: stands twice, here and as \"o.sgd.m\""},
    };
    struct space *s = fixture_space(CHECKED);
    double p[6];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct errmsg em = {{0}};
        assert_false(complete(s, rows[i][0], 0, p, &em));
        fixture_sentence(em.text, rows[i][1]);
    }
    space_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_spaces_round_trip),
        cmocka_unit_test(written_form),
        cmocka_unit_test(accepted),
        cmocka_unit_test(refused),
        cmocka_unit_test(completed),
        cmocka_unit_test(not_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
