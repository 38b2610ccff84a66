/* What a turn of the broker's core wants done: records and rows for the journal, questions to the
 * store, and messages that may leave only when all of that is durable (output commit). One `struct
 * effects` is one group of the journal.
 *
 * The core appends; the owner hands the group to the journal (which reads rows, puts and asks), and
 * when the group is durable sends the messages and feed frames in order and gives every answer to
 * farm_on_answer(). Bytes stand in one buffer and are named by offset, so that appending never
 * invalidates what is there. */
#ifndef FARM_CORE_EFFECTS_H
#define FARM_CORE_EFFECTS_H

#include "arena.h"
#include "buf.h"
#include "message.h"
#include "images.h"

struct span { /* bytes of effects.bytes */
    size_t at;
    size_t n;
};

/* A message to a peer: the frame's body, encoded. */
struct fx_message {
    uint64_t peer; /* the shell's key of the connection, as given to farm_on_message() */
    uint64_t session;
    uint8_t kind;
    struct span body;
};
/* A frame for the feed. study 0 with kind MSG_BEACON: topic "beacon."; else topic "study.<n>.". */
struct fx_feed {
    uint64_t study;
    uint8_t kind;
    struct span body;
};
/* A journal record: the columns of the table, and the whole record as record_encode() makes it. */
struct fx_record {
    uint64_t seq, study, study_seq, trial;
    int64_t wall_ms, step;
    double value;
    uint32_t attempt;
    uint8_t kind;
    bool has_step, has_value;
    struct span text; /* what people read in the view `event`: name, metrics or note; n 0 = NULL */
    struct span body;
};

enum ask_kind { ASK_RECORDS, ASK_BLOB, ASK_SQL, ASK_BACKUP, ASK_COMPACT, ASK_MACHINE, ASK_CHECK };
/* A question to the store, answered after the group it stands in is durable; so it sees that group.
 */
struct fx_ask {
    uint8_t kind;   /* enum ask_kind */
    uint64_t token; /* given back */
    /* ASK_RECORDS: by study_seq of `study`, or by seq if study is 0, in [from, to]; at most `limit`
     * records and 512 KiB; kinds whose bit in `kinds` is clear are left out. */
    uint64_t study, from, to, kinds;
    uint32_t limit;
    /* ASK_BLOB: bytes [from, from + limit) of the blob; limit 0 asks only for its size. */
    struct digest digest;
    /* ASK_COMPACT: drops what may go of `study` up to study_seq `to`. */
    /* ASK_SQL; ASK_BACKUP: the path of the copy. The answers of ASK_MACHINE (one row about file and
     * process) and ASK_CHECK (a row a finding) look like those of ASK_SQL. */
    const char *query; /* in the arena */
    bool force;        /* ASK_BACKUP: replaces a farm's database */
    const struct str *args;
    uint32_t n_args;
};

/* Answers are made by the store and freed by it. */
struct answer_row {
    uint64_t seq, study_seq;
    uint8_t kind; /* enum record_kind */
    struct str body;
};
struct answer {
    uint8_t kind;
    uint64_t token;
    const struct answer_row *rows; /* ASK_RECORDS, in order */
    uint32_t n_rows;
    bool complete;    /* ASK_RECORDS: everything up to `to` is here; others: the last piece */
    bool known;       /* ASK_BLOB */
    uint64_t size;    /* ASK_BLOB: of the whole */
    struct str bytes; /* ASK_BLOB */
    const struct str *columns; /* ASK_SQL */
    uint32_t n_columns;
    const struct str *lines; /* ASK_SQL: JSON arrays */
    uint32_t n_lines;
    struct str error;       /* a sentence; empty = fine */
    bool cut;               /* ASK_SQL: ended early; the rows so far are right */
    uint64_t at, of;        /* ASK_BACKUP, ASK_COMPACT: how far it is, in bytes or records */
    uint64_t dropped, free; /* ASK_COMPACT: records so far; bytes free within the file */
    uint8_t fault; /* ASK_BACKUP, ASK_COMPACT: an err_t, with `error`. ASK_RECORDS and ASK_BLOB: the
                      store is damaged there; nothing else is set then */
    uint64_t seq;  /* durable journal seq that was read */
};

struct fx_blob { /* stored if it is not there yet */
    struct digest digest;
    struct span bytes;
};
struct fx_request { /* the answer of a change, kept for repetitions */
    struct id128 request;
    uint64_t number, seq;
    int64_t wall_ms;
    struct span name, text;
};

struct effects {
    struct buf bytes;
    struct arena arena; /* strings of images and asks */
    struct fx_record *records;
    size_t n_records, cap_records;
    struct fx_message *messages;
    size_t n_messages, cap_messages;
    struct fx_feed *feed;
    size_t n_feed, cap_feed;
    struct fx_ask *asks;
    size_t n_asks, cap_asks;
    struct fx_blob *blobs;
    size_t n_blobs, cap_blobs;
    struct fx_request *requests;
    size_t n_requests, cap_requests;
    struct trial_image *trials;
    size_t n_trials, cap_trials;
    struct study_image *studies;
    size_t n_studies, cap_studies;
    struct worker_image *workers;
    size_t n_workers, cap_workers;
    uint64_t fold_seq; /* with images: every record up to here is in the rows, once these images
                          are; 0 = unchanged */
};

void effects_init(struct effects *fx);
void effects_fini(struct effects *fx);
void effects_clear(struct effects *fx); /* keeps memory for reuse */
bool effects_empty(const struct effects *fx);
bool effects_writes(const struct effects *fx); /* anything for the disk */
struct str effects_str(const struct effects *fx, struct span s);
struct span effects_bytes(struct effects *fx, struct str s); /* copies */

/* Encodes and appends. msg is the struct msg_<name> of kind. */
void effects_send(struct effects *fx, uint64_t peer, uint64_t session, unsigned kind,
                  const void *msg);
void effects_feed(struct effects *fx, uint64_t study, unsigned kind, const void *msg);
/* Begins a message or frame whose body the caller appends to fx->bytes; the caller sets body.n. */
struct fx_message *effects_open_message(struct effects *fx, uint64_t peer, uint64_t session,
                                        unsigned kind);
struct fx_feed *effects_open_feed(struct effects *fx, uint64_t study, unsigned kind);
/* Appends a record; returns the span of its encoded form. */
struct span effects_record(struct effects *fx, const struct record *r);
struct fx_ask *effects_ask(struct effects *fx, enum ask_kind kind, uint64_t token);
void effects_blob(struct effects *fx, struct digest d, struct str bytes);
void effects_request(struct effects *fx, const struct msg_reply *answer, int64_t wall_ms);
struct trial_image *effects_trial(struct effects *fx);
struct study_image *effects_study(struct effects *fx);
struct worker_image *effects_worker(struct effects *fx);

#endif
