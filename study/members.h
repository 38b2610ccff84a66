/* Reading JSON objects member by member: where a value stands (for the sentence), typed values with
 * bounds, and tables of members. Used by space and spec. */
#ifndef FARM_STUDY_MEMBERS_H
#define FARM_STUDY_MEMBERS_H

#include "arena.h"
#include "buf.h"

struct json_object;

/* Where a value stands: a chain on the stack, written out only for a fault: "space.lr.float[1]". */
struct at {
    const struct at *up; /* NULL = the root, whose key is a whole path (may be empty) */
    struct str key;
    int64_t index; /* >= 0: an array's element; else key holds */
    struct errmsg *em;
};
struct at at_root(struct errmsg *em, struct str path);
struct at at_key(const struct at *up, const char *key);
struct at at_item(const struct at *up, size_t index);
void at_write(const struct at *at, struct buf *out);
/* Sets "path: sentence" and returns e. */
err_t at_fault(const struct at *at, err_t e, const char *fmt, ...) PRINTF_LIKE(3, 4);
err_t at_nomem(const struct at *at);

/* The start of a value's JSON text, for sentences. */
#define BRIEF_SIZE 96
const char *value_brief(struct json_object *v, char out[BRIEF_SIZE]);
bool value_is_number(struct json_object *v); /* a JSON number, not a text */
/* A scalar as a person wrote it: a text without quotes, a number or true, false, null as in JSON.
 */
void value_plain(struct json_object *v, struct buf *out);

/* Each returns ERR_INVALID with a sentence if v is of another type or out of bounds. Texts are
 * borrowed from v. */
err_t take_f64(const struct at *at, struct json_object *v, double min, double max,
               double *out) MUST_CHECK;
err_t take_whole(const struct at *at, struct json_object *v, double min, double max,
                 double *out) MUST_CHECK; /* within +-2^53 */
err_t take_u64(const struct at *at, struct json_object *v, uint64_t *out) MUST_CHECK;
err_t take_bool(const struct at *at, struct json_object *v, bool *out) MUST_CHECK;
/* min to max bytes, no control characters. */
err_t take_text(const struct at *at, struct json_object *v, size_t min, size_t max,
                struct str *out) MUST_CHECK;
err_t take_duration(const struct at *at, struct json_object *v, int64_t *ns) MUST_CHECK;
err_t take_bytes(const struct at *at, struct json_object *v, uint64_t *bytes) MUST_CHECK;
/* An array of min to max elements. `example` shows the right spelling. */
err_t take_list(const struct at *at, struct json_object *v, size_t min, size_t max,
                const char *example, size_t *n) MUST_CHECK;

enum member_type {
    MEMBER_CUSTOM,   /* parse() does it */
    MEMBER_TEXT,     /* struct str, 1 to max bytes */
    MEMBER_BOOL,     /* bool */
    MEMBER_U32,      /* uint32_t between min and max */
    MEMBER_I32,      /* int32_t between min and max */
    MEMBER_U64,      /* uint64_t between min and max, whole and within 2^53 */
    MEMBER_F64,      /* double between min and max */
    MEMBER_DURATION, /* int64_t ns between min and max seconds */
    MEMBER_BYTES,    /* uint64_t */
};
struct member {
    const char *name;
    enum member_type type;
    size_t offset; /* of the value in self */
    double min, max;
    err_t (*parse)(void *self, struct json_object *v, const struct at *at);
    bool required;
};
/* Reads the members of an object into self, in the table's order. Unknown members are refused with
 * the nearest known name, missing required ones by name. `example` shows what was expected in place
 * of something that is no object. */
err_t members_read(const struct member *rows, size_t n, void *self, struct json_object *v,
                   const struct at *at, const char *example) MUST_CHECK;
/* The same for an object that may have members of which the table knows nothing. */
err_t members_read_some(const struct member *rows, size_t n, void *self, struct json_object *v,
                        const struct at *at) MUST_CHECK;

#endif
