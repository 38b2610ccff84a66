/* The proposals of every compiler, build and processor are those that are kept, byte for byte. A
 * difference here breaks the promise that a study can be recomputed; one that is meant (a sampler
 * that proposes something else from now on) is written with golden-proposals and told in the
 * changelog. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "proposals.h"

static void read_kept(const char *name, struct buf *out)
{
    char path[500];
    snprintf(path, sizeof path, "%s/%s.jsonl", GOLDEN_DIR, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s is not there; golden-proposals %s writes it", path, name);
    size_t n = 1;
    while (n > 0) {
        char *p = buf_reserve(out, 65536);
        n = fread(p, 1, 65536, f);
        out->n += n;
    }
    fclose(f);
}

static size_t line_end(struct str s, size_t at)
{
    const char *end = at < s.n ? memchr(s.p + at, '\n', s.n - at) : NULL;
    return end ? (size_t)(end - s.p) + 1 : s.n;
}

/* The first line that differs, so that one sees which trial it is. */
static void compare(const char *name, struct str kept, struct str made)
{
    size_t i = 0, j = 0;
    for (unsigned line = 1; i < kept.n || j < made.n; line++) {
        size_t i_end = line_end(kept, i), j_end = line_end(made, j);
        struct str x = str_make(kept.p + i, i_end - i), y = str_make(made.p + j, j_end - j);
        if (!str_eq(x, y))
            fail_msg("%s, answer %u:\nkept " STR_FMT "made " STR_FMT, name, line, STR_ARG(x),
                     STR_ARG(y));
        i = i_end;
        j = j_end;
    }
}

static void proposals_are_those_that_are_kept(void **state)
{
    (void)state;
    for (const struct kept_study *k = kept_studies; k->name; k++) {
        struct buf kept, made;
        buf_init(&kept, 0);
        buf_init(&made, 0);
        read_kept(k->name, &kept);
        proposals_drive(k, &made);
        compare(k->name, buf_str(&kept), buf_str(&made));
        buf_fini(&kept);
        buf_fini(&made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(proposals_are_those_that_are_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
