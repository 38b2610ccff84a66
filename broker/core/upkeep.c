/* Upkeep is the store's work. Here is what was asked for, how far the store is, and how it ended,
 * which stays until something else is asked for: a client comes again with the same request until
 * it is told that it is done. It goes on when the client has left.
 *
 * A compaction is announced by a record of each study before anything of it goes, so every reader
 * knows that a gap is none of the wire. */
#include "upkeep.h"

#include <stdio.h>
#include <stdlib.h>

#include "on_client.h"
#include "stream.h"
#include "study.h"

static bool is_idle(const struct upkeep *u)
{
    return u->parts == u->parts_done;
}

static void reply(const struct act *a, struct session *s)
{
    const struct upkeep *u = &a->f->upkeep;
    bool done = is_idle(u);
    uint64_t at = u->before + u->at;
    char text[256];
    if (done && u->fault != ERR_OK) {
        on_client_reply(a, s, u->request, u->fault, u->error, 0);
        return;
    }
    if (done && u->backup)
        snprintf(text, sizeof text, "{\"done\":true,\"bytes\":%llu,\"seq\":%llu}",
                 (unsigned long long)u->of, (unsigned long long)u->seq);
    else if (done)
        snprintf(text, sizeof text, "{\"done\":true,\"studies\":%u,\"dropped\":%llu,\"free\":%llu}",
                 u->parts, (unsigned long long)u->dropped, (unsigned long long)u->free);
    else
        snprintf(text, sizeof text, "{\"done\":false,\"at\":%llu,\"of\":%llu}",
                 (unsigned long long)at, (unsigned long long)u->of);
    on_client_reply(a, s, u->request, ERR_OK, text, 0);
}

/* True: there is nothing to begin, and it was answered. */
static bool answered(const struct act *a, struct session *s, struct id128 request)
{
    const struct upkeep *u = &a->f->upkeep;
    if (u->known && id128_eq(u->request, request))
        reply(a, s);
    else if (!is_idle(u))
        on_client_reply(a, s, request, ERR_REFUSED,
                        u->backup ? "a backup is being made; ask again when it is done"
                                  : "a compaction is under way; ask again when it is done",
                        0);
    else if (a->f->full)
        on_client_reply(a, s, request, ERR_FULL, "the broker's disk is full", 0);
    else
        return false;
    return true;
}

static struct fx_ask *ask(const struct act *a, enum ask_kind kind)
{
    struct pending p = {.kind = PENDING_UPKEEP};
    a->f->upkeep.parts++;
    return effects_ask(a->fx, kind, pending_add(a->f, p));
}

void upkeep_on_backup(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_backup *q = &m->backup;
    if (answered(a, s, q->request))
        return;
    struct str path = arena_dup(&a->fx->arena, q->path);
    if (!path.n || path.p[0] != '/' || memchr(path.p, 0, path.n)) {
        on_client_reply(a, s, q->request, ERR_INVALID,
                        "BACKUP: a path from the root (/) of the broker's machine was expected", 0);
        return;
    }
    upkeep_free(a->f);
    a->f->upkeep = (struct upkeep){.known = true, .backup = true, .request = q->request};
    struct fx_ask *x = ask(a, ASK_BACKUP);
    x->query = path.p;
    x->force = q->force;
    reply(a, s);
}

/* Announced anew if there is more than the last announcement covers. */
static void compact(const struct act *a, struct study *s)
{
    if (s->compacted + 1 < s->study_seq) {
        struct record r = {.kind = REC_COMPACTED, .number = s->study_seq};
        verb_record(a, s, &r, NULL);
    }
    struct fx_ask *x = ask(a, ASK_COMPACT);
    x->study = s->number;
    x->to = s->compacted;
    a->f->upkeep.of += s->compacted;
}

void upkeep_on_compact(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_compact *q = &m->compact;
    if (answered(a, s, q->request))
        return;
    struct study *one = q->study.n ? study_named(a->f, q->study) : NULL;
    if (q->study.n && !one) {
        char text[256];
        snprintf(text, sizeof text, "there is no study " STR_FMT, STR_ARG(q->study));
        on_client_reply(a, s, q->request, ERR_NOT_FOUND, text, 0);
        return;
    }
    upkeep_free(a->f);
    a->f->upkeep = (struct upkeep){.known = true, .request = q->request};
    farm_flush_rows(a->f, a->now, true,
                    a->fx); /* by which the store knows which trials are final */
    for (size_t i = 0; i < a->f->n_studies; i++) {
        struct study *study = a->f->studies[i];
        if (one ? study == one : study->state == STUDY_ENDED)
            compact(a, study);
    }
    reply(a, s);
}

void upkeep_on_answer(const struct act *a, const struct pending *p, const struct answer *answer)
{
    struct upkeep *u = &a->f->upkeep;
    (void)p;
    u->at = answer->at;
    if (u->backup)
        u->of = answer->of;
    if (answer->fault != ERR_OK && u->fault == ERR_OK) {
        u->fault = answer->fault;
        u->error = str_dupz(answer->error);
    }
    if (!answer->complete)
        return;
    u->parts_done++;
    u->seq = answer->seq;
    if (u->backup)
        return;
    u->at = 0;
    u->before += answer->of;
    u->dropped += answer->dropped;
    u->free = answer->free;
}

void upkeep_free(struct farm *f)
{
    free(f->upkeep.error);
    f->upkeep.error = NULL;
}
