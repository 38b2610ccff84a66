/* A study in memory: its spec and envelope, counters, the line of its trials. */
#ifndef FARM_CORE_STUDY_H
#define FARM_CORE_STUDY_H

#include "farm_state.h"

/* NULL if there is none. */
struct study *study_get(const struct farm *f, uint64_t number);
struct study *study_named(const struct farm *f, struct str name);
/* A new study, open; number must be the next one. */
struct study *study_add(struct farm *f, uint64_t number, struct str name);
/* Copies the spec's bytes and what the envelope says. */
void study_set_spec(struct study *s, struct digest digest, struct digest search, uint32_t number,
                    struct str spec, const struct envelope *env);
void study_free(struct study *s);

uint64_t study_running(const struct study *s); /* open attempts */
uint64_t study_unfinished(const struct study *s);
/* Dispatch looks at it again. */
void study_activate(struct study *s);
/* It has records that its readers have not seen. */
void study_touch(struct study *s);
void study_mark(struct study *s, uint64_t seq, int64_t now);
/* A complete trial with this value. */
void study_score(struct study *s, uint64_t trial, double value);
uint64_t study_elapsed_ms(const struct study *s, int64_t now);
/* Stops (no longer open, or paused) or starts the clock of elapsed_ms. */
void study_clock(struct study *s, int64_t now);
const char *
study_shown_state(const struct study *s); /* for people: "paused" hides open and closed */
void study_fill(const struct study *s, int64_t now, struct study_image *out); /* strings borrowed */
bool study_name_ok(struct str name); /* 1 to 128 of [A-Za-z0-9._-], not "." or ".." */

#endif
