/* BLAKE2b-256 content digests, by libsodium. */
#ifndef FARM_BASE_HASH_H
#define FARM_BASE_HASH_H

#include "err.h"
#include "str.h"

struct digest hash_bytes(struct str s);
err_t hash_file(const char *path, struct digest *out, uint64_t *size, struct errmsg *em) MUST_CHECK;
/* A digest of bytes that come piece by piece. */
struct hasher {
    _Alignas(64) unsigned char state[384];
};
void hasher_init(struct hasher *h);
void hasher_add(struct hasher *h, const void *p, size_t n);
struct digest hasher_end(struct hasher *h);
void hash_random(void *out, size_t n); /* unpredictable bytes from the system */

#endif
