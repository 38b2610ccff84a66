/* The events of a study as bytes, written and read.
 *
 * Called by the library only. Whole numbers are LEB128, doubles eight bytes, least first; of a
 * point only the active parameters are written. The reader believes nothing: a point that it
 * returns is one of the space. What an event does to a study is not known here. */
#include "trail.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "codes.h"
#include "err.h"

#define MAX_WHY 65536 /* samplers promise 1 KiB; a file may promise anything */
#define SLACK   (2u * MAX_WHY)

void trail_init(struct trail *t, const struct space *space)
{
    *t = (struct trail){.space = space};
    buf_init(&t->bytes, TRAIL_MAX_BYTES);
}

void trail_fini(struct trail *t)
{
    buf_fini(&t->bytes);
    free(t->begins);
    *t = (struct trail){0};
}

bool trail_full(const struct trail *t)
{
    return t->bytes.n > TRAIL_MAX_BYTES - SLACK;
}

static void add_whole(struct buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_addc(b, (char)(v | 0x80));
    buf_addc(b, (char)v);
}

static void add_f64(struct buf *b, double v)
{
    uint64_t bits;
    char bytes[8];
    memcpy(&bits, &v, sizeof bits);
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(bits >> 8 * i);
    buf_add(b, bytes, sizeof bytes);
}

static void add_point(struct buf *b, const struct space *space, const double *point)
{
    for (uint32_t i = 0; i < space->n; i++)
        if (!isnan(point[i]))
            add_f64(b, point[i]);
}

static bool begins_trial(enum event_kind k)
{
    return k == EVENT_PROPOSED || k == EVENT_TAKEN || k == EVENT_ADDED;
}

static void note_trial(struct trail *t)
{
    if (t->n_trials == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 64;
        t->begins = alloc_grow(t->begins, t->cap, sizeof *t->begins);
    }
    t->begins[t->n_trials++] = t->bytes.n;
}

void trail_add(struct trail *t, const struct event *e)
{
    struct buf *b = &t->bytes;
    if (begins_trial(e->kind))
        note_trial(t);
    buf_addc(b, (char)e->kind);
    switch (e->kind) {
    case EVENT_PROPOSED:
        add_whole(b, e->why.n);
        buf_add_str(b, e->why);
        add_point(b, t->space, e->point);
        break;
    case EVENT_ENQUEUED:
    case EVENT_ADDED:
        add_point(b, t->space, e->point);
        break;
    case EVENT_TAKEN:
    case EVENT_EXHAUSTED:
        break;
    case EVENT_REPORTED:
        add_whole(b, e->trial);
        add_whole(b, (uint64_t)e->step);
        add_f64(b, e->loss);
        break;
    case EVENT_FINISHED:
        add_whole(b, e->trial);
        buf_addc(b, (char)e->state);
        if (e->state == TRIAL_COMPLETE)
            add_f64(b, e->loss);
        break;
    }
}

struct cursor {
    const unsigned char *p, *end;
    bool bad; /* sticky */
};

static uint8_t read_byte(struct cursor *c)
{
    if (c->p == c->end) {
        c->bad = true;
        return 0;
    }
    return *c->p++;
}

/* At most `most`, in the shortest form. */
static uint64_t read_whole(struct cursor *c, uint64_t most)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        uint8_t byte = read_byte(c);
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        if (v > most || (byte == 0 && shift > 0))
            break;
        return v;
    }
    c->bad = true;
    return 0;
}

static double read_f64(struct cursor *c)
{
    uint64_t bits = 0;
    double v;
    if (c->end - c->p < 8) {
        c->bad = true;
        return 0;
    }
    for (int i = 0; i < 8; i++)
        bits |= (uint64_t)*c->p++ << 8 * i;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static void read_point(struct cursor *c, const struct space *space, double *point)
{
    for (uint32_t i = 0; i < space->n && !c->bad; i++) {
        point[i] = (double)NAN;
        if (!space_active(space, i, point))
            continue;
        double v = read_f64(c);
        c->bad = c->bad || !isfinite(v) || param_legal(&space->params[i], v) != v;
        point[i] = v;
    }
}

static void read_why(struct cursor *c, struct event *e)
{
    size_t n = (size_t)read_whole(c, MAX_WHY);
    if (c->bad || n > (size_t)(c->end - c->p)) {
        c->bad = true;
        return;
    }
    e->why = str_make(c->p, n);
    c->p += n;
}

bool trail_read(struct str bytes, const struct space *space, size_t *at, struct event *e)
{
    REQUIRE(*at <= bytes.n);
    const unsigned char *p = (const unsigned char *)bytes.p;
    struct cursor c = {p + *at, p + bytes.n, false};
    *e = (struct event){.point = e->point, .loss = (double)NAN};
    uint8_t kind = read_byte(&c);
    e->kind = (enum event_kind)kind;
    switch (kind) {
    case EVENT_PROPOSED:
        read_why(&c, e);
        read_point(&c, space, e->point);
        break;
    case EVENT_ENQUEUED:
    case EVENT_ADDED:
        read_point(&c, space, e->point);
        break;
    case EVENT_TAKEN:
    case EVENT_EXHAUSTED:
        break;
    case EVENT_REPORTED:
        e->trial = read_whole(&c, INT64_MAX);
        e->step = (int64_t)read_whole(&c, INT64_MAX);
        e->loss = read_f64(&c);
        break;
    case EVENT_FINISHED:
        e->trial = read_whole(&c, INT64_MAX);
        e->state = read_byte(&c);
        if (e->state == TRIAL_COMPLETE)
            e->loss = read_f64(&c);
        break;
    default:
        c.bad = true;
    }
    if (!c.bad)
        *at = (size_t)(c.p - p);
    return !c.bad;
}

struct str trail_why(const struct trail *t, uint64_t trial)
{
    REQUIRE(trial < t->n_trials);
    const unsigned char *p = (const unsigned char *)t->bytes.p;
    struct cursor c = {p + t->begins[trial], p + t->bytes.n, false};
    struct event e = {.why = STR("")};
    if (read_byte(&c) == EVENT_PROPOSED)
        read_why(&c, &e);
    return e.why;
}
