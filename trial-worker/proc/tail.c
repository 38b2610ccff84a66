/* Writes an attempt's output to its directory. Called by the runner for everything that a child
 * writes to stdout or stderr, and by agent.c to answer GET_LOG. It must not know attempts.
 *
 * The cap keeps the beginning and the end: the first half of the cap goes to output.log; what
 * follows goes to output.tail, which at a quarter of the cap becomes output.tail.old (replacing the
 * one before); at the end the parts are joined in output.log with a line that says how much was
 * left out. A full disk loses output, never the trial. */
#include "tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"

#define PATH_SIZE 4096

static const char *const parts[] = {TAIL_FILE, "output.tail.old", "output.tail"};
enum { PART_HEAD, PART_OLD, PART_TAIL, PARTS };

static void path_of(char out[PATH_SIZE], const char *dir, int part)
{
    snprintf(out, PATH_SIZE, "%s/%s", dir, parts[part]);
}

void tail_init(struct tail *t)
{
    *t = (struct tail){.fd = -1};
}

void tail_begin(struct tail *t, const char *dir, uint64_t cap)
{
    tail_end(t);
    char *last = t->last;
    free(t->dir);
    *t = (struct tail){.fd = -1, .dir = str_dupz(str_of(dir)), .cap = cap, .last = last};
}

static bool open_part(struct tail *t, int part)
{
    char path[PATH_SIZE];
    path_of(path, t->dir, part);
    t->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    t->part = 0;
    t->failed = t->fd < 0;
    return !t->failed;
}

static bool open_head(struct tail *t)
{
    t->failed = mkdir(t->dir, 0700) != 0 && errno != EEXIST;
    t->made = !t->failed;
    return !t->failed && open_part(t, PART_HEAD);
}

/* The part that is full makes room for the next. */
static bool next_part(struct tail *t)
{
    close(t->fd);
    t->fd = -1;
    if (t->in_tail) {
        char from[PATH_SIZE], to[PATH_SIZE];
        path_of(from, t->dir, PART_TAIL);
        path_of(to, t->dir, PART_OLD);
        t->left_out += t->old;
        t->old = t->part;
        t->failed = rename(from, to) != 0;
    }
    t->in_tail = true;
    return !t->failed && open_part(t, PART_TAIL);
}

static void write_disk(struct tail *t, struct str s)
{
    if (t->cap == 0 || t->failed || !t->dir || (t->fd < 0 && !open_head(t)))
        return;
    while (s.n > 0) {
        uint64_t room = t->in_tail ? t->cap / 4 : t->cap / 2;
        if (t->part >= room && !next_part(t))
            return;
        room = (t->in_tail ? t->cap / 4 : t->cap / 2) - t->part;
        ssize_t n = write(t->fd, s.p, s.n < room ? s.n : (size_t)room);
        if (n <= 0) {
            t->failed = true;
            return;
        }
        t->part += (uint64_t)n;
        s = str_make(s.p + n, s.n - (size_t)n);
    }
}

static void remember(struct tail *t, struct str s)
{
    if (!t->last)
        t->last = alloc_array(TAIL_LAST, 1);
    if (s.n > TAIL_LAST)
        s = str_make(s.p + s.n - TAIL_LAST, TAIL_LAST);
    for (size_t done = 0; done < s.n;) {
        size_t room = TAIL_LAST - t->last_at, n = s.n - done < room ? s.n - done : room;
        memcpy(t->last + t->last_at, s.p + done, n);
        t->last_at = (t->last_at + n) % TAIL_LAST;
        done += n;
    }
    t->last_n = t->last_n + s.n < TAIL_LAST ? t->last_n + s.n : TAIL_LAST;
}

void tail_add(struct tail *t, struct str bytes)
{
    if (bytes.n == 0)
        return;
    remember(t, bytes);
    write_disk(t, bytes);
}

static void append_file(int to, const char *path)
{
    char piece[16384];
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n;
    if (from < 0)
        return;
    while ((n = read(from, piece, sizeof piece)) > 0 && write(to, piece, (size_t)n) == n)
        ;
    close(from);
    unlink(path);
}

static void join_parts(struct tail *t)
{
    char path[PATH_SIZE];
    path_of(path, t->dir, PART_HEAD);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    if (t->left_out > 0)
        dprintf(fd, "\n[... %llu bytes left out ...]\n", (unsigned long long)t->left_out);
    path_of(path, t->dir, PART_OLD);
    append_file(fd, path);
    path_of(path, t->dir, PART_TAIL);
    append_file(fd, path);
    close(fd);
}

void tail_end(struct tail *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    if (t->in_tail)
        join_parts(t);
    t->in_tail = false;
    t->cap = 0;
}

void tail_fini(struct tail *t)
{
    tail_end(t);
    free(t->dir);
    free(t->last);
    tail_init(t);
}

bool tail_made(const struct tail *t)
{
    return t->made;
}

void tail_last(const struct tail *t, struct buf *out)
{
    size_t start = (t->last_at + TAIL_LAST - t->last_n) % TAIL_LAST, first = TAIL_LAST - start;
    if (t->last_n == 0)
        return;
    if (first > t->last_n)
        first = t->last_n;
    size_t before = out->n;
    buf_add(out, t->last + start, first);
    buf_add(out, t->last, t->last_n - first);
    if (!buf_ok(out) || t->last_n < TAIL_LAST)
        return;
    const char *nl = memchr(out->p + before, '\n', out->n - before); /* the first line may be cut */
    if (nl && nl + 1 < out->p + out->n) {
        size_t cut = (size_t)(nl + 1 - (out->p + before));
        memmove(out->p + before, nl + 1, out->n - before - cut);
        out->n -= cut;
    }
}

/* The last n bytes of a file, in front of what is in the caller's hands: returns how many. */
static size_t read_end(const char *path, char *to, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0)
        return 0;
    size_t got = 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        size_t want = (uint64_t)st.st_size < n ? (size_t)st.st_size : n;
        ssize_t r = pread(fd, to, want, (off_t)((uint64_t)st.st_size - want));
        got = r > 0 ? (size_t)r : 0;
    }
    close(fd);
    return got;
}

err_t tail_read(const char *dir, size_t n, struct buf *out)
{
    char path[PATH_SIZE];
    char *piece = alloc_array(n ? n : 1, 1);
    struct {
        size_t at, n;
    } found[PARTS];
    size_t used = 0;
    for (int part = PARTS - 1; part >= 0; part--) {
        path_of(path, dir, part);
        found[part].at = used;
        found[part].n = read_end(path, piece + used, n - used);
        used += found[part].n;
    }
    path_of(path, dir, PART_HEAD);
    bool there = access(path, F_OK) == 0;
    for (int part = 0; part < PARTS; part++)
        buf_add(out, piece + found[part].at, found[part].n);
    free(piece);
    return there ? ERR_OK : ERR_NOT_FOUND;
}
