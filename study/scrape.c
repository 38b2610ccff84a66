/* Scrapes a metric from lines of standard output with the study's regular expressions. Called by
 * the worker's runner for studies with objective.scrape, and by the command line before a study is
 * stored. A library of its own, because the optimizer has no use for PCRE2. It must not know
 * attempts.
 *
 * Patterns come from users and lines from programs: each match has bounds on its steps, depth and
 * memory, so that the worst pattern costs milliseconds. The value is the group named as the metric,
 * else "loss", else "value"; the step is the group "step" of the step pattern or of the pattern
 * itself. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "scrape.h"

#include <pcre2.h>
#include <stdlib.h>

#include "alloc.h"

#define MATCH_STEPS 200000
#define MATCH_DEPTH 2000
#define HEAP_KIB    1024

struct scrape {
    pcre2_code *value, *step;         /* step NULL = none */
    uint32_t value_group, step_group; /* step_group 0: the pattern has none */
    pcre2_match_data *found;
    pcre2_match_context *limits;
};

static err_t compile(struct str pattern, const char *where, pcre2_code **out, struct errmsg *em)
{
    int code;
    PCRE2_SIZE at;
    *out = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n,
                         PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at,
                         NULL);
    if (*out)
        return ERR_OK;
    PCRE2_UCHAR text[160] = "unknown fault";
    pcre2_get_error_message(code, text, sizeof text);
    return errmsg_set(em, ERR_INVALID, "%s: at character %zu: %s", where, (size_t)at + 1,
                      (const char *)text);
}

static uint32_t group_of(const pcre2_code *code, const char *name)
{
    int n = pcre2_substring_number_from_name(code, (PCRE2_SPTR)name);
    return n > 0 ? (uint32_t)n : 0;
}

static uint32_t value_group(const pcre2_code *code, struct str metric)
{
    char name[129];
    uint32_t g = str_copyz(name, sizeof name, metric) ? group_of(code, name) : 0;
    if (!g)
        g = group_of(code, "loss");
    return g ? g : group_of(code, "value");
}

static err_t compile_both(struct scrape *s, const struct objective *o, struct errmsg *em)
{
    err_t e = compile(o->scrape_pattern, "objective.scrape.pattern", &s->value, em);
    if (e)
        return e;
    s->value_group = value_group(s->value, o->metric);
    if (!s->value_group)
        return errmsg_set(em, ERR_INVALID,
                          "objective.scrape.pattern: expected a group (?<" STR_FMT
                          ">...), (?<loss>...) or (?<value>...)",
                          STR_ARG(o->metric));
    s->step_group = group_of(s->value, "step");
    if (o->scrape_step.n == 0)
        return ERR_OK;
    e = compile(o->scrape_step, "objective.scrape.step", &s->step, em);
    if (e)
        return e;
    s->step_group = group_of(s->step, "step");
    if (!s->step_group)
        return errmsg_set(em, ERR_INVALID, "objective.scrape.step: expected a group (?<step>...)");
    return ERR_OK;
}

err_t scrape_new(struct scrape **out, const struct objective *o, struct errmsg *em)
{
    *out = NULL;
    if (o->scrape_pattern.n == 0)
        return ERR_OK;
    struct scrape *s = alloc_zero(sizeof *s);
    err_t e = compile_both(s, o, em);
    if (e) {
        scrape_free(s);
        return e;
    }
    s->found = pcre2_match_data_create(64, NULL);
    s->limits = pcre2_match_context_create(NULL);
    REQUIRE(s->found && s->limits);
    pcre2_set_match_limit(s->limits, MATCH_STEPS);
    pcre2_set_depth_limit(s->limits, MATCH_DEPTH);
    pcre2_set_heap_limit(s->limits, HEAP_KIB);
    *out = s;
    return ERR_OK;
}

void scrape_free(struct scrape *s)
{
    if (!s)
        return;
    pcre2_code_free(s->value);
    pcre2_code_free(s->step);
    pcre2_match_data_free(s->found);
    pcre2_match_context_free(s->limits);
    free(s);
}

/* > 0: matched; 0: not; < 0: a limit was reached. */
static int match(struct scrape *s, const pcre2_code *code, struct str line)
{
    int n = pcre2_match(code, (PCRE2_SPTR)line.p, line.n, 0, 0, s->found, s->limits);
    if (n >= 0)
        return 1;
    return n == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

/* The text of a group of the last match; empty if it took no part or lies beyond what is kept. */
static struct str group_text(struct scrape *s, uint32_t group, struct str line)
{
    if (group >= pcre2_get_ovector_count(s->found))
        return (struct str){0};
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(s->found);
    if (v[(size_t)2 * group] == PCRE2_UNSET || v[(size_t)2 * group] > v[(size_t)2 * group + 1] ||
        v[(size_t)2 * group + 1] > line.n)
        return (struct str){0};
    return str_make(line.p + v[(size_t)2 * group], v[(size_t)2 * group + 1] - v[(size_t)2 * group]);
}

static void take_step(struct scrape *s, struct scrape_state *st, struct str line)
{
    int64_t step;
    if (str_to_i64(group_text(s, s->step_group, line), &step) && step >= 0) {
        st->has_step = true;
        st->step = step;
    }
}

enum scrape_result scrape_line(struct scrape *s, struct scrape_state *st, struct str line,
                               double *value)
{
    if (s->step && match(s, s->step, line) > 0)
        take_step(s, st, line);
    int found = match(s, s->value, line);
    if (found <= 0)
        return found < 0 ? SCRAPE_BAD : SCRAPE_NOTHING;
    if (!s->step && s->step_group)
        take_step(s, st, line);
    struct str text = group_text(s, s->value_group, line);
    /* "(\S+)" takes what follows a number with it. */
    static const char after[7] = {',', ';', ':', '%', ')', ']', '}'};
    while (text.n > 0 && memchr(after, text.p[text.n - 1], sizeof after))
        text.n--;
    return str_to_f64(text, value) ? SCRAPE_VALUE : SCRAPE_BAD;
}
