/* How a followed study is told: a live view on a terminal, one line an improvement in a pipe, JSON
 * lines for programs, or nothing but the end. */
#ifndef FARM_CLI_ANNOUNCE_H
#define FARM_CLI_ANNOUNCE_H

#include "client.h"
#include "progress.h"
#include "render.h"
#include "termview.h"

enum announce_mode { ANNOUNCE_LIVE, ANNOUNCE_LINES, ANNOUNCE_JSON, ANNOUNCE_QUIET };

struct announce {
    enum announce_mode mode;
    struct screen screen;
    struct render_style style;
    struct termview view;
    int64_t drawn_at; /* clock_now() */
    bool dirty;
};

/* Standard output decides between live and lines. */
void announce_init(struct announce *a, bool json, bool quiet);
void announce_fini(struct announce *a);
void announce_resize(struct announce *a);
/* old: the record was there before this command began; it is not announced. */
void announce_news(struct announce *a, const struct progress *p, const struct progress_news *news,
                   bool old);
/* Says one sentence for people, above the live view; nothing in JSON and quiet mode. */
void announce_say(struct announce *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Draws the live view if it is due; returns when it wants to be called next (clock_now() scale). */
int64_t announce_tick(struct announce *a, const struct progress *p, int64_t now);
/* The last words, by mode. hint: what a person may type next; may be NULL. */
void announce_end(struct announce *a, const struct progress *p, double seconds, const char *hint);

#endif
