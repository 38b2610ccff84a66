/* The bytes of a spool: frames as on the wire, one behind the other. What the wire's header says of
 * a connection says here where a frame stands: `session` is 0, `seq` counts from 1, and `seen` is a
 * CRC-32C over the frame's header (with `seen` 0) that goes on from that of the frame before, so
 * that a frame that was changed, lost, moved or left over from another file is found. */
#ifndef FARM_TRIAL_WORKER_SPOOL_FORM_H
#define FARM_TRIAL_WORKER_SPOOL_FORM_H

#include "codec.h"

struct spool_chain { /* zero to begin a file */
    uint64_t seq;
    uint32_t sum;
};
/* Appends a frame. The buf refuses as in frame_write(). */
void spool_form_add(struct buf *out, struct spool_chain *c, unsigned kind, struct str body);

/* What a file held. */
enum spool_form_found {
    SPOOL_FORM_WHOLE,
    SPOOL_FORM_TORN,    /* good up to some place, and handed on so far */
    SPOOL_FORM_BAD,     /* no spool, or of another version; nothing was handed on */
    SPOOL_FORM_FOREIGN, /* of another farm or timeline; nothing was handed on */
    SPOOL_FORM_NO_ROOM, /* the taker had enough before the end */
};
/* Takes each message in order; false: it has no room. Messages of kinds that are not known are left
 * out. */
typedef bool spool_form_take(void *self, unsigned kind, const union message *m);

struct spool_form_reader {
    spool_form_take *take;
    void *self;
    uint64_t farm, timeline;
    struct buf rest;
    struct arena arena;
    struct spool_chain chain;
    struct id128 writer; /* of the first HELLO */
    enum spool_form_found found;
    bool stopped;
    struct errmsg em; /* why it is not whole */
};
void spool_form_begin(struct spool_form_reader *r, uint64_t farm, uint64_t timeline,
                      spool_form_take *take, void *self);
/* The next bytes of the file, in pieces of any size; memory is that of one frame and one piece.
 * False: no more are wanted. */
bool spool_form_feed(struct spool_form_reader *r, struct str bytes);
/* The file has ended. r->em has a sentence unless it is whole; valid until r goes. */
enum spool_form_found spool_form_end(struct spool_form_reader *r);

#endif
