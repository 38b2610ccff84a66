/* The broker's core: studies, trials, attempts, workers, optimizers, clients. A plain state machine
 * without sockets, clock, disk or threads.
 *
 * Every entry point changes memory and appends to `fx`. Nothing in fx may be sent before the
 * records in it, and those of every earlier fx, are durable. The owner collects inputs into one fx
 * while the journal is busy, then calls farm_tick() and hands the group over; farm_tick() is where
 * trials are granted, streams move, proposals are asked for and timers act, so it has to be called
 * before every group, and at the time it returned.
 *
 * `now` is clock_now() or virtual time, never going back; nanoseconds. Input structs and their
 * strings are borrowed for the call. Memory that a peer can size is bounded by the limits of
 * farm_config. */
#ifndef FARM_CORE_FARM_H
#define FARM_CORE_FARM_H

#include "counter.h"
#include "effects.h"
#include "err.h"
#include "message.h"

struct farm;

struct farm_config {
    uint64_t farm, timeline; /* random at the first start */
    uint64_t epoch;          /* broker start counter; durably one more at each start */
    int64_t lease_ns;        /* silence after which a worker's attempts expire */
    int64_t beat_ns;
    int64_t orphan_ns;        /* told to workers */
    int64_t flush_ns;         /* told to workers */
    int64_t restart_grace_ns; /* beside lease_ns: after a start no open attempt expires for both
                                 together */
    int64_t row_ns;           /* how long a changed row may wait before it is written */
    uint32_t max_sessions, max_workers;
    uint32_t lost_limit; /* losses while running after which a trial is poison */
    size_t put_limit;    /* bytes of files being put at once */
    const char *feed;    /* endpoint of the feed; copied */
    const char *version; /* of the program, for BROKER_STARTED; copied */
};
void farm_config_defaults(struct farm_config *c);

/* ---- start: rows, then the records behind them, then farm_load_done ---- */

struct farm *farm_new(const struct farm_config *c);
void farm_free(struct farm *f); /* NULL is legal */
/* Wall clock in ms minus now in ms: an annotation for people. The owner refreshes it once a second
 * or so. */
void farm_set_wall(struct farm *f, int64_t offset_ms);
/* In this order: studies, trials (any order), requests, records by rising seq. A row or record that
 * contradicts the rest is ERR_CORRUPT with a sentence; nothing may be done with the farm then but
 * farm_free(). */
err_t farm_load_study(struct farm *f, const struct study_image *i, struct str spec,
                      const struct envelope *env, struct errmsg *em) MUST_CHECK;
err_t farm_load_trial(struct farm *f, const struct trial_image *i, struct errmsg *em) MUST_CHECK;
void farm_load_request(struct farm *f, const struct msg_reply *answer);
/* spec and env: for STUDY_CREATED and SPEC_ADDED, of r->digest; else empty and NULL. */
err_t farm_load_record(struct farm *f, const struct record *r, struct str spec,
                       const struct envelope *env, struct errmsg *em) MUST_CHECK;
/* After the records: nothing is missing. ERR_CORRUPT with a sentence. */
err_t farm_load_check(const struct farm *f, struct errmsg *em) MUST_CHECK;
/* last_seq: the journal's last one. Appends BROKER_STARTED; open attempts wait for their workers
 * for the grace. */
void farm_load_done(struct farm *f, int64_t now, uint64_t last_seq, struct effects *fx);

/* ---- inputs ---- */

struct farm_input {
    uint64_t peer;    /* the shell's key of the connection, not 0: answers go there */
    uint64_t session; /* of the frame's header */
    uint8_t kind;     /* enum message_kind, decoded */
    const union message *msg;
    const struct envelope
        *envelope;     /* SUBMIT: as read from the spec; NULL = it could not be read: */
    const char *fault; /* SUBMIT: why, one sentence */
};
/* Any message. What is wrong with it (session, role, state) is answered as the protocol says. */
void farm_on_message(struct farm *f, int64_t now, const struct farm_input *in, struct effects *fx);
/* A frame that could not be decoded or is of an unknown kind: answered with ERROR. The shell has
 * counted it. */
void farm_on_bad_frame(struct farm *f, uint64_t peer, uint64_t session, unsigned kind, err_t e,
                       const char *text, struct effects *fx);
/* The shell refused or missed something of that peer by itself; 0 = of nobody known. */
void farm_count(struct farm *f, uint64_t peer, enum counter c, uint64_t n);
/* Frames of this session were lost on their way here. What they were is not known, and some are
 * never said again within a session (PULL, PROPOSE, CLOSE_STUDY), so the peer is told to begin a
 * new one. */
void farm_on_gap(struct farm *f, uint64_t peer, uint64_t session, struct effects *fx);
/* A hint that the connection is gone (it may be wrong): the leases there are cut to 5 s unless the
 * peer speaks. */
void farm_on_peer_gone(struct farm *f, int64_t now, uint64_t peer, struct effects *fx);
/* The peer takes no more for now (true), or does again: its streams wait meanwhile. */
void farm_on_peer_busy(struct farm *f, uint64_t peer, bool busy);
/* The answer to fx->asks[i], by token. */
void farm_on_answer(struct farm *f, int64_t now, const struct answer *a, struct effects *fx);
/* Nothing was read for so long: nobody's silence in that time counts. */
void farm_on_deaf(struct farm *f, int64_t ns);
/* The store has no room (true) or has room again. Without room only ends are recorded: nothing is
 * granted, proposed, reported or submitted. */
void farm_on_full(struct farm *f, int64_t now, bool full, struct effects *fx);

/* Grants, moves the streams, asks for proposals, does what is due. Returns the time of the next
 * call that is needed if nothing else happens; CLOCK_NEVER if there is none. */
int64_t farm_tick(struct farm *f, int64_t now, struct effects *fx);
/* Appends images of changed rows: all, or those that have waited for row_ns and at most 512. Done
 * by farm_tick() too; with `all` before a question and at an orderly end. */
void farm_flush_rows(struct farm *f, int64_t now, bool all, struct effects *fx);
/* Whether anybody listens on the feed: without, no frames are made. */
void farm_set_feed(struct farm *f, bool wanted);

/* ---- looking in ---- */

uint8_t farm_session_role(const struct farm *f,
                          uint64_t session);               /* enum role; 0 = no such session */
bool farm_peer_known(const struct farm *f, uint64_t peer); /* a session is behind it */
uint64_t farm_seq(const struct farm *f);                   /* last seq given out */
/* Recounts every invariant from nothing: states against lists, counters, heaps, slots, resources,
 * sequence numbers. ERR_FAILED with the first that does not hold. Takes time in proportion to
 * everything there is. */
err_t farm_check(const struct farm *f, struct errmsg *em) MUST_CHECK;
struct farm_counts {
    uint64_t studies, trials, open_trials, queued, workers, optimizers, clients, running, records;
};
struct farm_counts farm_counts(const struct farm *f);
struct counters farm_counters(const struct farm *f); /* of all roles, since the start */
/* A trial as a row would hold it; strings are borrowed until the next change. False if there is
 * none. For a finished trial that is written, params and texts are empty: they are in the store. */
bool farm_trial(const struct farm *f, uint64_t study, uint64_t trial, struct trial_image *out);
/* A study as a row would hold it, likewise; elapsed_ms is 0. */
bool farm_study(const struct farm *f, uint64_t study, struct study_image *out);

#endif
