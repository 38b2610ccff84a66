/* Findings as they come, and as the answer that people see. Called by checkup.c. */
#include "findings.h"

#include <stdio.h>
#include <string.h>

#include "json.h"

void findings_add(struct findings *f, const char *fmt, ...)
{
    struct errmsg em;
    va_list ap;
    if (f->n++ >= FINDINGS_MOST)
        return;
    va_start(ap, fmt);
    vsnprintf(em.text, sizeof em.text, fmt, ap);
    va_end(ap);
    buf_printf(&f->text, "%s\n", em.text);
}

void findings_fini(struct findings *f)
{
    buf_fini(&f->text);
}

static void line(struct findings_lines *l, const char *check, bool fine, struct str text,
                 const char *advice)
{
    struct buf b = {0};
    struct jsonw w;
    jsonw_init(&w, &b);
    jsonw_array(&w);
    jsonw_strz(&w, check);
    jsonw_strz(&w, fine ? "ok" : "FAIL");
    jsonw_str(&w, text);
    jsonw_strz(&w, fine ? "" : advice);
    jsonw_end(&w);
    l->v[l->n++] = arena_dup(&l->g->arena, buf_str(&b));
    buf_fini(&b);
}

/* A line for each finding, or one that says what was fine. */
void findings_lines(struct findings_lines *l, const char *check, const struct findings *f,
                    const char *fine, const char *advice)
{
    if (!f->n) {
        line(l, check, true, str_of(fine), "");
        return;
    }
    struct str rest = buf_str(&f->text);
    while (rest.n) {
        const char *end = memchr(rest.p, '\n', rest.n);
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        line(l, check, false, str_make(rest.p, n), advice);
        rest = str_make(rest.p + n + 1, rest.n - n - 1);
    }
    if (f->n > FINDINGS_MOST) {
        char more[64];
        int n = snprintf(more, sizeof more, "and %llu more",
                         (unsigned long long)(f->n - FINDINGS_MOST));
        line(l, check, false, str_make(more, (size_t)n), advice);
    }
}

void findings_answer(const struct findings_lines *l, const struct fx_ask *ask, uint64_t seq)
{
    static const char *const names[] = {"check", "status", "text", "advice"};
    struct str *columns = arena_array(&l->g->arena, 4, sizeof *columns);
    struct str *v = arena_array(&l->g->arena, l->n, sizeof *v);
    REQUIRE(columns && v);
    for (size_t i = 0; i < 4; i++)
        columns[i] = str_of(names[i]);
    memcpy(v, l->v, l->n * sizeof *v);
    struct answer *a = group_answer(l->g, ask);
    a->columns = columns;
    a->n_columns = 4;
    a->lines = v;
    a->n_lines = l->n;
    a->seq = seq;
    a->complete = true;
}
