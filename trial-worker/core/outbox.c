/* The outbox of one attempt. Called by attempt.c, which decides what is owed, and by the core on
 * ACK, NAK, WELCOME and time. It must not know why something is sent, only that it is sent until it
 * is settled.
 *
 * A point is accepted only when it is acknowledged, so thinning the ring loses nothing that was
 * promised. Memory is bounded by the ring (256 points with at most 8 KiB of metrics) and by one
 * checkpoint and one final. */
#include "outbox.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"

#define MESSAGE_BYTES (96u << 10) /* of points in one REPORT: far below a worker's frame limit */

static size_t point_bytes(const struct outbox_point *p)
{
    return 32 + (size_t)p->metrics_n;
}

static void forget_sent(struct outbox *o, const struct outbox_point *p)
{
    REQUIRE(o->window->points > 0 && o->window->bytes >= point_bytes(p));
    o->window->points--;
    o->window->bytes -= point_bytes(p);
}

static void free_final(struct outbox *o)
{
    if (!o->final)
        return;
    free((char *)o->final->metrics.p);
    free((char *)o->final->error.p);
    free(o->final);
    o->final = NULL;
}

static void free_checkpoint(struct outbox *o)
{
    free((char *)o->checkpoint.uri.p);
    o->checkpoint = (struct msg_checkpoint){0};
}

/* Removes the points i with drop(i) in one pass. */
static void remove_points(struct outbox *o, const bool *drop)
{
    uint32_t kept = 0, sent = 0, saved = 0;
    for (uint32_t i = 0; i < o->n; i++) {
        if (drop[i]) {
            if (i < o->sent)
                forget_sent(o, &o->points[i]);
            free(o->points[i].metrics);
            continue;
        }
        sent += i < o->sent;
        saved += i < o->saved_n;
        o->points[kept++] = o->points[i];
    }
    o->n = kept;
    o->sent = sent;
    o->saved_n = saved;
}

static uint32_t best_point(const struct outbox *o)
{
    uint32_t best = 0;
    double least = INFINITY;
    for (uint32_t i = 0; i < o->n; i++) {
        double v = o->maximize ? -o->points[i].value : o->points[i].value;
        if (o->points[i].has_value && v < least) {
            least = v;
            best = i;
        }
    }
    return best;
}

/* Every second of those that need not stay. */
static void thin(struct outbox *o)
{
    bool drop[OUTBOX_RING] = {false};
    uint32_t best = best_point(o), before = o->n;
    bool odd = true;
    for (uint32_t i = 1; i + 1 < o->n; i++) {
        if (i == best || o->points[i].decide)
            continue;
        drop[i] = odd;
        odd = !odd;
    }
    remove_points(o, drop);
    o->thinned += before - o->n;
    counter_add(&o->window->counts->v[COUNT_THINNED_POINT], before - o->n);
}

void outbox_init(struct outbox *o, struct outbox_window *window, bool maximize)
{
    *o = (struct outbox){.window = window,
                         .maximize = maximize,
                         .resend_at = CLOCK_NEVER,
                         .interval = OUTBOX_RESEND_NS};
}

void outbox_clear(struct outbox *o)
{
    for (uint32_t i = 0; i < o->n; i++) {
        if (i < o->sent)
            forget_sent(o, &o->points[i]);
        free(o->points[i].metrics);
    }
    o->n = o->sent = o->thinned = 0;
    free_final(o);
    free_checkpoint(o);
    free(o->release_note);
    o->release_note = NULL;
    o->owed = o->unsent = 0;
    o->resend_at = CLOCK_NEVER;
    outbox_unsave(o);
}

void outbox_fini(struct outbox *o)
{
    outbox_clear(o);
    free(o->points);
    o->points = NULL;
}

bool outbox_empty(const struct outbox *o)
{
    return o->owed == 0 && o->n == 0;
}

bool outbox_waiting(const struct outbox *o)
{
    return o->sent < o->n;
}

static void owe(struct outbox *o, unsigned item)
{
    o->owed |= item;
    o->unsent |= item;
    o->saved &= ~item;
}

void outbox_start(struct outbox *o, const struct outbox_beginning *b)
{
    o->beginning = *b;
    owe(o, OWE_START);
}

void outbox_point(struct outbox *o, const struct outbox_point *p)
{
    if (o->n == OUTBOX_RING)
        thin(o);
    if (o->n == o->cap) {
        o->cap = o->cap ? o->cap * 2 : 8;
        o->points = alloc_grow(o->points, o->cap, sizeof *o->points);
    }
    o->points[o->n++] = *p;
}

static struct str copy(struct str s, size_t limit)
{
    size_t n = str_utf8_cut(s, limit);
    return n == 0 ? (struct str){0} : str_make(str_dupz(str_make(s.p, n)), n);
}

void outbox_checkpoint(struct outbox *o, const struct msg_checkpoint *c)
{
    free_checkpoint(o);
    o->checkpoint = *c;
    o->checkpoint.uri = copy(c->uri, 2048);
    owe(o, OWE_CHECKPOINT);
}

void outbox_final(struct outbox *o, const struct msg_final *f)
{
    free_final(o);
    o->final = alloc_zero(sizeof *o->final);
    *o->final = *f;
    o->final->metrics = copy(f->metrics, 8192);
    o->final->error = copy(f->error, 4096);
    owe(o, OWE_FINAL);
}

void outbox_release(struct outbox *o, uint8_t why, const char *note)
{
    o->release_why = why;
    free(o->release_note);
    o->release_note = note ? str_dupz(str_make(note, str_utf8_cut(str_of(note), 1024))) : NULL;
    owe(o, OWE_RELEASE);
}

/* To the broker, or to the spool. */
static void emit(const struct outbox_id *id, unsigned kind, const void *msg, struct worker_out *fx)
{
    if (id->spool)
        worker_out_spool(fx, kind, msg);
    else
        worker_out_send(fx, id->session, kind, msg);
}

static struct point as_point(const struct outbox_point *p)
{
    return (struct point){p->step, p->has_value, p->value, str_make(p->metrics, p->metrics_n)};
}

static void emit_points(const struct outbox_id *id, const struct point *v, uint32_t n,
                        uint32_t thinned, struct worker_out *fx)
{
    struct msg_report m = {
        .study = id->study, .trial = id->trial, .attempt = id->attempt, .thinned = thinned};
    m.points.v = v;
    m.points.n = n;
    emit(id, MSG_REPORT, &m, fx);
}

/* One REPORT from the first point that was not sent; returns how many went. */
static uint32_t send_points(struct outbox *o, const struct outbox_id *id, bool force,
                            struct worker_out *fx)
{
    struct point v[OUTBOX_RING];
    size_t bytes = 0;
    uint32_t n = 0;
    for (uint32_t i = o->sent; i < o->n; i++) {
        const struct outbox_point *p = &o->points[i];
        if (n > 0 && bytes + point_bytes(p) > MESSAGE_BYTES)
            break;
        if (!force && (o->window->points == OUTBOX_WINDOW_POINTS ||
                       o->window->bytes + point_bytes(p) > OUTBOX_WINDOW_BYTES))
            break;
        v[n++] = as_point(p);
        bytes += point_bytes(p);
        o->window->points++;
        o->window->bytes += point_bytes(p);
    }
    if (n == 0)
        return 0;
    emit_points(id, v, n, o->thinned, fx);
    o->thinned = 0;
    o->sent += n;
    return n;
}

static void send_start(struct outbox *o, const struct outbox_id *id, struct worker_out *fx)
{
    const struct outbox_beginning *b = &o->beginning;
    struct msg_start m = {id->study, id->trial, id->attempt, b->pid, b->resumed, b->resume_step};
    emit(id, MSG_START, &m, fx);
}

static void send_checkpoint(struct outbox *o, const struct outbox_id *id, struct worker_out *fx)
{
    struct msg_checkpoint m = o->checkpoint;
    m.study = id->study;
    m.trial = id->trial;
    m.attempt = id->attempt;
    emit(id, MSG_CHECKPOINT, &m, fx);
}

static void send_final(struct outbox *o, const struct outbox_id *id, struct worker_out *fx)
{
    struct msg_final m = *o->final;
    m.study = id->study;
    m.trial = id->trial;
    m.attempt = id->attempt;
    emit(id, MSG_FINAL, &m, fx);
}

static void send_release(struct outbox *o, const struct outbox_id *id, struct worker_out *fx)
{
    struct msg_release m = {id->study, id->trial, id->attempt, o->release_why,
                            str_of(o->release_note)};
    emit(id, MSG_RELEASE, &m, fx);
}

void outbox_send(struct outbox *o, const struct outbox_id *id, int64_t now, struct worker_out *fx)
{
    if (id->session == 0 || (o->unsent == 0 && !outbox_waiting(o)))
        return;
    if (o->unsent & OWE_START)
        send_start(o, id, fx);
    bool last = o->unsent & (OWE_FINAL | OWE_RELEASE);
    while (outbox_waiting(o) && send_points(o, id, last, fx) > 0)
        ;
    if (o->unsent & OWE_CHECKPOINT)
        send_checkpoint(o, id, fx);
    if (o->unsent & OWE_FINAL)
        send_final(o, id, fx);
    if (o->unsent & OWE_RELEASE)
        send_release(o, id, fx);
    o->unsent = 0;
    if (o->resend_at == CLOCK_NEVER && (o->owed || o->sent))
        o->resend_at = now + o->interval;
}

static void save_points(struct outbox *o, const struct outbox_id *id, struct worker_out *fx)
{
    struct point v[OUTBOX_RING];
    size_t bytes = 0;
    uint32_t n = 0;
    for (uint32_t i = o->saved_n; i < o->n; i++) {
        if (n > 0 && bytes + point_bytes(&o->points[i]) > MESSAGE_BYTES) {
            emit_points(id, v, n, 0, fx);
            bytes = n = 0;
        }
        v[n++] = as_point(&o->points[i]);
        bytes += point_bytes(&o->points[i]);
    }
    if (n > 0)
        emit_points(id, v, n, 0, fx);
    o->saved_n = o->n;
}

bool outbox_owes_end(const struct outbox *o)
{
    return o->owed & OWE_END;
}

bool outbox_releases_lost(const struct outbox *o)
{
    return (o->owed & OWE_RELEASE) && o->release_why == RELEASE_LOST;
}

bool outbox_ends(const struct outbox *o)
{
    return o->owed & (OWE_FINAL | OWE_RELEASE);
}

bool outbox_unsaved(const struct outbox *o)
{
    return o->owed & ~o->saved & OWE_END;
}

void outbox_unsave(struct outbox *o)
{
    o->saved = 0;
    o->saved_n = 0;
}

void outbox_save(struct outbox *o, const struct outbox_id *to, struct worker_out *fx)
{
    struct outbox_id id = *to;
    unsigned lacking = o->owed & ~o->saved;
    id.spool = true;
    if (lacking & OWE_START)
        send_start(o, &id, fx);
    save_points(o, &id, fx);
    if (lacking & OWE_CHECKPOINT)
        send_checkpoint(o, &id, fx);
    if (lacking & OWE_FINAL)
        send_final(o, &id, fx);
    if (lacking & OWE_RELEASE)
        send_release(o, &id, fx);
    o->saved = o->owed;
}

static void count_again(const struct outbox *o)
{
    static const struct {
        unsigned item;
        enum counter counter;
    } items[] = {{OWE_START, COUNT_RESENT_START},
                 {OWE_CHECKPOINT, COUNT_RESENT_CHECKPOINT},
                 {OWE_FINAL, COUNT_RESENT_FINAL},
                 {OWE_RELEASE, COUNT_RESENT_RELEASE}};
    struct counters *n = o->window->counts;
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        counter_add(&n->v[items[i].counter], (o->owed & ~o->unsent & items[i].item) != 0);
    counter_add(&n->v[COUNT_RESENT_REPORT], o->sent);
}

void outbox_rewind(struct outbox *o, bool later)
{
    count_again(o);
    for (uint32_t i = 0; i < o->sent; i++)
        forget_sent(o, &o->points[i]);
    o->sent = 0;
    o->unsent = o->owed;
    o->resend_at = CLOCK_NEVER;
    o->interval = later ? o->interval * 2 : OUTBOX_RESEND_NS;
    if (o->interval > OUTBOX_RESEND_MAX_NS)
        o->interval = OUTBOX_RESEND_MAX_NS;
}

static void settle_points(struct outbox *o, int64_t step)
{
    bool drop[OUTBOX_RING] = {false};
    for (uint32_t i = 0; i < o->n && o->points[i].step <= step; i++)
        drop[i] = true;
    remove_points(o, drop);
}

static void settle_item(struct outbox *o, unsigned item)
{
    o->owed &= ~item;
    o->unsent &= ~item;
    o->saved &= ~item;
    if (item == OWE_FINAL)
        free_final(o);
}

void outbox_settle(struct outbox *o, unsigned kind, int64_t step, int64_t now)
{
    if (kind == MSG_REPORT)
        settle_points(o, step);
    else if (kind == MSG_START)
        settle_item(o, OWE_START);
    else if (kind == MSG_CHECKPOINT && o->checkpoint.step <= step)
        settle_item(o, OWE_CHECKPOINT);
    else if (kind == MSG_FINAL)
        settle_item(o, OWE_FINAL);
    else if (kind == MSG_RELEASE)
        settle_item(o, OWE_RELEASE);
    o->interval = OUTBOX_RESEND_NS;
    o->resend_at = (o->owed & ~o->unsent) || o->sent ? now + o->interval : CLOCK_NEVER;
}
