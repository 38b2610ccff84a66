/* Counting frames. Called by router.c for every frame, and by the simulator in its place. It must
 * not know what a session is to the core. */
#include "seqcount.h"

void seqcount_begin(struct seqcount *c, uint64_t session)
{
    *c = (struct seqcount){.session = session, .hello = c->hello};
}

struct seqnumbers seqcount_out(struct seqcount *c, uint64_t session)
{
    if (!session || session != c->session)
        return (struct seqnumbers){0, 0};
    return (struct seqnumbers){++c->sent, c->seen};
}

bool seqcount_in(struct seqcount *c, uint64_t session, uint64_t seq)
{
    if (!session)
        c->hello = seq;
    if (!session || session != c->session || seq <= c->seen)
        return false;
    bool follows = c->seen ? seq == c->seen + 1 : seq == 1 || seq == c->hello + 1;
    c->seen = seq;
    return !follows;
}
