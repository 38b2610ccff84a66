/* Keeping the counters. A peer that never did anything odd has no memory of its own here; one that
 * did has one array, whatever it does. When its session ends that goes, and the sums of its role
 * stay.
 *
 * Every file that refuses something calls it; inspect.c shows it. It must not know why. */
#include "tally.h"

#include <stdlib.h>

static uint64_t *of(struct session *s, unsigned c)
{
    if (!s->tally)
        s->tally = alloc_zero(sizeof *s->tally);
    return &s->tally->v[c];
}

void tally(struct farm *f, struct session *s, enum counter c, uint64_t n)
{
    if (!n)
        return;
    if (s)
        counter_add(of(s, c), n);
    counter_add(&f->totals[s ? s->role : 0].v[c], n);
}

void tally_told(struct farm *f, struct session *s, const struct count *counts, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        unsigned c = counter_find(counts[i].name);
        if (!counter_of_worker(c))
            continue;
        uint64_t *mine = of(s, c), before = *mine;
        *mine = counts[i].n;
        if (counts[i].n > before)
            counter_add(&f->totals[s->role].v[c], counts[i].n - before);
    }
}

void tally_move(struct session *from, struct session *to)
{
    free(to->tally);
    to->tally = from->tally;
    from->tally = NULL;
}

void farm_count(struct farm *f, uint64_t peer, enum counter c, uint64_t n)
{
    tally(f, idmap_get(&f->peers, peer), c, n);
}

struct counters farm_counters(const struct farm *f)
{
    struct counters sum = f->totals[0];
    for (unsigned role = ROLE_WORKER; role <= ROLE_CLIENT; role++) {
        for (unsigned c = 0; c < COUNTERS; c++)
            counter_add(&sum.v[c], f->totals[role].v[c]);
    }
    return sum;
}
