/* One study that the broker has given to this optimizer: its tuner and its stream. */
#ifndef FARM_OPTIMIZER_ATTACHMENT_H
#define FARM_OPTIMIZER_ATTACHMENT_H

#include "link_out.h"
#include "message.h"
#include "tuner.h"

#define ATTACHMENT_WINDOW 8192 /* records that the broker may have under way */

struct attachment {
    uint64_t study, session;
    uint32_t epoch;
    struct spec *spec;
    struct tuner *tuner;   /* NULL: the study cannot be used */
    struct errmsg why_not; /* then */
    uint64_t head;         /* study_seq when it was attached */
    uint64_t upto;         /* applied so far */
    uint64_t received, credit;
    uint64_t answered;    /* greatest WANT answered */
    struct msg_want want; /* came before the events it rests on; want 0 = none */
    int64_t gone;         /* of the study's time, up to `since` on our clock */
    int64_t since;
    bool paused; /* its time stands still */
    bool said_close;
};

/* Never fails: a spec that cannot be used is told at the first WANT. */
struct attachment *attachment_new(const struct msg_attached *m, uint64_t session, int64_t now,
                                  struct link_out *fx);
void attachment_free(struct attachment *a);
/* False: the study's spec changed, and the attachment has to be made anew. */
bool attachment_on_events(struct attachment *a, int64_t now, const struct msg_events *m,
                          struct link_out *fx);
void attachment_on_want(struct attachment *a, int64_t now, const struct msg_want *m,
                        struct link_out *fx);
/* Looks at the stop rules; returns when stop.time fires. */
int64_t attachment_tick(struct attachment *a, int64_t now, struct link_out *fx);

#endif
