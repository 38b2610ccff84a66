/* The words and lines of the live view. It never writes more columns than the terminal has, because
 * a line that wraps would be one that termview.c does not know how to take back.
 *
 * Called by announce.c (which decides when) and tests. Knows no terminal and no clock. */
#include "render.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "cell.h"
#include "json.h"
#include "spark.h"

#define BOLD  "\x1b[1m"
#define DIM   "\x1b[2m"
#define RED   "\x1b[31m"
#define GREEN "\x1b[32m"
#define CYAN  "\x1b[36m"
#define PLAIN "\x1b[0m"

/* A line being laid out: what does not fit in its width any more is cut. */
struct line {
    struct buf *out;
    const struct render_style *style;
    size_t column;
};

static void put(struct line *l, const char *color, struct str text)
{
    size_t room = l->style->width > l->column ? l->style->width - l->column : 0;
    if (room == 0 || text.n == 0)
        return;
    size_t w = cell_width(text);
    bool colored = l->style->color && color;
    if (colored)
        buf_addz(l->out, color);
    cell_text(l->out, text, room, l->style->utf8);
    if (colored)
        buf_addz(l->out, PLAIN);
    l->column += w < room ? w : room;
}

static void PRINTF_LIKE(3, 4) putf(struct line *l, const char *color, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n > 0)
        put(l, color, str_of(text));
}

static void put_number(struct line *l, const char *color, double v)
{
    struct buf text;
    buf_init(&text, 64);
    cell_number(&text, v, 4);
    put(l, color, buf_str(&text));
    buf_fini(&text);
}

static void put_duration(struct line *l, double seconds)
{
    struct buf text;
    buf_init(&text, 64);
    cell_duration(&text, seconds);
    put(l, NULL, buf_str(&text));
    buf_fini(&text);
}

static struct line line_begin(struct buf *out, const struct render_style *s)
{
    return (struct line){out, s, 0};
}

static void line_end(struct line *l, size_t *lines)
{
    buf_addc(l->out, '\n');
    ++*lines;
}

static double share_done(const struct progress *p)
{
    if (p->ended)
        return 1;
    if (p->goal == 0)
        return 0;
    double share = (double)p->finished / (double)p->goal;
    return share < 1 ? share : 1;
}

static void put_bar(struct line *l, double share, size_t width)
{
    size_t full = (size_t)(share * (double)width + 0.5);
    struct buf bar;
    buf_init(&bar, 0);
    for (size_t i = 0; i < full; i++)
        buf_addz(&bar, l->style->utf8 ? "\xe2\x96\x88" : "#");
    put(l, GREEN, buf_str(&bar));
    buf_clear(&bar);
    for (size_t i = full; i < width; i++)
        buf_addz(&bar, l->style->utf8 ? "\xe2\x96\x91" : "-");
    put(l, DIM, buf_str(&bar));
    buf_fini(&bar);
}

static void line_head(const struct progress *p, const struct render_style *s, int64_t wall_ms,
                      struct buf *out, size_t *lines)
{
    struct line l = line_begin(out, s);
    put(&l, BOLD, str_of(p->study));
    put(&l, NULL, STR("  "));
    if (p->goal) {
        put_bar(&l, share_done(p), s->width >= 80 ? 24 : 10);
        putf(&l, NULL, "  %llu/%llu", (unsigned long long)p->finished, (unsigned long long)p->goal);
    } else {
        putf(&l, NULL, "%llu trials", (unsigned long long)p->finished);
    }
    put(&l, NULL, STR("  "));
    put_duration(&l, (double)(wall_ms - p->mark_ms) / 1000);
    double left = progress_left(p, wall_ms);
    if (left > 0) {
        put(&l, NULL, STR(", about "));
        put_duration(&l, left);
        put(&l, NULL, STR(" left"));
    }
    if (p->closed[0] && !p->ended)
        putf(&l, DIM, "  closing (%s)", p->closed);
    if (p->paused)
        putf(&l, DIM, "  paused");
    line_end(&l, lines);
}

static void put_count(struct line *l, const struct progress *p, unsigned state, const char *color)
{
    if (p->counts[state])
        putf(l, color, "  %llu %s", (unsigned long long)p->counts[state], trial_state_name(state));
}

static void line_states(const struct progress *p, const struct render_style *s, struct buf *out,
                        size_t *lines)
{
    struct line l = line_begin(out, s);
    putf(&l, NULL, "  %llu running", (unsigned long long)progress_open(p));
    put_count(&l, p, TRIAL_COMPLETE, GREEN);
    put_count(&l, p, TRIAL_PRUNED, NULL);
    put_count(&l, p, TRIAL_FAILED, RED);
    put_count(&l, p, TRIAL_CANCELLED, NULL);
    put_count(&l, p, TRIAL_QUEUED, DIM);
    put_count(&l, p, TRIAL_DELAYED, DIM);
    put_count(&l, p, TRIAL_PAUSED, DIM);
    if (p->slots)
        putf(&l, DIM, "  on %u slot%s of %u worker%s", p->slots, p->slots == 1 ? "" : "s",
             p->workers, p->workers == 1 ? "" : "s");
    line_end(&l, lines);
}

static void line_best(const struct progress *p, const struct render_style *s, struct buf *out,
                      size_t *lines)
{
    if (!p->has_best)
        return;
    struct line l = line_begin(out, s);
    put(&l, NULL, STR("  best "));
    if (strcmp(p->metric, "loss") != 0)
        putf(&l, NULL, "%s ", p->metric);
    put_number(&l, GREEN, p->best_loss);
    putf(&l, NULL, "  trial %llu  ", (unsigned long long)p->best_trial);
    struct buf params;
    buf_init(&params, 0);
    cell_params(&params, str_of(p->best_params), SIZE_MAX, true);
    put(&l, DIM, buf_str(&params));
    buf_fini(&params);
    line_end(&l, lines);
}

static void line_curve(const struct progress *p, const struct render_style *s, struct buf *out,
                       size_t *lines)
{
    if (!p->has_best || p->curve_n < 2)
        return;
    struct line l = line_begin(out, s);
    put(&l, NULL, STR("  "));
    struct buf curve;
    buf_init(&curve, 0);
    spark_line(&curve, p->curve, p->curve_n, s->width > 62 ? 60 : s->width - 2, s->utf8);
    put(&l, CYAN, buf_str(&curve));
    buf_fini(&curve);
    line_end(&l, lines);
}

static void line_error(const struct progress *p, const struct render_style *s, struct buf *out,
                       size_t *lines)
{
    if (!p->last_error)
        return;
    struct line l = line_begin(out, s);
    struct buf error;
    buf_init(&error, 0);
    cell_error(&error, str_of(p->last_error));
    put(&l, NULL, STR("  last error "));
    putf(&l, NULL, " trial %llu  ", (unsigned long long)p->last_error_trial);
    put(&l, RED, buf_str(&error));
    buf_fini(&error);
    line_end(&l, lines);
}

static bool is_running(const struct progress_trial *t)
{
    return t->state == TRIAL_RUNNING || t->state == TRIAL_STOPPING;
}

static void put_running(struct line *l, const struct progress_trial *t, int64_t wall_ms)
{
    putf(l, NULL, "  #%llu ", (unsigned long long)t->number);
    if (t->has_step)
        putf(l, DIM, "step %lld ", (long long)t->step);
    if (t->has_loss)
        put_number(l, NULL, t->loss);
    else if (!t->has_step)
        put_duration(l, (double)(wall_ms - t->started_ms) / 1000);
}

static size_t running_width(const struct progress_trial *t, int64_t wall_ms)
{
    struct render_style plain = {.width = 200};
    struct buf text;
    buf_init(&text, 0);
    struct line l = line_begin(&text, &plain);
    put_running(&l, t, wall_ms);
    buf_fini(&text);
    return l.column;
}

/* Running trials in two lines at most; those that do not fit are counted. */
static void lines_running(const struct progress *p, const struct render_style *s, int64_t wall_ms,
                          struct buf *out, size_t *lines)
{
    struct line l = line_begin(out, s);
    size_t pos = 0, shown = 0, rows = 1;
    uint64_t left = p->counts[TRIAL_RUNNING] + p->counts[TRIAL_STOPPING];
    for (struct progress_trial *t; left && (t = idmap_next(&p->open, &pos)) != NULL;) {
        if (!is_running(t))
            continue;
        size_t reserve = rows == 2 && left > 1 ? 14 : 0;
        if (l.column + running_width(t, wall_ms) + reserve > s->width && shown) {
            if (rows++ == 2)
                break;
            line_end(&l, lines);
            l = line_begin(out, s);
        }
        put_running(&l, t, wall_ms);
        shown++;
        left--;
    }
    if (shown && left)
        putf(&l, DIM, "  and %llu more", (unsigned long long)left);
    if (shown)
        line_end(&l, lines);
}

size_t render_live(const struct progress *p, const struct render_style *s, int64_t wall_ms,
                   struct buf *out)
{
    size_t lines = 0;
    line_head(p, s, wall_ms, out, &lines);
    line_states(p, s, out, &lines);
    line_best(p, s, out, &lines);
    line_curve(p, s, out, &lines);
    line_error(p, s, out, &lines);
    lines_running(p, s, wall_ms, out, &lines);
    return lines;
}

void render_improvement(const struct progress *p, const struct progress_news *news,
                        const struct render_style *s, struct buf *out)
{
    struct line l = line_begin(out, s);
    size_t lines = 0;
    putf(&l, NULL, "trial %llu  %s ", (unsigned long long)news->trial, p->metric);
    put_number(&l, GREEN, news->loss);
    if (p->goal)
        putf(&l, NULL, "  (%llu of %llu)  ", (unsigned long long)p->finished,
             (unsigned long long)p->goal);
    else
        putf(&l, NULL, "  (%llu)  ", (unsigned long long)p->finished);
    struct buf params;
    buf_init(&params, 0);
    cell_params(&params, str_of(news->params), SIZE_MAX, true);
    put(&l, DIM, buf_str(&params));
    buf_fini(&params);
    line_end(&l, &lines);
}

void render_counts(const struct progress *p, struct buf *out)
{
    if (p->goal && !p->ended)
        buf_printf(out, "%llu of %llu trials", (unsigned long long)p->finished,
                   (unsigned long long)p->goal);
    else
        buf_printf(out, "%llu trial%s", (unsigned long long)p->finished,
                   p->finished == 1 ? "" : "s");
    const char *separator = ": ";
    for (unsigned state = 0; state <= TRIAL_CANCELLED; state++) {
        if (p->counts[state] == 0)
            continue;
        buf_printf(out, "%s%llu %s", separator, (unsigned long long)p->counts[state],
                   trial_state_name(state));
        separator = ", ";
    }
}

static void add_params(struct buf *out, const char *params)
{
    struct json_object *v = NULL;
    size_t width = 0;
    if (params && json_parse(str_of(params), JSON_NONFINITE, &v, NULL) == ERR_OK &&
        json_object_is_type(v, json_type_object)) {
        json_object_object_foreach(v, key, unused)
        {
            (void)unused;
            size_t w = cell_width(str_of(key));
            width = w > width ? w : width;
        }
        json_object_object_foreach(v, name, value)
        {
            buf_addz(out, "  ");
            cell_text(out, str_of(name), SIZE_MAX, true);
            for (size_t w = cell_width(str_of(name)); w < width + 2; w++)
                buf_addc(out, ' ');
            cell_json(out, value, 6);
            buf_addc(out, '\n');
        }
    }
    json_object_put(v);
}

void render_summary(const struct progress *p, double seconds, struct buf *out)
{
    buf_printf(out, "%s: ", p->study);
    render_counts(p, out);
    buf_addz(out, " in ");
    cell_duration(out, seconds);
    buf_addc(out, '\n');
    if (!p->has_best)
        return;
    buf_printf(out, "best trial %llu: ", (unsigned long long)p->best_trial);
    cell_text(out, str_of(p->metric), SIZE_MAX, true);
    buf_addc(out, ' ');
    cell_number(out, p->best_loss, 6);
    buf_addc(out, '\n');
    add_params(out, p->best_params);
}

static void json_best(struct jsonw *w, const struct progress *p)
{
    jsonw_keyz(w, "best");
    if (!p->has_best) {
        jsonw_null(w);
        return;
    }
    jsonw_object(w);
    jsonw_ku64(w, "trial", p->best_trial);
    jsonw_kf64(w, "loss", p->best_loss);
    jsonw_keyz(w, "params");
    jsonw_raw(w, p->best_params ? str_of(p->best_params) : STR("{}"));
    jsonw_end(w);
}

void render_json(const struct progress *p, double seconds, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "study", str_of(p->study));
    jsonw_keyz(&w, "trials");
    jsonw_object(&w);
    for (unsigned state = 0; state <= TRIAL_CANCELLED; state++)
        if (trial_state_final(state) || p->counts[state])
            jsonw_ku64(&w, trial_state_name(state), p->counts[state]);
    jsonw_end(&w);
    json_best(&w, p);
    jsonw_kbool(&w, "ended", p->ended);
    jsonw_kstr(&w, "why", str_of(p->closed));
    jsonw_kf64(&w, "seconds", seconds);
    jsonw_end(&w);
    buf_addc(out, '\n');
}
