/* Writing a recording. Called by intake.c on the broker's loop.
 *
 * A recording must never harm the farm: whatever goes wrong ends the recording, which stays
 * readable as far as it went, and nothing else. It must not know what entries mean. */
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "alloc.h"
#include "buf.h"
#include "crc32c.h"

#define LOOK_EVERY (4u << 20) /* bytes between two looks at the disk's room */
#define WAITING    ((size_t)64 << 10)

struct tape {
    int fd;
    uint64_t limit, spare;
    uint64_t size;    /* of the file: whole entries */
    uint64_t look_at; /* size at which the disk is looked at again */
    struct buf waiting;
    bool over;
    char why[256];
};

static void put(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++, v >>= 8)
        p[i] = (uint8_t)v;
}

static void append(struct buf *out, const struct tape_entry *e)
{
    uint8_t h[TAPE_HEADER] = {0};
    put(h, e->body.n, 4);
    h[8] = e->type;
    h[9] = e->kind;
    put(h + 12, (uint64_t)e->now, 8);
    put(h + 20, e->peer, 8);
    put(h + 28, e->session, 8);
    uint32_t crc = crc32c(0, h, 4);
    crc = crc32c(crc, h + 8, TAPE_HEADER - 8);
    put(h + 4, crc32c(crc, e->body.p, e->body.n), 4);
    buf_add(out, h, sizeof h);
    buf_add_str(out, e->body);
}

static bool write_all(int fd, struct str s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        s = str_make(s.p + n, s.n - (size_t)n);
    }
    return true;
}

/* What waits goes to the file. What did not fit into it as a whole is taken back. */
static bool flush(struct tape *t)
{
    struct str all = buf_str(&t->waiting);
    bool ok = buf_ok(&t->waiting) && write_all(t->fd, all);
    int error = errno;
    if (ok)
        t->size += all.n;
    else if (ftruncate(t->fd, (off_t)t->size) != 0)
        error = errno;
    buf_clear(&t->waiting);
    errno = error;
    return ok;
}

/* Ends the recording by itself, with a mark that says so if there is room for one. */
static void end(struct tape *t, enum tape_end how, const char *why)
{
    struct tape_entry mark = {.type = TAPE_END, .kind = (uint8_t)how};
    t->over = true;
    snprintf(t->why, sizeof t->why, "%s", why);
    append(&t->waiting, &mark);
    (void)flush(t);
}

static bool has_spare(struct tape *t)
{
    struct statvfs v;
    if (t->size < t->look_at || !t->spare)
        return true;
    t->look_at = t->size + LOOK_EVERY;
    return fstatvfs(t->fd, &v) != 0 || (uint64_t)v.f_bavail * v.f_frsize > t->spare;
}

static err_t begin(struct tape *t, const struct tape_config *c, struct errmsg *em)
{
    if (c->limit < sizeof TAPE_MAGIC + TAPE_HEADER)
        return errmsg_set(em, ERR_INVALID, "a recording of %llu bytes holds nothing",
                          (unsigned long long)c->limit);
    t->fd = open(c->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (t->fd < 0)
        return errmsg_set(em, errno == EEXIST ? ERR_EXISTS : ERR_IO, "%s: %s", c->path,
                          strerror(errno));
    buf_addz(&t->waiting, TAPE_MAGIC);
    if (!flush(t))
        return errmsg_set(em, ERR_IO, "%s: %s", c->path, strerror(errno));
    return ERR_OK;
}

err_t tape_create(struct tape **out, const struct tape_config *c, struct errmsg *em)
{
    struct tape *t = alloc_zero(sizeof *t);
    t->fd = -1;
    t->limit = c->limit;
    t->spare = c->spare;
    buf_init(&t->waiting, TAPE_BODY + 2 * WAITING);
    err_t e = begin(t, c, em);
    if (e == ERR_OK) {
        *out = t;
        return ERR_OK;
    }
    t->over = true;
    tape_close(t);
    return e;
}

void tape_add(struct tape *t, const struct tape_entry *e, bool may_wait)
{
    if (t->over)
        return;
    if (e->body.n > TAPE_BODY) {
        end(t, TAPE_AT_LIMIT, "an input is too large for a recording");
        return;
    }
    if (t->size + t->waiting.n + 2 * TAPE_HEADER + e->body.n > t->limit) {
        end(t, TAPE_AT_LIMIT, "it has the size that it may have");
        return;
    }
    if (!has_spare(t)) {
        end(t, TAPE_NO_ROOM, "the disk has little room left");
        return;
    }
    append(&t->waiting, e);
    if (may_wait && t->waiting.n < WAITING)
        return;
    if (!flush(t))
        end(t, TAPE_NO_ROOM, strerror(errno));
}

const char *tape_ended(const struct tape *t)
{
    return t->over ? t->why : NULL;
}

uint64_t tape_bytes(const struct tape *t)
{
    return t->size;
}

void tape_close(struct tape *t)
{
    if (!t)
        return;
    if (!t->over)
        end(t, TAPE_IN_ORDER, "");
    if (t->fd >= 0)
        close(t->fd);
    buf_fini(&t->waiting);
    free(t);
}
