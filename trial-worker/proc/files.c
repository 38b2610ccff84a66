/* The worker's directories. Called by agent.c and by the runner. It must not know the protocol.
 *
 * Names come from peers: digests are written as hex, study names were checked (spec_name_valid),
 * and paths of a study's files are checked here again: relative, no empty, "." or ".." part. A
 * study's directory is built under another name and renamed, so it is there whole or not at all;
 * files are copied out of the cache, not linked, so that no program can change the cache. Several
 * workers may share a root. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "hash.h"

#define ATTEMPT_SEARCH 64 /* attempts of one trial that are looked for */

static err_t too_long(struct errmsg *em)
{
    return errmsg_set(em, ERR_LIMIT, "a path under the worker's root is longer than %d bytes",
                      FILES_PATH - 1);
}

static bool fits(int n)
{
    return n >= 0 && n < FILES_PATH;
}

static err_t make_below(const struct files *f, const char *name, struct errmsg *em)
{
    char path[FILES_PATH];
    if (!fits(snprintf(path, sizeof path, "%s/%s", f->root, name)))
        return too_long(em);
    return files_mkdirs(path, 0700, em);
}

err_t files_open(struct files *f, const char *root, uint32_t keep, struct errmsg *em)
{
    *f = (struct files){.keep = keep, .lock = -1};
    err_t e = files_mkdirs(root, 0700, em);
    if (e)
        return errmsg_wrap(em, e, "the worker's root");
    char *real = realpath(root, NULL);
    if (!real || !str_copyz(f->root, sizeof f->root, str_of(real))) {
        free(real);
        return errmsg_set(em, ERR_LIMIT,
                          "the worker's root %s: its path is longer than %zu bytes or not there",
                          root, sizeof f->root - 1);
    }
    free(real);
    if (access(f->root, W_OK | X_OK) != 0)
        return errmsg_set(em, ERR_IO, "the worker's root %s cannot be written: %s", f->root,
                          strerror(errno));
    static const char *const names[] = {"cache", "studies", "trials"};
    for (size_t i = 0; i < 3 && !e; i++)
        e = make_below(f, names[i], em);
    if (keep > 0)
        f->kept = alloc_array(keep, sizeof *f->kept);
    return e;
}

void files_close(struct files *f)
{
    for (uint32_t i = 0; f->kept && i < f->keep; i++)
        free(f->kept[i]);
    free(f->kept);
    f->kept = NULL;
    if (f->lock >= 0)
        close(f->lock);
    f->lock = -1;
}

/* ---- the cache ---- */

static bool cache_path(const struct files *f, struct digest d, char out[FILES_PATH])
{
    char hex[HEX_SIZE(32)];
    str_hex(hex, d.b, sizeof d.b);
    return fits(snprintf(out, FILES_PATH, "%s/cache/%s", f->root, hex));
}

bool files_have(const struct files *f, struct digest d)
{
    char path[FILES_PATH];
    struct stat st;
    return cache_path(f, d, path) && lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

err_t files_load(const struct files *f, struct digest d, size_t limit, struct buf *out,
                 struct errmsg *em)
{
    char path[FILES_PATH];
    if (!cache_path(f, d, path))
        return too_long(em);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errmsg_set(em, ERR_NOT_FOUND, "%s cannot be read: %s", path, strerror(errno));
    char piece[16384];
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) > 0 && out->n <= limit)
        buf_add(out, piece, (size_t)n);
    close(fd);
    if (n < 0 || out->n > limit || !buf_ok(out))
        return errmsg_set(em, ERR_LIMIT, "%s cannot be read or has more than %zu bytes", path,
                          limit);
    if (!digest_eq(hash_bytes(buf_str(out)), d)) {
        unlink(path); /* fetched again next time */
        return errmsg_set(em, ERR_CORRUPT, "%s is damaged", path);
    }
    return ERR_OK;
}

err_t files_part_open(struct files *f, struct digest d, struct files_part *p, struct errmsg *em)
{
    char path[FILES_PATH];
    if (!cache_path(f, d, path) ||
        !fits(snprintf(p->path, sizeof p->path, "%.4000s.%d.part", path, (int)getpid())))
        return too_long(em);
    p->fd = open(p->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (p->fd < 0 && errno == EACCES && unlink(p->path) == 0)
        p->fd = open(p->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (p->fd < 0)
        return errmsg_set(em, ERR_IO, "%s cannot be made: %s", p->path, strerror(errno));
    return ERR_OK;
}

err_t files_part_write(struct files_part *p, struct str bytes, struct errmsg *em)
{
    while (bytes.n > 0) {
        ssize_t n = write(p->fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return errmsg_set(em, errno == ENOSPC ? ERR_FULL : ERR_IO, "%s cannot be written: %s",
                              p->path, strerror(errno));
        bytes = str_make(bytes.p + n, bytes.n - (size_t)n);
    }
    return ERR_OK;
}

void files_part_abandon(struct files_part *p)
{
    if (p->fd < 0)
        return;
    close(p->fd);
    unlink(p->path);
    p->fd = -1;
}

err_t files_part_finish(struct files *f, struct digest d, struct files_part *p, struct errmsg *em)
{
    char path[FILES_PATH];
    struct digest got;
    uint64_t size;
    err_t e = hash_file(p->path, &got, &size, em);
    if (!e && !digest_eq(got, d))
        e = errmsg_set(em, ERR_CORRUPT,
                       "a file came from the broker with other bytes than its digest says");
    if (!e && !cache_path(f, d, path))
        e = too_long(em);
    if (!e && rename(p->path, path) != 0)
        e = errmsg_set(em, ERR_IO, "%s cannot be named %s: %s", p->path, path, strerror(errno));
    if (e) {
        files_part_abandon(p);
        return e;
    }
    close(p->fd);
    p->fd = -1;
    return ERR_OK;
}

/* ---- a study's directory ---- */

static bool path_safe(struct str path)
{
    if (path.n == 0 || path.p[0] == '/' || str_has_control(path))
        return false;
    for (size_t i = 0, start = 0; i <= path.n; i++) {
        if (i < path.n && path.p[i] != '/')
            continue;
        struct str part = str_make(path.p + start, i - start);
        if (part.n == 0 || str_is(part, "..") || (str_is(part, ".") && path.n > 1))
            return false;
        start = i + 1;
    }
    return true;
}

static err_t place_file(const struct files *f, const struct spec_file *file, const char *dir,
                        struct errmsg *em)
{
    char from[FILES_PATH], to[FILES_PATH];
    if (!path_safe(file->path))
        return errmsg_set(em, ERR_INVALID,
                          "the file \"" STR_FMT "\": expected a relative path without \"..\"",
                          STR_ARG(file->path));
    if (!cache_path(f, file->digest, from) ||
        !fits(snprintf(to, sizeof to, "%s/" STR_FMT, dir, STR_ARG(file->path))))
        return too_long(em);
    char *slash = strrchr(to, '/');
    *slash = 0;
    err_t e = files_mkdirs(to, 0700, em);
    *slash = '/';
    return e ? e : files_copy(from, to, file->executable ? 0700 : 0600, em);
}

static err_t build_study(const struct files *f, const struct spec *s, const char *build,
                         struct errmsg *em)
{
    char dir[FILES_PATH];
    if (!fits(snprintf(dir, sizeof dir, "%s/" STR_FMT, build, STR_ARG(s->objective.dir))))
        return too_long(em);
    err_t e = files_mkdirs(dir, 0700, em);
    for (uint32_t i = 0; i < s->objective.n_files && !e; i++)
        e = place_file(f, &s->objective.files[i], dir, em);
    return e;
}

err_t files_study(struct files *f, struct digest spec_digest, const struct spec *s,
                  char cwd[FILES_PATH], struct errmsg *em)
{
    char hex[HEX_SIZE(32)], dir[FILES_PATH], build[FILES_PATH];
    str_hex(hex, spec_digest.b, sizeof spec_digest.b);
    if (!spec_name_valid(s->study) || !path_safe(s->objective.dir))
        return errmsg_set(em, ERR_INVALID, "the study's name or directory is no legal path");
    if (!fits(snprintf(dir, sizeof dir, "%s/studies/" STR_FMT "-%.8s", f->root, STR_ARG(s->study),
                       hex)) ||
        !fits(snprintf(build, sizeof build, "%.4000s.%d", dir, (int)getpid())) ||
        !fits(snprintf(
            cwd, FILES_PATH, "%.3000s%s" STR_FMT, dir, str_is(s->objective.dir, ".") ? "" : "/",
            str_is(s->objective.dir, ".") ? 0 : (int)s->objective.dir.n, s->objective.dir.p)))
        return too_long(em);
    struct stat st;
    if (stat(dir, &st) == 0)
        return ERR_OK;
    files_remove_tree(build);
    err_t e = build_study(f, s, build, em);
    if (!e && rename(build, dir) != 0 && errno != EEXIST &&
        errno != ENOTEMPTY) /* another worker was faster: as good */
        e = errmsg_set(em, ERR_IO, "%s cannot be named %s: %s", build, dir, strerror(errno));
    files_remove_tree(build);
    return e;
}

/* ---- attempts ---- */

bool files_attempt_path(const struct files *f, struct str study, uint64_t trial, uint32_t attempt,
                        char out[FILES_PATH])
{
    return spec_name_valid(study) &&
           fits(snprintf(out, FILES_PATH, "%s/trials/" STR_FMT "/%llu.%u", f->root, STR_ARG(study),
                         (unsigned long long)trial, attempt));
}

err_t files_attempt_make(const char *path, struct errmsg *em)
{
    return files_mkdirs(path, 0700, em);
}

void files_attempt_ended(struct files *f, const char *path)
{
    if (f->keep == 0) {
        files_remove_tree(path);
        return;
    }
    char **place = &f->kept[f->kept_at];
    if (*place)
        files_remove_tree(*place);
    free(*place);
    *place = str_dupz(str_of(path));
    f->kept_at = (f->kept_at + 1) % f->keep;
    f->kept_n += f->kept_n < f->keep;
}

err_t files_attempt_find(const struct files *f, struct str study, uint64_t trial, uint32_t attempt,
                         char out[FILES_PATH])
{
    uint32_t n = attempt && attempt < ATTEMPT_SEARCH ? attempt : ATTEMPT_SEARCH;
    for (; n > 0; n--) {
        if (!files_attempt_path(f, study, trial, n, out))
            return ERR_INVALID;
        if (access(out, F_OK) == 0)
            return ERR_OK;
    }
    return ERR_NOT_FOUND;
}
