/* Collecting and printing findings. Called by the files that look. Lines leave as they are found,
 * because a look through a large database takes a minute. */
#include "diagnosis.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

static const char *const words[] = {
    [HEALTH_OK] = "ok", [HEALTH_WARN] = "warn", [HEALTH_FAIL] = "FAIL"};
static const char *const colors[] = {
    [HEALTH_OK] = "\033[32m", [HEALTH_WARN] = "\033[33m", [HEALTH_FAIL] = "\033[31m"};

void diagnosis_init(struct diagnosis *d, bool json, bool color)
{
    *d = (struct diagnosis){.json = json, .color = color};
}

void diagnosis_fini(struct diagnosis *d)
{
    buf_fini(&d->out);
}

static void flush(struct diagnosis *d)
{
    if (d->quiet)
        return;
    fwrite(d->out.p, 1, d->out.n, stdout);
    fflush(stdout);
    buf_clear(&d->out);
}

static void add_json(struct diagnosis *d, enum health h, const char *check, const char *advice,
                     const char *text)
{
    struct jsonw w;
    jsonw_init(&w, &d->out);
    jsonw_object(&w);
    jsonw_kstr(&w, "check", str_of(check));
    jsonw_kstr(&w, "status", str_of(words[h]));
    jsonw_kstr(&w, "text", str_of(text));
    jsonw_kstr(&w, "advice", str_of(advice));
    jsonw_end(&w);
    buf_addc(&d->out, '\n');
}

static void add_line(struct diagnosis *d, enum health h, const char *check, const char *advice,
                     const char *text)
{
    buf_printf(&d->out, "%s%-4s%s  %-12s %s\n", d->color ? colors[h] : "", words[h],
               d->color ? "\033[0m" : "", check, text);
    if (advice && *advice)
        buf_printf(&d->out, "      %-12s -> %s\n", "", advice);
}

void diagnosis_add(struct diagnosis *d, enum health h, const char *check, const char *advice,
                   const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    d->n[h]++;
    if (d->json)
        add_json(d, h, check, advice, text);
    else
        add_line(d, h, check, advice, text);
    flush(d);
}

void diagnosis_end(struct diagnosis *d)
{
    unsigned all = d->n[HEALTH_OK] + d->n[HEALTH_WARN] + d->n[HEALTH_FAIL];
    if (d->json)
        return;
    if (all == d->n[HEALTH_OK])
        buf_printf(&d->out, "\nall is well\n");
    else
        buf_printf(&d->out, "\n%u of %u lines: %u failed, %u to look at\n",
                   d->n[HEALTH_FAIL] + d->n[HEALTH_WARN], all, d->n[HEALTH_FAIL],
                   d->n[HEALTH_WARN]);
    flush(d);
}

int diagnosis_status(const struct diagnosis *d)
{
    return d->n[HEALTH_FAIL] ? 2 : d->n[HEALTH_WARN] ? 1 : 0;
}

static int compare_i64(const void *x, const void *y)
{
    int64_t a, b;
    memcpy(&a, x, sizeof a);
    memcpy(&b, y, sizeof b);
    return a < b ? -1 : a > b;
}

int64_t diagnosis_median(int64_t *v, size_t n)
{
    qsort(v, n, sizeof *v, compare_i64);
    return v[(n - 1) / 2];
}
