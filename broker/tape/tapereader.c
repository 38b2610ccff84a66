/* Reading a recording: one entry after the other, each checked before it is believed. Called by
 * rerun.c. It must not know what entries mean. */
#include "tapereader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "alloc.h"
#include "buf.h"
#include "crc32c.h"

#define NOW_MOST (INT64_MAX / 4) /* sums of times stay far from overflow */

struct tapereader {
    FILE *file;
    char *path;
    uint64_t at, size;
    struct buf body;
    bool ended;
};

static uint64_t get(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = bytes - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static err_t damaged(const struct tapereader *r, struct errmsg *em, const char *what)
{
    return errmsg_set(em, ERR_CORRUPT, "%s: the entry at byte %llu is damaged: %s", r->path,
                      (unsigned long long)r->at, what);
}

static err_t cut_off(const struct tapereader *r, struct errmsg *em)
{
    return errmsg_set(em, ERR_CORRUPT, "%s: it is cut off in the midst of the entry at byte %llu",
                      r->path, (unsigned long long)r->at);
}

static err_t failed(const struct tapereader *r, struct errmsg *em)
{
    return errmsg_set(em, ERR_IO, "%s: %s", r->path, strerror(errno));
}

static err_t check_magic(struct tapereader *r, struct errmsg *em)
{
    char magic[sizeof TAPE_MAGIC - 1];
    size_t n = fread(magic, 1, sizeof magic, r->file);
    if (ferror(r->file))
        return failed(r, em);
    r->at = n;
    if (n == sizeof magic && memcmp(magic, TAPE_MAGIC, n) == 0)
        return ERR_OK;
    if (n == sizeof magic && memcmp(magic, TAPE_MAGIC, 6) == 0)
        return errmsg_set(em, ERR_VERSION,
                          "%s: a recording of another version; one of version 1 was expected",
                          r->path);
    return errmsg_set(em, ERR_CORRUPT, "%s: it is no recording of a broker's inputs", r->path);
}

err_t tapereader_open(struct tapereader **out, const char *path, struct errmsg *em)
{
    struct tapereader *r = alloc_zero(sizeof *r);
    struct stat st = {0};
    r->path = str_dupz(str_of(path));
    buf_init(&r->body, TAPE_BODY);
    r->file = fopen(path, "re");
    err_t e = r->file && fstat(fileno(r->file), &st) == 0 ? ERR_OK : failed(r, em);
    if (e == ERR_OK && !S_ISREG(st.st_mode))
        e = errmsg_set(em, ERR_INVALID, "%s: a file was expected", path);
    if (e == ERR_OK) {
        r->size = (uint64_t)st.st_size;
        e = check_magic(r, em);
    }
    if (e == ERR_OK)
        *out = r;
    else
        tapereader_close(r);
    return e;
}

/* The body of n bytes, which the header has announced. */
static err_t read_body(struct tapereader *r, size_t n, struct errmsg *em)
{
    buf_clear(&r->body);
    if (n > TAPE_BODY)
        return damaged(r, em, "its length is not possible");
    if (n > r->size || r->at > r->size - n)
        return cut_off(r, em);
    char *p = n ? buf_reserve(&r->body, n) : NULL;
    if (n && (!p || fread(p, 1, n, r->file) != n))
        return ferror(r->file) ? failed(r, em) : cut_off(r, em);
    r->body.n = n;
    return ERR_OK;
}

static err_t check(struct tapereader *r, const uint8_t *h, struct errmsg *em)
{
    uint32_t crc = crc32c(0, h, 4);
    crc = crc32c(crc, h + 8, TAPE_HEADER - 8);
    if (crc32c(crc, r->body.p, r->body.n) != get(h + 4, 4))
        return damaged(r, em, "its checksum does not match");
    int64_t now = (int64_t)get(h + 12, 8);
    return now < 0 || now > NOW_MOST ? damaged(r, em, "its time is not possible") : ERR_OK;
}

err_t tapereader_next(struct tapereader *r, struct tape_entry *out, bool *more, struct errmsg *em)
{
    uint8_t h[TAPE_HEADER];
    size_t n = fread(h, 1, sizeof h, r->file);
    *more = false;
    if (ferror(r->file))
        return failed(r, em);
    if (n == 0)
        return ERR_OK;
    if (r->ended)
        return damaged(r, em, "it stands behind the end");
    if (n < sizeof h)
        return cut_off(r, em);
    err_t e = read_body(r, (size_t)get(h, 4), em);
    if (e == ERR_OK)
        e = check(r, h, em);
    if (e != ERR_OK)
        return e;
    *out = (struct tape_entry){.type = h[8],
                               .kind = h[9],
                               .now = (int64_t)get(h + 12, 8),
                               .peer = get(h + 20, 8),
                               .session = get(h + 28, 8),
                               .body = buf_str(&r->body)};
    r->at += sizeof h + r->body.n;
    r->ended = out->type == TAPE_END;
    *more = true;
    return ERR_OK;
}

void tapereader_close(struct tapereader *r)
{
    if (!r)
        return;
    if (r->file)
        fclose(r->file);
    buf_fini(&r->body);
    free(r->path);
    free(r);
}
