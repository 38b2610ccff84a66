/* Bounded msgpack pull reader: one forward pass, no allocation, sticky error. A declared length is
 * compared with the bytes left before it is used; depth at most 8, at most 16,384 elements a
 * message, map 256, array 4,096. */
#ifndef FARM_PROTO_READER_H
#define FARM_PROTO_READER_H

#include "err.h"
#include "str.h"

struct reader {
    const uint8_t *p, *end;
    uint32_t elements; /* budget left */
    uint8_t depth;
    const char *fault; /* NULL = fine; a static text, the first fault */
};

void reader_init(struct reader *r, struct str bytes);
bool reader_ok(const struct reader *r);
bool reader_done(const struct reader *r);              /* fine and at the end */
void reader_fail(struct reader *r, const char *fault); /* keeps the first */
/* After the first fault every read gives zero. Integers accept any msgpack width and sign that
 * fits. */
uint32_t reader_map(struct reader *r, uint32_t limit);   /* number of pairs; enters */
uint32_t reader_array(struct reader *r, uint32_t limit); /* number of items; enters */
void reader_leave(struct reader *r); /* of a map or array whose items have all been read */
uint64_t reader_u64(struct reader *r, uint64_t max);
int64_t reader_i64(struct reader *r);
double reader_f64(struct reader *r); /* floats and integers */
bool reader_bool(struct reader *r);
struct str reader_str(struct reader *r, size_t limit); /* strict UTF-8 */
struct str reader_bin(struct reader *r, size_t limit);
void reader_skip(struct reader *r); /* any value */

#endif
