/* Brings blobs (specs and files of studies) from the broker, one after another, piece by piece. */
#ifndef FARM_TRIAL_WORKER_BLOB_FETCH_H
#define FARM_TRIAL_WORKER_BLOB_FETCH_H

#include "clock.h"
#include "err.h"
#include "list.h"
#include "message.h"

/* Where the pieces go, and what to do at the end. */
struct blob_sink {
    void *self;
    /* A piece, in order, the first with offset 0. An error ends the fetch as failed. */
    err_t (*piece)(void *self, struct digest d, uint64_t offset, struct str bytes,
                   struct errmsg *em);
    /* All pieces are there. An error (wrong bytes) ends the fetch as failed. */
    err_t (*complete)(void *self, struct digest d, struct errmsg *em);
    void (*abandon)(void *self, struct digest d); /* what came so far, if anything, is not wanted */
    /* The end: text empty = done. forever: another try would end alike. */
    void (*ended)(void *self, struct digest d, struct str text, bool forever);
    void (*send)(void *self, const struct msg_get_blob *m);
};
struct blob_fetch {
    struct list queue; /* struct want; the first is on its way */
    struct blob_sink sink;
    uint64_t offset; /* of the piece that is awaited */
    int64_t again;   /* when it is asked for again; CLOCK_NEVER = nothing was asked */
    bool up;
};

void blob_fetch_init(struct blob_fetch *b, const struct blob_sink *sink);
void blob_fetch_fini(struct blob_fetch *b);
void blob_fetch_want(struct blob_fetch *b, struct digest d,
                     int64_t now); /* again for one that is wanted: nothing */
void blob_fetch_session(struct blob_fetch *b, bool up, int64_t now); /* a session began or ended */
void blob_fetch_on_blob(struct blob_fetch *b, const struct msg_blob *m, int64_t now);
int64_t blob_fetch_tick(struct blob_fetch *b, int64_t now);

#endif
