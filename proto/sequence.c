/* Numbering at a peer's end. Called by whoever holds a connection to the broker, and by the
 * simulator in their place. It must not know sockets, or what is done about a hole. */
#include "sequence.h"

void sequence_stamp(struct sequence *s, struct frame *f)
{
    if (f->session != s->out_session) {
        s->out_session = f->session;
        s->out = 0;
    }
    f->seq = ++s->out;
    f->seen = f->session == s->in_session ? s->in : 0;
}

bool sequence_follow(struct sequence *s, const struct frame *f)
{
    if (!f->seq || f->session < s->in_session) /* a refusal, or a late one of an older session */
        return false;
    bool same = f->session == s->in_session;
    bool hole = same && f->session != 0 && s->in != 0 && f->seq > s->in + 1;
    if (!same || f->seq > s->in)
        s->in = f->seq;
    s->in_session = f->session;
    return hole;
}
