/* A study as bytes and back: the trail is walked again, step by step, through the same books.
 *
 * Called by users' programs. What is loaded may come from anybody: it is read into a study of its
 * own, every step checked as a call would be, and the handle stays empty unless all of it fits. */
#include <math.h>
#include <stdlib.h>

#include "handle.h"
#include "snapshot.h"
#include "wholefile.h"

static err_t save(const struct tunefarm_study *s, struct buf *out, struct errmsg *em)
{
    const struct snapshot shot = {
        .spec = buf_str(&s->json), .trail = buf_str(&s->trail.bytes), .elapsed_ns = s->elapsed_ns};
    buf_init(out, SNAPSHOT_MAX_BYTES);
    snapshot_write(&shot, out);
    if (buf_ok(out) && buf_ok(&s->trail.bytes))
        return ERR_OK;
    buf_fini(out);
    return errmsg_set(em, ERR_NOMEM, "no memory to save the study");
}

int32_t tunefarm_study_save(struct tunefarm_study *s, const void **data, int64_t *size)
{
    int32_t status = handle_check(s);
    if (!status)
        status = handle_check_argument(s, data, "data");
    if (!status)
        status = handle_check_argument(s, size, "size");
    if (status)
        return status;
    buf_fini(&s->image);
    status = handle_status(save(s, &s->image, &s->em));
    if (status)
        return status;
    *data = s->image.p;
    *size = (int64_t)s->image.n;
    return TUNEFARM_OK;
}

int32_t tunefarm_study_save_file(struct tunefarm_study *s, const char *path)
{
    struct buf image;
    int32_t status = handle_check(s);
    if (!status)
        status = handle_check_argument(s, path, "path");
    if (status)
        return status;
    err_t e = save(s, &image, &s->em);
    if (!e) {
        e = wholefile_write(path, buf_str(&image), &s->em);
        buf_fini(&image);
    }
    return handle_status(e);
}

/* Takes one step again. text: scratch. */
static err_t repeat(struct tunefarm_study *s, const struct event *e, struct buf *text)
{
    uint64_t trial;
    struct solo_trial t;
    buf_clear(text);
    if (e->kind == EVENT_PROPOSED || e->kind == EVENT_ENQUEUED || e->kind == EVENT_ADDED)
        space_write(s->spec->space, e->point, text);
    switch (e->kind) {
    case EVENT_PROPOSED:
        return solo_propose(s->solo, buf_str(text), &s->em);
    case EVENT_ENQUEUED:
        return solo_enqueue(s->solo, buf_str(text), &s->em);
    case EVENT_TAKEN:
        return solo_take(s->solo, &t, &s->em);
    case EVENT_ADDED:
        return solo_add(s->solo, buf_str(text), &trial, &s->em);
    case EVENT_REPORTED:
        return solo_report(s->solo, e->trial, e->step, e->loss, &s->em);
    case EVENT_FINISHED:
        return solo_finish(s->solo, e->trial, (enum trial_state)e->state, e->loss, &s->em);
    case EVENT_EXHAUSTED:
        solo_exhausted(s->solo);
        return ERR_OK;
    }
    return errmsg_set(&s->em, ERR_INVALID, "an unknown event");
}

/* A trial whose point the tuner did not take has no place in the history. */
static bool in_history(const struct tunefarm_study *s)
{
    uint64_t n = solo_count(s->solo);
    return n == 0 || history_outcome(handle_history(s), n - 1) != OUTCOME_NONE;
}

static err_t walk(struct tunefarm_study *s, struct str trail)
{
    struct buf text;
    struct event e = {.point = s->point};
    unsigned long long number = 0;
    err_t err = ERR_OK;
    buf_init(&text, 0);
    for (size_t at = 0; at < trail.n; number++) {
        if (!trail_read(trail, s->spec->space, &at, &e))
            err = errmsg_set(&s->em, ERR_INVALID, "malformed, or a point outside the space");
        else
            err = repeat(s, &e, &text);
        if (!err && !in_history(s))
            err = errmsg_set(&s->em, ERR_INVALID, "a point outside the space");
        if (err)
            break;
        trail_add(&s->trail, &e);
        s->exhausted = s->exhausted || e.kind == EVENT_EXHAUSTED;
    }
    buf_fini(&text);
    return err ? errmsg_wrap(&s->em, ERR_CORRUPT, "the saved study is damaged: event %llu", number)
               : ERR_OK;
}

static err_t load(struct tunefarm_study *s, struct str bytes)
{
    struct snapshot shot;
    err_t e = snapshot_read(bytes, &shot, &s->em);
    if (e)
        return e;
    e = handle_open(s, shot.spec);
    if (e)
        return errmsg_wrap(&s->em, e, "the saved study");
    e = walk(s, shot.trail);
    if (e) {
        handle_close(s);
        return e;
    }
    s->elapsed_ns = shot.elapsed_ns;
    solo_elapsed(s->solo, shot.elapsed_ns);
    return ERR_OK;
}

int32_t tunefarm_study_load(struct tunefarm_study *s, const void *data, int64_t size)
{
    int32_t status = handle_check_empty(s);
    if (!status)
        status = handle_check_argument(s, data, "data");
    if (status)
        return status;
    if (size < 0)
        return handle_status(errmsg_set(&s->em, ERR_INVALID, "size: is below 0"));
    return handle_status(load(s, str_make(data, (size_t)size)));
}

int32_t tunefarm_study_load_file(struct tunefarm_study *s, const char *path)
{
    struct buf bytes;
    int32_t status = handle_check_empty(s);
    if (!status)
        status = handle_check_argument(s, path, "path");
    if (status)
        return status;
    buf_init(&bytes, SNAPSHOT_MAX_BYTES);
    err_t e = wholefile_read(path, &bytes, &s->em);
    if (!e) {
        e = load(s, buf_str(&bytes));
        if (e)
            errmsg_wrap(&s->em, e, "%.512s", path);
    }
    buf_fini(&bytes);
    return handle_status(e);
}
