/* What docs/study-file.md shows must work: every study in it, and every spelling in its table of
 * distributions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "study_fixture.h"

static char *read_page(void)
{
    FILE *f = fopen(TUNEFARM_DOCS "/study-file.md", "r");
    assert_non_null(f);
    struct buf b;
    char block[4096];
    size_t n;
    buf_init(&b, 0);
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        buf_add(&b, block, n);
    assert_int_equal(fclose(f), 0);
    return buf_takez(&b);
}

static void studies(void **state)
{
    (void)state;
    static const char fence[] = "\n```yaml\n";
    char *page = read_page(), *at = page;
    int found = 0;
    while ((at = strstr(at, fence))) {
        at += sizeof fence - 1;
        char *end = strstr(at, "\n```");
        assert_non_null(end);
        *end = 0;
        spec_free(fixture_spec(at));
        at = end + 1;
        found++;
    }
    assert_true(found >= 2);
    free(page);
}

static void distributions(void **state)
{
    (void)state;
    char *page = read_page(), *save = NULL;
    char *section = strstr(page, "\n## Parameters");
    assert_non_null(section);
    *strstr(section, "\n## Conditions") = 0;
    int found = 0;
    for (char *line = strtok_r(section, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *end = strncmp(line, "| `{", 4) == 0 ? strstr(line, "` |") : NULL;
        if (!end)
            continue;
        struct buf b;
        buf_init(&b, 0);
        buf_printf(&b, "x: %.*s\n", (int)(end - line - 3), line + 3);
        space_free(fixture_space(buf_z(&b)));
        buf_fini(&b);
        found++;
    }
    assert_true(found >= 20);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(studies),
        cmocka_unit_test(distributions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
