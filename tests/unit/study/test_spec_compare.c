/* Which specs continue each other, and how their differences are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "study_fixture.h"

static bool same(const char *a, const char *b, char *difference, size_t size)
{
    struct spec *x = fixture_spec(a), *y = fixture_spec(b);
    struct digest dx = spec_search_digest(x), dy = spec_search_digest(y);
    struct buf out;
    buf_init(&out, 0);
    spec_difference(x, y, &out);
    if (difference)
        (void)str_copyz(difference, size, buf_str(&out));
    bool equal = digest_eq(dx, dy);
    assert_int_equal(equal, out.n == 0);
    buf_fini(&out);
    spec_free(x);
    spec_free(y);
    return equal;
}

#define BASE                                                                                       \
    "study: s\nobjective: {command: [p, '{lr}'], metric: loss}\n"                                  \
    "space: {lr: {float: [1e-5, 1], log: true}, n: {int: [1, 4]}}\n"

static void what_does_not_matter(void **state)
{
    (void)state;
    static const char *const others[] = {
        "study: t\nobjective: {command: 'p {lr}', direction: minimize, timeout: 3, files: [x]}\n"
        "space: {n: {int: [1, 4]}, lr: {log: true, float: [0.00001, 1.0]}}\nparallel: 3\n"
        "stop: {trials: 3}\nnotes: hello\nretries: 7\nsampler: {name: tpe}\n",
        BASE "sampler: {}\n",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_true(same(BASE, others[i], NULL, 0));
}

static void what_matters(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"study: s\nobjective: {command: [p, '{lr}'], direction: maximize}\n"
         "space: {lr: {float: [1e-5, 1], log: true}, n: {int: [1, 4]}}\n",
         "objective.direction was minimize, is now maximize"},
        {"study: s\nobjective: {command: [q, '{lr}'], metric: acc}\n"
         "space: {lr: {float: [1e-5, 1], log: true}, n: {int: [1, 4]}}\n",
         "objective.metric was loss, is now acc; objective.command was [\"p\",\"{lr}\"], is now "
         "[\"q\",\"{lr}\"]"},
        {"study: s\nobjective: {command: [p, '{lr}']}\n"
         "space: {lr: {float: [1e-5, 2], log: true}, m: {int: [1, 4]}}\n",
         "space.lr was {\"float\":[1e-5,1],\"log\":true}, is now "
         "{\"float\":[1e-5,2],\"log\":true}; space.n was {\"int\":[1,4]}, is gone; space.m is new: "
         "{\"int\":[1,4]}"},
        {BASE "sampler: {name: random}\n", "sampler.name was tpe, is now random"},
        {BASE "sampler: {seed: 3}\n", "sampler.seed is new: 3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char difference[1024];
        assert_false(same(BASE, rows[i][0], difference, sizeof difference));
        assert_string_equal(difference, rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_matter),
        cmocka_unit_test(what_matters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
