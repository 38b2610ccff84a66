/* BLAKE2b-256 digests of bytes and files, and random bytes, by libsodium.
 *
 * Names blobs and specs; the blob store and the worker's file cache check what they hold by it. */
#include "hash.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

struct digest hash_bytes(struct str s)
{
    struct digest d;
    REQUIRE(sodium_init() >= 0);
    REQUIRE(crypto_generichash(d.b, sizeof d.b, (const unsigned char *)s.p, s.n, NULL, 0) == 0);
    return d;
}

static err_t hash_fd(int fd, struct digest *out, uint64_t *size)
{
    crypto_generichash_state state;
    unsigned char piece[65536];
    crypto_generichash_init(&state, NULL, 0, sizeof out->b);
    for (;;) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            break;
        crypto_generichash_update(&state, piece, (unsigned long long)n);
        *size += (uint64_t)n;
    }
    crypto_generichash_final(&state, out->b, sizeof out->b);
    return ERR_OK;
}

err_t hash_file(const char *path, struct digest *out, uint64_t *size, struct errmsg *em)
{
    uint64_t total = 0;
    REQUIRE(sodium_init() >= 0);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errmsg_set(em, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: cannot be opened: %s",
                          path, strerror(errno));
    err_t e = hash_fd(fd, out, &total);
    if (e)
        errmsg_set(em, e, "%s: cannot be read: %s", path, strerror(errno));
    close(fd);
    if (size)
        *size = total;
    return e;
}

_Static_assert(sizeof(struct hasher) >= sizeof(crypto_generichash_state), "libsodium's state");

static crypto_generichash_state *state_of(struct hasher *h)
{
    return (crypto_generichash_state *)(void *)h->state;
}

void hasher_init(struct hasher *h)
{
    REQUIRE(sodium_init() >= 0);
    crypto_generichash_init(state_of(h), NULL, 0, sizeof(struct digest));
}

void hasher_add(struct hasher *h, const void *p, size_t n)
{
    crypto_generichash_update(state_of(h), p, n);
}

struct digest hasher_end(struct hasher *h)
{
    struct digest d;
    crypto_generichash_final(state_of(h), d.b, sizeof d.b);
    return d;
}

void hash_random(void *out, size_t n)
{
    REQUIRE(sodium_init() >= 0);
    randombytes_buf(out, n);
}
