/* The optimizer's side of the conversation with the broker, as a state machine: session, studies
 * attached, streams and answers. docs/architecture.md tells it as a story. No socket, clock or
 * file. */
#ifndef FARM_OPTIMIZER_LINK_H
#define FARM_OPTIMIZER_LINK_H

#include "link_out.h"
#include "message.h"

struct link;

struct link_config {
    struct id128 peer;                  /* random per process start */
    uint64_t seed;                      /* of the jitter of beats */
    const char *host, *name, *software; /* texts for HELLO; copied */
    uint64_t pid;
};

struct link *link_new(const struct link_config *c);
void link_free(struct link *l); /* NULL is legal */

/* The transport came up or went; a gap: frames of the session were lost on the way. */
void link_on_connected(struct link *l, int64_t now, struct link_out *fx);
void link_on_disconnected(struct link *l, int64_t now, struct link_out *fx);
void link_on_gap(struct link *l, int64_t now, struct link_out *fx);
/* One decoded message of the broker. */
void link_on_message(struct link *l, int64_t now, uint64_t session, unsigned kind,
                     const union message *m, struct link_out *fx);
/* Does what is due and returns when it wants to be called next. */
int64_t link_tick(struct link *l, int64_t now, struct link_out *fx);
/* Says BYE. */
void link_leave(struct link *l, struct link_out *fx);
uint32_t link_studies(const struct link *l); /* attached now */

#endif
