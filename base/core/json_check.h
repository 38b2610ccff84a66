/* Grammar check of JSON text before a parser builds anything from it. */
#ifndef FARM_BASE_JSON_CHECK_H
#define FARM_BASE_JSON_CHECK_H

#include "err.h"
#include "str.h"

#define JSON_CHECK_DEPTH 32

/* RFC 8259 for the whole text, UTF-8, at most JSON_CHECK_DEPTH levels, every number within the
 * range of double, int64 or uint64, no NUL in a member's name. With `nonfinite` also the literals
 * NaN, Infinity, -Infinity in any case. The sentence names the byte offset of what is wrong. */
err_t json_check(struct str text, bool nonfinite, struct errmsg *em) MUST_CHECK;

#endif
