/* Attempt directories of earlier worker processes under the same root, so that --keep-trials holds
 * across restarts. Called by agent.c at the start. It must not know attempts.
 *
 * Only a worker that is alone on its root may touch what it did not make: every worker holds a
 * shared lock on the root's .lock for its life, and this one needs it exclusively for the moment.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "files.h"

#define MAX_FOUND 1000000

struct found {
    int64_t changed; /* ns since 1970 */
    char *path;
};
struct finds {
    struct found *v;
    size_t n, cap;
};

static int by_age(const void *x, const void *y)
{
    const struct found *a = x, *b = y;
    return (a->changed > b->changed) - (a->changed < b->changed);
}

static void add(struct finds *f, const char *dir, const char *name)
{
    char path[FILES_PATH];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n < 0 || n >= FILES_PATH || f->n == MAX_FOUND || lstat(path, &st) != 0 ||
        !S_ISDIR(st.st_mode))
        return;
    if (f->n == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->v = alloc_grow(f->v, f->cap, sizeof *f->v);
    }
    int64_t changed = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    f->v[f->n++] = (struct found){changed, str_dupz(str_of(path))};
}

/* The directories in dir. */
static void list_into(struct finds *f, const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    while (d && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            add(f, dir, e->d_name);
    if (d)
        closedir(d);
}

static void free_finds(struct finds *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->v[i].path);
    free(f->v);
}

void files_keep_old(struct files *f)
{
    char path[FILES_PATH];
    struct finds studies = {0}, attempts = {0};
    snprintf(path, sizeof path, "%s/.lock", f->root);
    f->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f->lock < 0)
        return;
    if (flock(f->lock, LOCK_EX | LOCK_NB) == 0) {
        snprintf(path, sizeof path, "%s/trials", f->root);
        list_into(&studies, path);
        for (size_t i = 0; i < studies.n; i++)
            list_into(&attempts, studies.v[i].path);
        if (attempts.n > 0)
            qsort(attempts.v, attempts.n, sizeof *attempts.v, by_age);
        for (size_t i = 0; i < attempts.n; i++)
            files_attempt_ended(f, attempts.v[i].path);
        free_finds(&studies);
        free_finds(&attempts);
    }
    flock(f->lock, LOCK_SH | LOCK_NB);
}
