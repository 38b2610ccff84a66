/* Any bytes as a recording of a broker's inputs: first as they are, then with checksums made right
 * and without the groups' sums, so that what is wrong gets past the reader and into the core. A
 * forged recording may do what peers may do, and then every invariant has to hold. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buf.h"
#include "crc32c.h"
#include "fuzz.h"
#include "rerun.h"
#include "tape.h"

#define MAGIC (sizeof TAPE_MAGIC - 1)

static void require(bool ok)
{
    if (!ok)
        abort();
}

static size_t length_of(const uint8_t *h)
{
    return (size_t)h[0] | (size_t)h[1] << 8 | (size_t)h[2] << 16 | (size_t)h[3] << 24;
}

/* Whole entries, with their checksums. */
static void mend(struct buf *out, const uint8_t *data, size_t size)
{
    buf_addz(out, TAPE_MAGIC);
    for (size_t at = MAGIC, n; size > at && size - at >= TAPE_HEADER; at += n) {
        n = TAPE_HEADER + length_of(data + at);
        if (n > size - at)
            return;
        uint8_t h[TAPE_HEADER];
        memcpy(h, data + at, sizeof h);
        if (h[8] == TAPE_GROUP)
            continue;
        uint32_t crc = crc32c(crc32c(0, h, 4), h + 8, sizeof h - 8);
        crc = crc32c(crc, data + at + sizeof h, n - sizeof h);
        for (int i = 0; i < 4; i++)
            h[4 + i] = (uint8_t)(crc >> (8 * i));
        buf_add(out, h, sizeof h);
        buf_add(out, data + at + sizeof h, n - sizeof h);
    }
}

static void play(const void *p, size_t n)
{
    char path[64];
    struct rerun_result r;
    struct errmsg em = {""};
    int fd = memfd_create("tape", MFD_CLOEXEC);
    require(fd >= 0 && write(fd, p, n) == (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct rerun_options o = {.tape = path, .check = 1};
    err_t e = rerun_tape(&o, &r, &em);
    require(e == ERR_OK || em.text[0]);
    /* What is left is an invariant that does not hold. */
    require(e != ERR_FAILED || strstr(em.text, "differs") || strstr(em.text, "that was read"));
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b;
    buf_init(&b, 0);
    play(data, size);
    mend(&b, data, size);
    play(b.p, b.n);
    buf_fini(&b);
    return 0;
}
