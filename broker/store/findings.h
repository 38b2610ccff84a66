/* What a checkup found, and its answer: rows of check, status, text and advice. */
#ifndef FARM_STORE_FINDINGS_H
#define FARM_STORE_FINDINGS_H

#include "group.h"

#define FINDINGS_MOST 20u /* kept of one check; the others are counted */
#define FINDINGS_BAGS 3u

struct findings {
    struct buf text; /* one a line */
    uint64_t n;
};
void findings_add(struct findings *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
void findings_fini(struct findings *f);

struct findings_lines {
    struct group *g;
    struct str v[FINDINGS_BAGS * (FINDINGS_MOST + 1)];
    uint32_t n;
};
/* A line for each finding, with what to do; or one that says what was fine. At most FINDINGS_BAGS
 * times. */
void findings_lines(struct findings_lines *l, const char *check, const struct findings *f,
                    const char *fine, const char *advice);
/* Puts the lines into l->g as the last answer to `ask`. */
void findings_answer(const struct findings_lines *l, const struct fx_ask *ask, uint64_t seq);

#endif
