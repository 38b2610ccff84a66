/* A handle: what it owns, how it is filled and emptied, and when a call is refused.
 *
 * Called by the functions of tunefarm.h, each of which begins with a check of this file. */
#include "handle.h"

#include <stdlib.h>

#include "alloc.h"

int32_t handle_status(err_t e)
{
    switch (e) {
    case ERR_OK:
        return TUNEFARM_OK;
    case ERR_INVALID:
        return TUNEFARM_INVALID;
    case ERR_NOT_FOUND:
        return TUNEFARM_NOT_FOUND;
    case ERR_EXISTS:
        return TUNEFARM_EXISTS;
    case ERR_LIMIT:
    case ERR_NOMEM:
        return TUNEFARM_LIMIT;
    case ERR_IO:
        return TUNEFARM_IO;
    case ERR_CORRUPT:
        return TUNEFARM_CORRUPT;
    case ERR_VERSION:
        return TUNEFARM_UNKNOWN_VERSION;
    default:
        return TUNEFARM_ERROR;
    }
}

int32_t handle_check(struct tunefarm_study *s)
{
    if (!s)
        return TUNEFARM_INVALID;
    if (s->spec)
        return TUNEFARM_OK;
    return handle_status(
        errmsg_set(&s->em, ERR_INVALID, "the handle has no study yet; define or load one first"));
}

int32_t handle_check_empty(struct tunefarm_study *s)
{
    if (!s)
        return TUNEFARM_INVALID;
    if (!s->spec)
        return TUNEFARM_OK;
    return handle_status(errmsg_set(&s->em, ERR_EXISTS, "the handle has a study already"));
}

int32_t handle_check_trial(struct tunefarm_study *s, int64_t trial)
{
    int32_t status = handle_check(s);
    if (status == TUNEFARM_OK && (trial < 0 || (uint64_t)trial >= solo_count(s->solo)))
        return handle_status(
            errmsg_set(&s->em, ERR_NOT_FOUND, "there is no trial %lld", (long long)trial));
    return status;
}

int32_t handle_check_room(struct tunefarm_study *s)
{
    int32_t status = handle_check(s);
    if (status == TUNEFARM_OK && trail_full(&s->trail))
        return handle_status(errmsg_set(&s->em, ERR_LIMIT,
                                        "the study's history has reached its limit of %u bytes",
                                        TRAIL_MAX_BYTES));
    return status;
}

int32_t handle_check_argument(struct tunefarm_study *s, const void *p, const char *name)
{
    if (p)
        return TUNEFARM_OK;
    return handle_status(errmsg_set(&s->em, ERR_INVALID, "%s: is NULL", name));
}

err_t handle_open(struct tunefarm_study *s, struct str json)
{
    err_t e = spec_parse(json, &s->spec, &s->em);
    if (!e)
        e = solo_new(&s->solo, s->spec, &s->em);
    if (e) {
        spec_free(s->spec);
        s->spec = NULL;
        return e;
    }
    buf_add_str(&s->json, json);
    trail_init(&s->trail, s->spec->space);
    s->point = alloc_array((size_t)s->spec->space->n + 1, sizeof *s->point);
    return ERR_OK;
}

void handle_close(struct tunefarm_study *s)
{
    solo_free(s->solo);
    trail_fini(&s->trail);
    spec_free(s->spec);
    free(s->point);
    buf_fini(&s->json);
    s->solo = NULL;
    s->spec = NULL;
    s->point = NULL;
    s->exhausted = false;
    s->elapsed_ns = 0;
}

const struct history *handle_history(const struct tunefarm_study *s)
{
    return tuner_history(solo_tuner(s->solo));
}
