/* The functions of bench-quality: those of the peers against values of the Python originals, the
 * held-out ones against their own statements, and all spaces as study files. */
#include <json-c/json.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "functions.h"
#include "json.h"
#include "rng.h"
#include "space.h"

#define GOLDEN TEST_GOLDEN "/bench/functions.txt"

/* Splits a line at blanks, in place. */
static size_t words_of(char *line, char **words, size_t most)
{
    size_t n = 0;
    for (char *save = NULL, *w = strtok_r(line, " \n", &save); w;
         w = strtok_r(NULL, " \n", &save)) {
        assert_true(n < most);
        words[n++] = w;
    }
    return n;
}

static double number(const char *text)
{
    double v;
    assert_true(str_to_f64(str_of(text), &v));
    return v;
}

static void check_value(const struct function *f, double want, char **words, size_t n)
{
    double x[FUNCTIONS_MAX_DIMS];
    assert_int_equal(n, f->n);
    for (size_t i = 0; i < n; i++)
        x[i] = number(words[i]);
    double got = f->value(x);
    if (fabs(got - want) > 1e-12 * fabs(want))
        fail_msg("%s: %.17g, the original has %.17g", f->name, got, want);
}

static void peers_agree_with_the_originals(void **state)
{
    (void)state;
    FILE *file = fopen(GOLDEN, "r");
    assert_non_null(file);
    char line[1024], *w[FUNCTIONS_MAX_DIMS + 3];
    size_t values = 0, optima = 0;
    while (fgets(line, sizeof line, file)) {
        size_t n = words_of(line, w, sizeof w / sizeof *w);
        assert_true(n >= 3);
        bool optimum = !strcmp(w[0], "optimum");
        const struct function *f = functions_find(str_of(w[optimum]));
        assert_non_null(f);
        if (optimum)
            assert_true(fabs(f->optimum - number(w[2])) <= 1e-12 * fabs(f->optimum));
        else
            check_value(f, number(w[1]), w + 2, n - 2);
        optima += optimum;
        values += !optimum;
    }
    fclose(file);
    assert_int_equal(optima, functions_peers.n);
    assert_int_equal(values, 20 * functions_peers.n);
}

static struct space *space_of(const struct function *f)
{
    struct buf text;
    struct json_object *v = NULL;
    struct space *s = NULL;
    struct errmsg em = {""};
    buf_init(&text, 0);
    functions_write_space(f, &text);
    if (json_parse(buf_str(&text), JSON_STRICT, &v, &em) || space_parse(v, &s, &em))
        fail_msg("%s: %s", f->name, em.text);
    json_object_put(v);
    buf_fini(&text);
    return s;
}

static const struct function *each(size_t *set, size_t *i)
{
    const struct function_set *const *sets = functions_sets();
    while (sets[*set] && *i == sets[*set]->n) {
        ++*set;
        *i = 0;
    }
    return sets[*set] ? &sets[*set]->v[(*i)++] : NULL;
}

static void spaces_are_study_files_in_the_same_order(void **state)
{
    (void)state;
    const struct function *f;
    for (size_t set = 0, i = 0; (f = each(&set, &i));) {
        struct space *s = space_of(f);
        assert_true(f->n <= FUNCTIONS_MAX_DIMS);
        assert_int_equal(s->n, f->n);
        for (uint32_t k = 0; k < f->n; k++) {
            char text[16];
            struct dim d = functions_dim(f, k, text);
            assert_string_equal(s->params[k].name.p, d.name);
            assert_true(s->params[k].low == d.low && s->params[k].high == d.high);
        }
        space_free(s);
    }
}

/* A random legal point, or one near `about`. */
static void draw(const struct space *s, struct rng *r, const double *about, double *x)
{
    double width = pow(10, -4 * rng_unit(r));
    for (uint32_t k = 0; k < s->n; k++) {
        const struct param *p = &s->params[k];
        x[k] = (double)NAN;
        if (!space_active(s, k, x))
            continue;
        x[k] = param_from_unit(p, rng_unit(r));
        if (about && !isnan(about[k]) && rng_unit(r) < 0.8)
            x[k] = p->kind == PARAM_CHOICE ? about[k]
                                           : param_legal(p, about[k] + width * (x[k] - about[k]));
    }
}

static void held_out_minima_are_where_they_are_said_to_be(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 8);
    const struct function *f;
    for (size_t set = 1, i = 0; (f = each(&set, &i));) {
        struct space *s = space_of(f);
        double x[FUNCTIONS_MAX_DIMS], slack = 1e-9 * (1 + fabs(f->optimum));
        assert_non_null(f->best);
        assert_true(fabs(f->value(f->best) - f->optimum) <= slack);
        for (uint32_t k = 0; k < s->n; k++)
            assert_true(space_active(s, k, f->best) != isnan(f->best[k]));
        for (int k = 0; k < 20000; k++) {
            draw(s, &r, k % 2 ? f->best : NULL, x);
            double v = f->value(x);
            if (!(v >= f->optimum - slack && isfinite(v)))
                fail_msg("%s: %.17g is below the optimum %.17g", f->name, v, f->optimum);
        }
        space_free(s);
    }
}

static void names_are_known_and_unique(void **state)
{
    (void)state;
    const struct function *f;
    for (size_t set = 0, i = 0; (f = each(&set, &i));)
        assert_ptr_equal(functions_find(str_of(f->name)), f);
    assert_null(functions_find(STR("branin2")));
    assert_int_equal(functions_peers.n, 17);
    assert_true(functions_smooth.n + functions_mixed.n >= 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peers_agree_with_the_originals),
        cmocka_unit_test(spaces_are_study_files_in_the_same_order),
        cmocka_unit_test(held_out_minima_are_where_they_are_said_to_be),
        cmocka_unit_test(names_are_known_and_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
