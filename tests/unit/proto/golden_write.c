/* golden-write DIRECTORY: writes two frames of every message kind and, beside each, what it holds
 * as JSON. A file that is there is never touched: frames once released must decode for ever, so a
 * change of the wire that breaks one is a new major version with a directory of its own. Run by
 * hand when a message kind is added. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "codec.h"
#include "frame.h"
#include "schema.h"

#define TRIES 400

static bool write_file(const char *path, struct str s)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno == EEXIST;
    bool fine = write(fd, s.p, s.n) == (ssize_t)s.n;
    return close(fd) == 0 && fine;
}

static unsigned fields_there(const struct schema *s, const union message *m)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < s->n; i++)
        n += !schema_is_zero(&s->fields[i], schema_at(&s->fields[i], m));
    return n;
}

/* The seed whose sample has most fields, so that nothing of a kind goes without an example. */
static uint64_t fullest_seed(unsigned kind, struct arena *a)
{
    uint64_t best = 0;
    unsigned most = 0;
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        struct rng r;
        rng_seed_at(&r, seed, kind);
        union message m;
        message_sample(&m, kind, &r, a);
        unsigned n = fields_there(schema_message(kind), &m);
        if (n > most) {
            most = n;
            best = seed;
        }
        arena_clear(a);
    }
    return best;
}

static void make(struct buf *frame, struct buf *json, unsigned kind, uint64_t seed, struct arena *a)
{
    struct rng r;
    rng_seed_at(&r, seed, kind);
    union message m;
    message_sample(&m, kind, &r, a);
    struct buf body;
    buf_init(&body, 0);
    message_encode(&body, kind, &m);
    struct frame f = {.major = PROTO_MAJOR,
                      .kind = (uint8_t)kind,
                      .session = rng_u64(&r),
                      .seq = rng_below(&r, 1000),
                      .seen = rng_below(&r, 1000),
                      .body = buf_str(&body)};
    frame_write(frame, &f);
    buf_printf(json, "{\"kind\":\"%s\",\"session\":%llu,\"seq\":%llu,\"seen\":%llu,\"message\":",
               message_name(kind), (unsigned long long)f.session, (unsigned long long)f.seq,
               (unsigned long long)f.seen);
    message_print(json, kind, &m);
    buf_addz(json, "}\n");
    buf_fini(&body);
}

static bool write_pair(const char *directory, unsigned kind, int number, uint64_t seed)
{
    struct arena a;
    struct buf frame, json;
    char path[4096];
    arena_init(&a, 0);
    buf_init(&frame, 0);
    buf_init(&json, 0);
    make(&frame, &json, kind, seed, &a);
    bool fine = buf_ok(&frame) && buf_ok(&json);
    (void)snprintf(path, sizeof path, "%s/%s-%d.frame", directory, message_name(kind), number);
    fine = fine && write_file(path, buf_str(&frame));
    (void)snprintf(path, sizeof path, "%s/%s-%d.json", directory, message_name(kind), number);
    fine = fine && write_file(path, buf_str(&json));
    if (!fine)
        perror(path);
    buf_fini(&frame);
    buf_fini(&json);
    arena_fini(&a);
    return fine;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: golden-write DIRECTORY\n");
        return 2;
    }
    struct arena a;
    arena_init(&a, 0);
    bool fine = true;
    for (unsigned kind = 0; kind < 256 && fine; kind++) {
        if (message_known(kind))
            fine = write_pair(argv[1], kind, 1, fullest_seed(kind, &a)) &&
                   write_pair(argv[1], kind, 2, TRIES);
    }
    arena_fini(&a);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
