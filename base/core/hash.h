/* BLAKE2b-256 content digests, by libsodium. */
#ifndef FARM_BASE_HASH_H
#define FARM_BASE_HASH_H

#include "err.h"
#include "str.h"

struct digest hash_bytes(struct str s);
err_t hash_file(const char *path, struct digest *out, uint64_t *size, struct errmsg *em) MUST_CHECK;
void hash_random(void *out, size_t n); /* unpredictable bytes from the system */

#endif
