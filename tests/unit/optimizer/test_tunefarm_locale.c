/* No figure depends on the locale: a study read, proposed, saved and loaded where numbers have a
 * decimal comma is the same. The build makes such a locale, where it can. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tunefarm.h"

#define STUDY                                                                                      \
    "space:\n"                                                                                     \
    "  lr: {float: [1e-4, 0.5], log: true}\n"                                                      \
    "  step: {float: [0.5, 4.5], step: 0.25}\n"                                                    \
    "  batch: {choice: [0.5, 64.5]}\n"                                                             \
    "sampler: {name: tpe, seed: 1}\n"

static void need(struct tunefarm_study *s, int32_t status)
{
    if (status)
        fail_msg("%s", tunefarm_study_error(s));
}

/* Some trials of a study as text, and its saved bytes. */
static int64_t transcript(char *out, size_t size, char **saved)
{
    struct tunefarm_study *s = tunefarm_study_new(), *loaded = tunefarm_study_new();
    const char *text;
    const void *data;
    int64_t trial, n;
    double x;
    out[0] = 0;
    need(s, tunefarm_study_define(s, STUDY));
    need(s, tunefarm_study_enqueue(s, "{\"lr\":0.0625,\"step\":1.25,\"batch\":64.5}"));
    for (int i = 0; i < 8; i++) {
        need(s, tunefarm_study_ask(s, &trial));
        need(s, tunefarm_study_get_double(s, trial, "batch", &x));
        need(s, tunefarm_study_tell(s, trial, x));
        need(s, tunefarm_study_params(s, trial, &text));
        strncat(out, text, size - strlen(out) - 1);
        need(s, tunefarm_study_why(s, trial, &text) < 0);
        need(s, tunefarm_study_get_text(s, trial, "lr", &text));
        strncat(out, text, size - strlen(out) - 1);
    }
    need(s, tunefarm_study_save(s, &data, &n));
    need(loaded, tunefarm_study_load(loaded, data, n));
    *saved = malloc((size_t)n);
    memcpy(*saved, data, (size_t)n);
    tunefarm_study_free(s);
    tunefarm_study_free(loaded);
    return n;
}

static void the_locale_does_not_matter(void **state)
{
    (void)state;
    char plain[4096], comma[4096], *one = NULL, *two = NULL;
    if (!setlocale(LC_ALL, "de_DE.utf8"))
        skip();
    (void)snprintf(comma, sizeof comma, "%.1f", 0.5);
    assert_string_equal(comma, "0,5");
    int64_t n = transcript(comma, sizeof comma, &two);
    assert_non_null(setlocale(LC_ALL, "C"));
    assert_int_equal(transcript(plain, sizeof plain, &one), n);
    assert_string_equal(plain, comma);
    assert_memory_equal(one, two, (size_t)n);
    free(one);
    free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_locale_does_not_matter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
