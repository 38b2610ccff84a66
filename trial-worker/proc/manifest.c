/* Manifests of checkpoints. Called by sealer.c on a thread of its own. It must not know attempts.
 *
 * The tree is listed first and sorted by bytes, because directories come in any order; then
 * everything goes through one hash: for each entry its kind, the length of its name and the name,
 * for a file its size and bytes, for a link the length of its target and the target. Lengths stand
 * before texts, so two different trees cannot read alike. */
#include "manifest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "buf.h"
#include "hash.h"

#define MAX_ENTRIES 100000
#define MAX_DEPTH   64
#define PIECE       (256u << 10)

struct entry {
    char *name; /* under the root; owned */
    char kind;  /* d, f, l */
    uint64_t size;
};
struct manifest {
    const char *root;
    const atomic_bool *stop;
    struct entry *v;
    size_t n, cap;
    struct hasher h;
    uint64_t size;
    char *piece;
    struct errmsg *em;
};

static err_t fault(const struct manifest *m, const char *name)
{
    return errmsg_set(m->em, ERR_IO, "%s%s%s cannot be read: %s", m->root, *name ? "/" : "", name,
                      strerror(errno));
}

static err_t add_directory(struct manifest *m, int fd, const char *name, int depth);

static err_t add(struct manifest *m, int parent, const char *leaf, const char *name, int depth)
{
    struct stat st;
    if (fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return fault(m, name);
    char kind = S_ISREG(st.st_mode) ? 'f' : S_ISDIR(st.st_mode) ? 'd' : 'l';
    if (kind == 'l' && !S_ISLNK(st.st_mode))
        return errmsg_set(m->em, ERR_IO, "%s/%s is neither file, directory nor link", m->root,
                          name);
    if (m->n == MAX_ENTRIES)
        return errmsg_set(m->em, ERR_LIMIT, "%s holds more than %d files", m->root, MAX_ENTRIES);
    if (m->n == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 64;
        m->v = alloc_grow(m->v, m->cap, sizeof *m->v);
    }
    m->v[m->n++] = (struct entry){str_dupz(str_of(name)), kind, (uint64_t)st.st_size};
    if (kind != 'd')
        return ERR_OK;
    int fd = openat(parent, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? fault(m, name) : add_directory(m, fd, name, depth + 1);
}

/* Takes fd over. */
static err_t add_directory(struct manifest *m, int fd, const char *name, int depth)
{
    DIR *d = fdopendir(fd);
    struct dirent *x;
    err_t e = ERR_OK;
    if (!d) {
        close(fd);
        return fault(m, name);
    }
    if (depth > MAX_DEPTH)
        e = errmsg_set(m->em, ERR_LIMIT, "%s is nested over %d levels", m->root, MAX_DEPTH);
    while (!e && (x = readdir(d)) != NULL) {
        if (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0)
            continue;
        struct buf path;
        buf_init(&path, 0);
        buf_printf(&path, "%s%s%s", name, *name ? "/" : "", x->d_name);
        e = add(m, dirfd(d), x->d_name, buf_z(&path), depth);
        buf_fini(&path);
    }
    closedir(d);
    return e;
}

static int by_name(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static void add_number(struct manifest *m, uint64_t v)
{
    unsigned char b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (unsigned char)(v >> (8 * i));
    hasher_add(&m->h, b, sizeof b);
}

static void add_text(struct manifest *m, const char *p, size_t n)
{
    add_number(m, n);
    hasher_add(&m->h, p, n);
}

/* fd is read to its end, which must be where it was when it was listed. */
static err_t add_bytes(struct manifest *m, int fd, const struct entry *x)
{
    uint64_t read_so_far = 0;
    for (;;) {
        ssize_t n = read(fd, m->piece, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fault(m, x->name);
        if (atomic_load(m->stop))
            return errmsg_set(m->em, ERR_FAILED, "the worker ends");
        if (n == 0)
            break;
        hasher_add(&m->h, m->piece, (size_t)n);
        read_so_far += (uint64_t)n;
    }
    m->size += read_so_far;
    if (read_so_far == x->size)
        return ERR_OK;
    return errmsg_set(m->em, ERR_IO, "%s%s%s changed while it was read", m->root,
                      *x->name ? "/" : "", x->name);
}

static err_t add_file(struct manifest *m, int root, const struct entry *x)
{
    int fd = *x->name ? openat(root, x->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : dup(root);
    if (fd < 0)
        return fault(m, x->name);
    add_number(m, x->size);
    err_t e = add_bytes(m, fd, x);
    close(fd);
    return e;
}

static err_t add_entry(struct manifest *m, int root, const struct entry *x)
{
    hasher_add(&m->h, &x->kind, 1);
    add_text(m, x->name, strlen(x->name));
    if (x->kind == 'f')
        return add_file(m, root, x);
    if (x->kind == 'd')
        return ERR_OK;
    ssize_t n = readlinkat(root, x->name, m->piece, PIECE);
    if (n < 0)
        return fault(m, x->name);
    add_text(m, m->piece, (size_t)n);
    return ERR_OK;
}

static err_t list(struct manifest *m, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fault(m, "");
    if (S_ISREG(st.st_mode)) {
        m->v = alloc_array(1, sizeof *m->v);
        m->v[m->n++] = (struct entry){str_dupz(STR("")), 'f', (uint64_t)st.st_size};
        return ERR_OK;
    }
    int copy = S_ISDIR(st.st_mode) ? openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (copy < 0)
        return errmsg_set(m->em, ERR_IO, "%s is neither a file nor a directory", m->root);
    err_t e = add_directory(m, copy, "", 0);
    if (!e && m->n == 0)
        return errmsg_set(m->em, ERR_NOT_FOUND, "%s is empty", m->root);
    if (!e)
        qsort(m->v, m->n, sizeof *m->v, by_name);
    return e;
}

err_t manifest_digest(const char *path, const atomic_bool *stop, struct digest *out, uint64_t *size,
                      struct errmsg *em)
{
    struct manifest m = {.root = path, .stop = stop, .em = em};
    /* Not blocking: it may be a FIFO. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errmsg_set(em, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO,
                          "%s cannot be opened: %s", path, strerror(errno));
    m.piece = alloc_array(PIECE, 1);
    hasher_init(&m.h);
    add_text(&m, "tunefarm checkpoint 1", 21);
    err_t e = list(&m, fd);
    for (size_t i = 0; i < m.n && !e; i++)
        e = add_entry(&m, fd, &m.v[i]);
    close(fd);
    for (size_t i = 0; i < m.n; i++)
        free(m.v[i].name);
    free(m.v);
    free(m.piece);
    *out = hasher_end(&m.h);
    *size = m.size;
    return e;
}
