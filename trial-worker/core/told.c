/* Counters rise rarely, so a beat brings only those that the broker does not know: all that differ
 * from what the last acknowledged beat brought. Called by worker_link.c. */
#include "told.h"

#include "arena.h"

const struct count *told_news(struct told *t, uint64_t beat, struct arena *a, uint32_t *n)
{
    struct count *v = NULL;
    *n = 0;
    if (memcmp(&t->now, &t->known, sizeof t->now) != 0)
        v = arena_array(a, COUNTERS, sizeof *v);
    for (unsigned c = 0; v && c < COUNTERS; c++) {
        if (t->now.v[c] != t->known.v[c])
            v[(*n)++] = (struct count){str_of(counter_name(c)), t->now.v[c]};
    }
    if (v) {
        t->sent = t->now;
        t->beat = beat;
    }
    return v;
}

void told_acked(struct told *t, uint64_t beat)
{
    if (t->beat && beat == t->beat)
        t->known = t->sent;
}

void told_forget(struct told *t)
{
    t->known = (struct counters){{0}};
    t->beat = 0;
}
