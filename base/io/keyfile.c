/* Making and reading the farm's key file.
 *
 * Called by every program that talks over TCP; only the broker makes one. The file is written
 * beside its place and linked into it, so that a worker that starts at the same moment never reads
 * half a key, and a key that exists is never replaced. */
#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "buf.h"
#include "flush.h"

#define KEYFILE_MAX 4096

err_t keyfile_default_path(char out[KEYFILE_PATH_SIZE], struct errmsg *em)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int n;
    if (config && config[0] == '/')
        n = snprintf(out, KEYFILE_PATH_SIZE, "%s/tunefarm/farm.key", config);
    else if (home && home[0] == '/')
        n = snprintf(out, KEYFILE_PATH_SIZE, "%s/.config/tunefarm/farm.key", home);
    else
        return errmsg_set(em, ERR_INVALID,
                          "there is no default key file because HOME is not set; name one");
    if (n < 0 || n >= KEYFILE_PATH_SIZE)
        return errmsg_set(em, ERR_LIMIT, "the default key file's path is too long");
    return ERR_OK;
}

/* Folders above path that are missing. */
static err_t make_folders(const char *path, struct errmsg *em)
{
    char folder[KEYFILE_PATH_SIZE];
    if (!str_copyz(folder, sizeof folder, str_of(path)))
        return errmsg_set(em, ERR_LIMIT, "%s: the path is too long", path);
    for (char *slash = strchr(folder + 1, '/'); folder[0] && slash;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(folder, 0700) && errno != EEXIST)
            return errmsg_set(em, ERR_IO, "the folder %s cannot be made: %s", folder,
                              strerror(errno));
        *slash = '/';
    }
    return ERR_OK;
}

static bool write_and_sync(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, text, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return false;
        text += k;
        n -= (size_t)k;
    }
    return fsync(fd) == 0;
}

static err_t write_new(const char *path, const char *temporary, const char *text, struct errmsg *em)
{
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errmsg_set(em, ERR_IO, "%s cannot be made: %s", temporary, strerror(errno));
    err_t e = ERR_OK;
    if (fchmod(fd, 0600) || !write_and_sync(fd, text, strlen(text)))
        e = errmsg_set(em, ERR_IO, "%s cannot be written: %s", temporary, strerror(errno));
    close(fd);
    if (!e && link(temporary, path))
        e = errno == EEXIST
                ? errmsg_set(em, ERR_EXISTS, "%s exists already", path)
                : errmsg_set(em, ERR_IO, "%s cannot be made: %s", path, strerror(errno));
    unlink(temporary);
    if (!e)
        (void)flush_folder_of(path); /* a file system that cannot do it has no more to offer */
    return e;
}

err_t keyfile_create(const char *path, struct errmsg *em)
{
    char public_key[41], secret_key[41], text[256], temporary[KEYFILE_PATH_SIZE + 16];
    uint32_t mark = 0;
    err_t e = make_folders(path, em);
    if (e)
        return e;
    if (zmq_curve_keypair(public_key, secret_key))
        return errmsg_set(em, ERR_FAILED, "no key pair can be made: %s", zmq_strerror(errno));
    REQUIRE(sodium_init() >= 0);
    randombytes_buf(&mark, sizeof mark);
    snprintf(temporary, sizeof temporary, "%s.%08x", path, mark);
    snprintf(text, sizeof text,
             "# The key of a tunefarm. Whoever has it may run programs on the farm.\n"
             "public = %s\nsecret = %s\n",
             public_key, secret_key);
    e = write_new(path, temporary, text, em);
    sodium_memzero(secret_key, sizeof secret_key);
    sodium_memzero(text, sizeof text);
    return e;
}

/* Permissions that a key file must not have. systemd hands a credential to its service by an access
 * list, which shows as permission of the group; its folder is closed to others. */
static mode_t barred(const char *path)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    size_t n = folder ? strlen(folder) : 0;
    return n && strncmp(path, folder, n) == 0 && path[n] == '/' ? 037 : 077;
}

static err_t file_read(const char *path, char text[KEYFILE_MAX + 1], size_t *n, struct errmsg *em)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errmsg_set(em, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
                          "the key file %s cannot be opened: %s", path, strerror(errno));
    err_t e = ERR_OK;
    ssize_t got = 0;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        e = errmsg_set(em, ERR_INVALID, "the key file %s is no regular file", path);
    else if (st.st_mode & barred(path))
        e = errmsg_set(em, ERR_REFUSED,
                       "the key file %s may be read or written by others (mode %03o); "
                       "expected mode 600: chmod 600 it, or make a new one if others may have it",
                       path, (unsigned)st.st_mode & 0777);
    else if ((got = read(fd, text, KEYFILE_MAX + 1)) < 0)
        e = errmsg_set(em, ERR_IO, "the key file %s cannot be read: %s", path, strerror(errno));
    else if (got > KEYFILE_MAX)
        e = errmsg_set(em, ERR_INVALID, "the key file %s is larger than %d bytes", path,
                       KEYFILE_MAX);
    close(fd);
    *n = e ? 0 : (size_t)got;
    return e;
}

static struct str trimmed(struct str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = str_make(s.p + 1, s.n - 1);
    while (s.n && strchr(" \t\r", s.p[s.n - 1]))
        s.n--;
    return s;
}

/* One line; false if it is neither a key nor a comment nor empty, or a key that is no Z85 of 32
 * bytes. */
static bool line_parse(struct str line, struct zcurve *out)
{
    uint8_t raw[32];
    line = trimmed(line);
    if (line.n == 0 || line.p[0] == '#')
        return true;
    const char *eq = memchr(line.p, '=', line.n);
    if (!eq)
        return false;
    struct str name = trimmed(str_make(line.p, (size_t)(eq - line.p)));
    struct str value = trimmed(str_make(eq + 1, line.n - (size_t)(eq - line.p) - 1));
    char *key = str_is(name, "public")   ? out->public_key
                : str_is(name, "secret") ? out->secret_key
                                         : NULL;
    if (!key || key[0] || value.n != 40 || memchr(value.p, 0, value.n))
        return false;
    str_copyz(key, 41, value);
    return zmq_z85_decode(raw, key) != NULL;
}

static err_t text_parse(const char *path, struct str rest, struct zcurve *out, struct errmsg *em)
{
    char derived[41];
    for (unsigned number = 1; rest.n > 0; number++) {
        const char *end = memchr(rest.p, '\n', rest.n);
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        if (!line_parse(str_make(rest.p, n), out))
            return errmsg_set(em, ERR_INVALID,
                              "%s:%u: expected `public = KEY` or `secret = KEY`, each once, with "
                              "40 characters of Z85",
                              path, number);
        n += end ? 1 : 0;
        rest = str_make(rest.p + n, rest.n - n);
    }
    if (!out->public_key[0] || !out->secret_key[0])
        return errmsg_set(em, ERR_INVALID, "%s: the %s key is missing", path,
                          out->public_key[0] ? "secret" : "public");
    if (zmq_curve_public(derived, out->secret_key) || strcmp(derived, out->public_key) != 0)
        return errmsg_set(em, ERR_INVALID, "%s: the two keys do not belong together", path);
    return ERR_OK;
}

err_t keyfile_load(const char *path, struct zcurve *out, struct errmsg *em)
{
    char text[KEYFILE_MAX + 1];
    size_t n = 0;
    memset(out, 0, sizeof *out);
    err_t e = file_read(path, text, &n, em);
    if (!e)
        e = text_parse(path, str_make(text, n), out, em);
    sodium_memzero(text, sizeof text);
    if (e)
        sodium_memzero(out, sizeof *out);
    else
        memcpy(out->server_key, out->public_key, sizeof out->server_key);
    return e;
}

err_t keyfile_load_or_create(const char *path, struct zcurve *out, bool *created, struct errmsg *em)
{
    *created = false;
    err_t e = keyfile_load(path, out, em);
    if (e != ERR_NOT_FOUND)
        return e;
    e = keyfile_create(path, em);
    if (e && e != ERR_EXISTS) /* another one was faster: its key is as good */
        return e;
    *created = e == ERR_OK;
    return keyfile_load(path, out, em);
}
