/* The sequence numbers of one connection, both ways. A sender counts its frames from 1, and may
 * begin again with each session; so the first frame of a session is number 1 or follows the HELLO.
 * By them both ends see that frames were dropped on the way (a full queue); what is done then is a
 * new session. */
#ifndef FARM_NET_SEQCOUNT_H
#define FARM_NET_SEQCOUNT_H

#include <stdbool.h>
#include <stdint.h>

struct seqcount { /* zeroed: no session yet */
    uint64_t session, sent, seen;
    uint64_t hello; /* number of the last frame outside a session */
};
struct seqnumbers { /* for a frame's header */
    uint64_t seq, seen;
};

/* A session begins: with the WELCOME that names it. */
void seqcount_begin(struct seqcount *c, uint64_t session);
/* The numbers of a frame that leaves. One of another session (a refusal) has none. */
struct seqnumbers seqcount_out(struct seqcount *c, uint64_t session);
/* A frame came. True: frames before it are missing; told once for each hole. */
bool seqcount_in(struct seqcount *c, uint64_t session, uint64_t seq);

#endif
