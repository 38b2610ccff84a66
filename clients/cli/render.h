/* A progress as lines of text: the live view's block and the one-line sayings. Pure. */
#ifndef FARM_CLI_RENDER_H
#define FARM_CLI_RENDER_H

#include "progress.h"

struct render_style {
    size_t width; /* columns, at least 20 */
    bool utf8;
    bool color;
};

/* The live view: at most RENDER_LINES lines, each ended by a newline and no wider than the style's
 * width (escape sequences of colour not counted). Returns their number. */
#define RENDER_LINES 8
size_t render_live(const struct progress *p, const struct render_style *s, int64_t wall_ms,
                   struct buf *out);
/* "trial 21  loss 0.0713  (34 of 60)  lr=0.012 units=256" and a newline: for an improvement. */
void render_improvement(const struct progress *p, const struct progress_news *news,
                        const struct render_style *s, struct buf *out);
/* "34 of 60 trials: 32 complete, 2 failed" without a newline. */
void render_counts(const struct progress *p, struct buf *out);
/* The last words about a study: counts and time, the best trial and its parameters, one a line. */
void render_summary(const struct progress *p, double seconds, struct buf *out);
/* {"study":..,"trials":{..},"best":{..}|null,...} and a newline. */
void render_json(const struct progress *p, double seconds, struct buf *out);

#endif
