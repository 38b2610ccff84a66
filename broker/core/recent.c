/* The most recent records, in two rings: entries by seq, and their bytes, each record in one piece.
 *
 * Written when a record is made (farm_journal.c), read by stream.c. It must not know what a record
 * means.
 *
 * Per study it keeps the first and last held, and a mark: where the study's reader asked last. A
 * live reader asks for what it has not seen since, so a search begins at the mark and is short. */
#include "recent.h"

#include <stdlib.h>

#include "alloc.h"
#include "err.h"

struct recent_study {
    uint64_t first, last; /* seqs; 0 = none held */
    uint64_t mark;        /* seq of a held record; 0 = none */
};

void recent_init(struct recent *r, uint32_t entries, uint32_t bytes)
{
    REQUIRE(entries && (entries & (entries - 1)) == 0 && bytes);
    *r = (struct recent){.cap = entries, .size = bytes, .first = 1};
    r->entries = alloc_array(entries, sizeof *r->entries);
    r->bytes = alloc_zero(bytes);
    idmap_init(&r->studies);
}

void recent_fini(struct recent *r)
{
    size_t pos = 0;
    for (struct recent_study *s; (s = idmap_next(&r->studies, &pos));)
        free(s);
    idmap_fini(&r->studies);
    free(r->entries);
    free(r->bytes);
    *r = (struct recent){0};
}

static struct recent_entry *slot(const struct recent *r, uint64_t seq)
{
    return &r->entries[seq & (r->cap - 1)];
}

static void drop_first(struct recent *r)
{
    struct recent_entry *e = slot(r, r->first++);
    struct recent_study *s = idmap_get(&r->studies, e->study + 1);
    if (s->mark == s->first)
        s->mark = e->next;
    s->first = e->next;
    if (!s->first) {
        free(idmap_remove(&r->studies, e->study + 1));
    }
}

/* Makes room for n bytes in one piece at r->head, giving up the oldest records that stand there. */
static void make_room(struct recent *r, uint32_t n)
{
    if (r->size - r->head < n) {
        while (r->first <= r->last && slot(r, r->first)->at >= r->head)
            drop_first(r);
        r->head = 0;
    }
    while (r->first <= r->last) {
        const struct recent_entry *e = slot(r, r->first);
        if (e->at + e->n <= r->head || e->at >= r->head + n)
            break;
        drop_first(r);
    }
}

static void link_study(struct recent *r, uint64_t study, uint64_t seq)
{
    struct recent_study *s = idmap_get(&r->studies, study + 1);
    if (!s) {
        s = alloc_zero(sizeof *s);
        s->first = seq;
        idmap_put(&r->studies, study + 1, s);
    } else {
        slot(r, s->last)->next = seq;
    }
    s->last = seq;
}

void recent_push(struct recent *r, const struct recent_entry *e, struct str body)
{
    REQUIRE(r->first > r->last || e->seq == r->last + 1);
    if (r->first > r->last)
        r->first = e->seq;
    if (body.n > r->size / 2) {
        while (r->first <= r->last)
            drop_first(r);
        r->first = e->seq + 1;
        r->last = e->seq;
        return;
    }
    if (r->first <= r->last && r->last - r->first + 1 == r->cap)
        drop_first(r);
    make_room(r, (uint32_t)body.n);
    if (r->first > r->last)
        r->first = e->seq;
    r->last = e->seq;
    struct recent_entry *x = slot(r, e->seq);
    *x = *e;
    x->next = 0;
    x->at = r->head;
    x->n = (uint32_t)body.n;
    memcpy(r->bytes + r->head, body.p, body.n);
    r->head += x->n;
    link_study(r, e->study, e->seq);
}

const struct recent_entry *recent_at(const struct recent *r, uint64_t seq)
{
    return seq >= r->first && seq <= r->last ? slot(r, seq) : NULL;
}

const struct recent_entry *recent_study_at(const struct recent *r, uint64_t study,
                                           uint64_t study_seq)
{
    struct recent_study *s = idmap_get(&r->studies, study + 1);
    if (!s || slot(r, s->first)->study_seq > study_seq || slot(r, s->last)->study_seq < study_seq)
        return NULL;
    uint64_t at = s->mark && slot(r, s->mark)->study_seq <= study_seq ? s->mark : s->first;
    while (slot(r, at)->study_seq < study_seq)
        at = slot(r, at)->next;
    s->mark = at;
    return slot(r, at);
}

struct str recent_body(const struct recent *r, const struct recent_entry *e)
{
    return str_make(r->bytes + e->at, e->n);
}
