/* Decides what of a study's news is said and when; render.c has the words. A pipe gets little, so
 * that a log of a long study stays short; a program gets every start and end as one JSON object a
 * line.
 *
 * Called by follow.c and the commands run and watch. Owns standard output while a study is
 * followed. */
#include "announce.h"

#include <stdio.h>
#include <unistd.h>

#include "cell.h"
#include "clock.h"
#include "json.h"

#define DRAW_EVERY (100 * NS_PER_MS)
#define DRAW_IDLE  NS_PER_S

static void set_style(struct announce *a)
{
    size_t width = a->screen.width ? a->screen.width - 1 : 160;
    a->style = (struct render_style){
        .width = width < 20 ? 20 : width, .utf8 = a->screen.utf8, .color = a->screen.color};
}

void announce_init(struct announce *a, bool json, bool quiet)
{
    *a = (struct announce){.screen = client_screen(STDOUT_FILENO)};
    set_style(a);
    if (json)
        a->mode = ANNOUNCE_JSON;
    else if (quiet)
        a->mode = ANNOUNCE_QUIET;
    else if (a->screen.tty && termview_open(&a->view, STDOUT_FILENO, a->screen.width))
        a->mode = ANNOUNCE_LIVE;
    else
        a->mode = ANNOUNCE_LINES;
}

void announce_fini(struct announce *a)
{
    if (a->mode == ANNOUNCE_LIVE)
        termview_close(&a->view);
}

void announce_resize(struct announce *a)
{
    a->screen = client_screen(STDOUT_FILENO);
    set_style(a);
    if (a->mode == ANNOUNCE_LIVE)
        termview_resize(&a->view, a->screen.width);
    a->dirty = true;
}

static void print(struct announce *a, const struct buf *text)
{
    if (a->mode == ANNOUNCE_LIVE) {
        termview_print(&a->view, buf_str(text));
        a->drawn_at = 0;
        return;
    }
    fwrite(text->p, 1, text->n, stdout);
    fflush(stdout);
}

static void json_loss(struct jsonw *w, const struct progress_news *news)
{
    jsonw_keyz(w, "loss");
    if (news->has_loss)
        jsonw_f64(w, news->loss);
    else
        jsonw_null(w);
}

static void say_json(struct announce *a, const struct progress_news *news)
{
    struct buf text;
    struct jsonw w;
    buf_init(&text, 0);
    jsonw_init(&w, &text);
    jsonw_object(&w);
    jsonw_kstr(&w, "event", news->change & PROGRESS_STARTED ? STR("started") : STR("finished"));
    jsonw_ku64(&w, "trial", news->trial);
    jsonw_ku64(&w, "attempt", news->attempt);
    if (news->change & PROGRESS_FINISHED) {
        jsonw_kstr(&w, "state", str_of(trial_state_name(news->state)));
        json_loss(&w, news);
        jsonw_kbool(&w, "improved", (news->change & PROGRESS_IMPROVED) != 0);
        if (news->error.n && news->state == TRIAL_FAILED)
            jsonw_kstr(&w, "error", news->error);
    }
    if (news->params) {
        jsonw_keyz(&w, "params");
        jsonw_raw(&w, str_of(news->params));
    }
    jsonw_end(&w);
    buf_addc(&text, '\n');
    print(a, &text);
    buf_fini(&text);
}

void announce_news(struct announce *a, const struct progress *p, const struct progress_news *news,
                   bool old)
{
    a->dirty = true;
    if (old || news->change == PROGRESS_NOTHING)
        return;
    if (a->mode == ANNOUNCE_JSON && (news->change & (PROGRESS_STARTED | PROGRESS_FINISHED)))
        say_json(a, news);
    if ((news->change & PROGRESS_IMPROVED) &&
        (a->mode == ANNOUNCE_LIVE || a->mode == ANNOUNCE_LINES)) {
        struct buf text;
        buf_init(&text, 0);
        render_improvement(p, news, &a->style, &text);
        print(a, &text);
        buf_fini(&text);
    }
}

void announce_say(struct announce *a, const char *fmt, ...)
{
    char sentence[1024];
    struct buf text;
    va_list ap;
    if (a->mode != ANNOUNCE_LIVE && a->mode != ANNOUNCE_LINES)
        return;
    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    buf_init(&text, 0);
    cell_text(&text, str_of(sentence), SIZE_MAX, true);
    buf_addc(&text, '\n');
    print(a, &text);
    buf_fini(&text);
}

int64_t announce_tick(struct announce *a, const struct progress *p, int64_t now)
{
    if (a->mode != ANNOUNCE_LIVE)
        return CLOCK_NEVER;
    int64_t due = a->drawn_at + (a->dirty ? DRAW_EVERY : DRAW_IDLE);
    if (now < due)
        return due;
    struct buf text;
    buf_init(&text, 0);
    render_live(p, &a->style, clock_wall_ms(), &text);
    termview_draw(&a->view, buf_str(&text));
    buf_fini(&text);
    a->drawn_at = now;
    a->dirty = false;
    return now + DRAW_IDLE;
}

/* In a pipe the end is one line. */
static void one_line(const struct progress *p, double seconds, struct buf *out)
{
    buf_printf(out, "%s: ", p->study);
    render_counts(p, out);
    buf_addz(out, " in ");
    cell_duration(out, seconds);
    if (p->has_best) {
        buf_printf(out, "; best trial %llu  ", (unsigned long long)p->best_trial);
        cell_text(out, str_of(p->metric), SIZE_MAX, true);
        buf_addc(out, ' ');
        cell_number(out, p->best_loss, 6);
        buf_addz(out, "  ");
        cell_params(out, str_of(p->best_params), 400, true);
    }
    buf_addc(out, '\n');
}

void announce_end(struct announce *a, const struct progress *p, double seconds, const char *hint)
{
    struct buf text;
    buf_init(&text, 0);
    if (a->mode == ANNOUNCE_JSON)
        render_json(p, seconds, &text);
    else if (a->mode == ANNOUNCE_LINES)
        one_line(p, seconds, &text);
    else
        render_summary(p, seconds, &text);
    if (hint && a->mode == ANNOUNCE_LIVE)
        buf_printf(&text, "%s\n", hint);
    print(a, &text);
    buf_fini(&text);
}
