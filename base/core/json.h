/* JSON writer (compact; the only one in the tree) and a bounded reader on json-c.
 *
 * Numbers are written as the shortest text that reads back to the same double, the same on every
 * machine. Values that JSON cannot hold (NaN, infinities) are written as the strings "NaN",
 * "Infinity", "-Infinity". */
#ifndef FARM_BASE_JSON_H
#define FARM_BASE_JSON_H

#include "buf.h"

struct json_object; /* json-c */

/* Writer: appends to a buf; keeps commas and nesting right; depth at most 32. */
struct jsonw {
    struct buf *b;
    uint8_t depth;
    bool comma[33];  /* a value stands before the next one of this level */
    bool object[33]; /* the level was opened as an object */
};
void jsonw_init(struct jsonw *w, struct buf *b);
void jsonw_object(struct jsonw *w);
void jsonw_array(struct jsonw *w);
void jsonw_end(struct jsonw *w); /* closes what was opened last; the writer remembers which */
void jsonw_key(struct jsonw *w, struct str key);
void jsonw_keyz(struct jsonw *w, const char *key);
void jsonw_str(struct jsonw *w, struct str s); /* bytes that are no UTF-8 become U+FFFD */
void jsonw_strz(struct jsonw *w, const char *z);
void jsonw_f64(struct jsonw *w, double v);
void jsonw_i64(struct jsonw *w, int64_t v);
void jsonw_u64(struct jsonw *w, uint64_t v);
void jsonw_bool(struct jsonw *w, bool v);
void jsonw_null(struct jsonw *w);
void jsonw_raw(struct jsonw *w, struct str json); /* a whole value, already JSON */
/* Key and value in one call. */
void jsonw_kstr(struct jsonw *w, const char *key, struct str v);
void jsonw_kf64(struct jsonw *w, const char *key, double v);
void jsonw_ki64(struct jsonw *w, const char *key, int64_t v);
void jsonw_ku64(struct jsonw *w, const char *key, uint64_t v);
void jsonw_kbool(struct jsonw *w, const char *key, bool v);

/* The shortest text of v that reads back as v; out has at least 32 bytes; returns its length.
 * Integral values below 2^53 have no point ("3"; negative zero is "-0.0", which readers keep);
 * non-finite ones give NaN, Infinity, -Infinity without quotes. */
size_t json_format_f64(char out[32], double v);

/* Reader. */
enum json_flags {
    JSON_STRICT = 0,    /* RFC 8259 */
    JSON_NONFINITE = 1, /* also the literals NaN, Infinity, -Infinity, any case */
};
/* Parses the whole text (at most 32 deep, UTF-8 checked, no duplicate check, nothing but white
 * space after the value; integers must fit 64 bits, other numbers a double). *out is to be released
 * with json_object_put(). The sentence names the byte offset. */
err_t json_parse(struct str text, unsigned flags, struct json_object **out,
                 struct errmsg *em) MUST_CHECK;
/* Compact text of a value, keys in their order; numbers keep the text they were read with. */
void json_write(struct buf *b, struct json_object *v);
/* The member's value or NULL; obj may be NULL or no object. */
struct json_object *json_get(struct json_object *obj, const char *key);
/* A number as double; also the strings "NaN", "Infinity", "-Infinity" (and nan, inf, -inf). False
 * if it is neither. */
bool json_number(struct json_object *v, double *out);

#endif
