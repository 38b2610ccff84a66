/* Borrowed bytes with a length. A str owns nothing; whoever made it says how long its bytes live.
 */
#ifndef FARM_BASE_STR_H
#define FARM_BASE_STR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <stddef.h>

struct str {
    const char *p; /* may be NULL when n is 0; not terminated */
    size_t n;
};

#define STR(lit)   ((struct str){(lit), sizeof(lit) - 1})
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct str str_of(const char *z)
{
    return (struct str){z, z ? strlen(z) : 0};
}
static inline struct str str_make(const void *p, size_t n)
{
    return (struct str){(const char *)p, n};
}
static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool str_is(struct str a, const char *z)
{
    return str_eq(a, str_of(z));
}
int str_cmp(struct str a, struct str b); /* bytewise order, shorter first */
bool str_starts(struct str s, const char *prefix);
bool str_utf8_valid(struct str s);               /* strict: no overlong forms, no surrogates */
size_t str_utf8_cut(struct str s, size_t limit); /* longest n <= limit that cuts no sequence */
bool str_has_control(struct str s);              /* any byte below 0x20 or 0x7f */
char *str_dupz(struct str s);                    /* heap copy, terminated; aborts on no memory */
/* Copies into dst (size bytes, always terminated); false if it was cut. */
bool str_copyz(char *dst, size_t size, struct str s);
/* Strict number parsing of the whole slice: no spaces, no trailing text; a sign may stand before
 * (not of u64). False if malformed or out of range. str_to_f64 understands nan, inf, infinity with
 * a sign, in any case. Independent of the locale. */
bool str_to_i64(struct str s, int64_t *out);
bool str_to_u64(struct str s, uint64_t *out);
bool str_to_f64(struct str s, double *out);

/* Domain-free identifiers that travel by value. */
struct id128 {
    uint8_t b[16];
};
struct digest { /* BLAKE2b-256 */
    uint8_t b[32];
};
static inline bool id128_eq(struct id128 a, struct id128 b)
{
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}
static inline bool digest_eq(struct digest a, struct digest b)
{
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}
#define HEX_SIZE(bytes) ((bytes)*2 + 1)
void str_hex(char *out, const uint8_t *b, size_t n);       /* out has HEX_SIZE(n) bytes */
bool str_from_hex(struct str hex, uint8_t *out, size_t n); /* exactly n bytes */

#endif
