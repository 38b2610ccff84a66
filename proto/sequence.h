/* Sequence numbers at the end that said HELLO: worker, optimizer or client. Frames count from 1 in
 * each session, in both directions; the broker's end is broker/net/seqcount.h. They only show
 * sooner that frames were dropped on the way. */
#ifndef FARM_PROTO_SEQUENCE_H
#define FARM_PROTO_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

struct sequence {              /* zeroed: a new connection */
    uint64_t out_session, out; /* of the last frame sent */
    uint64_t in_session, in;   /* of the last frame received */
};

/* Numbers a frame that leaves: its seq and seen, by its session. */
void sequence_stamp(struct sequence *s, struct frame *f);
/* A frame came. True: frames before it, of the same session, are missing. */
bool sequence_follow(struct sequence *s, const struct frame *f);

#endif
