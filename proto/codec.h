/* Encoding and decoding of message bodies and journal records; pure. Encoding is by msgpack-c;
 * decoding by our own bounded forward reader (reader.h), because msgpack-c reserves memory by
 * announced counts. */
#ifndef FARM_PROTO_CODEC_H
#define FARM_PROTO_CODEC_H

#include "arena.h"
#include "buf.h"
#include "message.h"
#include "rng.h"

#define MESSAGE_ELEMENTS 16384 /* map pairs and array items of one body together */

/* Appends the body of a message. msg points at the struct msg_<name> of that kind. Strings over
 * their limit and lists over theirs are contracts of ours: aborts. Fails only if the buf refuses,
 * or if the body has more elements than a decoder takes (MESSAGE_ELEMENTS); both make the buf bad
 * (buf_ok). */
void message_encode(struct buf *out, unsigned kind, const void *msg);

/* Decodes a body into *out (zeroed first). Strings borrow `body`, lists come from `a`. Every limit
 * of messages.def is checked, strings are strict UTF-8. One clear sentence on failure: message,
 * field, what was expected. */
err_t message_decode(union message *out, unsigned kind, struct str body, struct arena *a,
                     struct errmsg *em) MUST_CHECK;

/* One record alone, as it stands in the journal's body column. */
void record_encode(struct buf *out, const struct record *r);
err_t record_decode(struct record *out, struct str body, struct arena *a,
                    struct errmsg *em) MUST_CHECK;
/* How much of a body's MESSAGE_ELEMENTS the record takes when it stands in EVENTS. EVENTS itself
 * takes 7 at most. */
uint32_t record_elements(const struct record *r);

/* For people and tests: {"field": value, ...} as JSON. */
void message_print(struct buf *out, unsigned kind, const void *msg);
/* A random valid message; memory from `a`. Same rng, same message. */
void message_sample(union message *out, unsigned kind, struct rng *r, struct arena *a);
bool message_equal(unsigned kind, const void *x, const void *y);
/* The Markdown tables of docs/protocol.md. */
void message_docs(struct buf *out);

#endif
