/* Starts, guards and ends the processes of an embedded farm. Everything that stays is beside the
 * database (its log, the workers' directory with what trials wrote); the socket lives in a private
 * directory, because whoever can reach it may start programs.
 *
 * A child that dies although it had served is started again: the farm is built so that nothing is
 * lost by that. Called by the command run; knows nothing of studies. */
#include "embed.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"

#define MAX_RESTARTS 5
#define LOG_LIMIT    (16 << 20)
#define READY_MS     60000
#define SOCKET_ROOM  80 /* longest directory under which a socket's path fits its 107 bytes */

char *embed_beside(const char *db, const char *ending)
{
    struct str base = str_of(db);
    struct buf out;
    if (base.n > 3 && memcmp(base.p + base.n - 3, ".db", 3) == 0)
        base.n -= 3;
    buf_init(&out, 0);
    buf_add_str(&out, base);
    buf_addz(&out, ending);
    return buf_takez(&out);
}

/* Directories of runs that were killed stay behind empty; young ones may belong to a run that
 * starts just now. */
static void sweep(const char *base)
{
    char pattern[SOCKET_ROOM + 32];
    glob_t found = {0};
    snprintf(pattern, sizeof pattern, "%s/tunefarm-run-??????", base);
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            struct stat st;
            if (lstat(found.gl_pathv[i], &st) == 0 && S_ISDIR(st.st_mode) &&
                st.st_uid == geteuid() && time(NULL) - st.st_mtime > 60)
                rmdir(found.gl_pathv[i]);
        }
    }
    globfree(&found);
}

static err_t make_private_dir(struct embed *f, struct errmsg *em)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    if (!base || base[0] != '/' || strlen(base) > SOCKET_ROOM || access(base, W_OK))
        base = "/tmp";
    sweep(base);
    snprintf(f->dir, sizeof f->dir, "%s/tunefarm-run-XXXXXX", base);
    if (!mkdtemp(f->dir)) {
        err_t e =
            errmsg_set(em, ERR_IO, "no directory can be made in %s: %s", base, strerror(errno));
        f->dir[0] = 0;
        return e;
    }
    snprintf(f->endpoint, sizeof f->endpoint, "ipc://%s/b", f->dir);
    return ERR_OK;
}

static err_t prepare_child(struct childproc *c, const char *name, struct errmsg *em)
{
    char path[4400];
    err_t e = childproc_find(name, path, sizeof path, em);
    if (!e)
        childproc_init(c, name, path);
    return e;
}

static void args(struct childproc *c, const char *const *list)
{
    for (; *list; list++)
        childproc_arg(c, *list);
}

/* The last line of the log that says something. */
static void last_line(const char *log, char *out, size_t size)
{
    char tail[4096];
    FILE *file = fopen(log, "re");
    out[0] = 0;
    if (!file)
        return;
    if (fseek(file, -(long)sizeof tail + 1, SEEK_END))
        rewind(file);
    size_t n = fread(tail, 1, sizeof tail - 1, file);
    fclose(file);
    while (n > 0 && (tail[n - 1] == '\n' || tail[n - 1] == ' '))
        n--;
    size_t from = n;
    while (from > 0 && tail[from - 1] != '\n')
        from--;
    str_copyz(out, size, str_make(tail + from, n - from));
}

static err_t child_failed(struct embed *f, const struct childproc *c, struct errmsg *em)
{
    char how[64], line[512];
    childproc_how(c, how, sizeof how);
    last_line(f->log, line, sizeof line);
    return errmsg_set(em, ERR_FAILED, "the %s ended (%s): %s (log: %s)", c->name, how,
                      line[0] ? line : "it said nothing", f->log);
}

static void keep_log_small(const char *log)
{
    struct stat st;
    if (stat(log, &st) == 0 && st.st_size > LOG_LIMIT)
        unlink(log);
}

static err_t start_broker(struct embed *f, struct errmsg *em)
{
    err_t e = prepare_child(&f->broker, "broker", em);
    if (e)
        return e;
    const char *const list[] = {"--db", f->config.db, "--listen", f->endpoint, NULL};
    args(&f->broker, list);
    e = childproc_start(&f->broker, f->log, em);
    if (e)
        return e;
    switch (childproc_await_ready(&f->broker, READY_MS)) {
    case ERR_OK:
        return ERR_OK;
    case ERR_TIMEOUT:
        return errmsg_set(em, ERR_TIMEOUT, "the broker did not serve within %d s (log: %s)",
                          READY_MS / 1000, f->log);
    default:
        return child_failed(f, &f->broker, em);
    }
}

err_t embed_start(struct embed *f, const struct embed_config *c, struct errmsg *em)
{
    *f = (struct embed){.config = *c, .addr = {.fd = -1}};
    f->log = embed_beside(c->db, ".log");
    f->work = embed_beside(c->db, ".work");
    err_t e = addrfile_claim(&f->addr, c->db, em);
    if (!e)
        e = make_private_dir(f, em);
    if (!e) {
        keep_log_small(f->log);
        e = start_broker(f, em);
    }
    if (!e)
        e = addrfile_write(&f->addr, f->endpoint, em);
    if (e)
        embed_fini(f);
    return e;
}

static err_t start_worker(struct embed *f, unsigned i, struct errmsg *em)
{
    struct childproc *c = &f->workers[i];
    err_t e = prepare_child(c, "worker", em);
    if (e)
        return e;
    f->n_workers = i + 1;
    char slots[16], root[4400];
    snprintf(slots, sizeof slots, "%u", f->config.slots);
    snprintf(root, sizeof root, "%s/w%u", f->work, i + 1);
    const char *const list[] = {"--broker", f->endpoint, "--root", root, NULL};
    args(c, list);
    if (f->config.slots) {
        childproc_arg(c, "--slots");
        childproc_arg(c, slots);
    }
    return childproc_start(c, f->log, em);
}

err_t embed_start_rest(struct embed *f, struct errmsg *em)
{
    if (mkdir(f->work, 0755) && errno != EEXIST)
        return errmsg_set(em, ERR_IO, "%s cannot be made: %s", f->work, strerror(errno));
    err_t e = prepare_child(&f->optimizer, "optimizer", em);
    if (e)
        return e;
    const char *const list[] = {"--broker", f->endpoint, NULL};
    args(&f->optimizer, list);
    e = childproc_start(&f->optimizer, f->log, em);
    for (unsigned i = 0; i < f->config.workers && !e; i++)
        e = start_worker(f, i, em);
    return e;
}

static err_t look_after(struct embed *f, struct childproc *c, struct errmsg *em)
{
    if (c->argc == 0)
        return ERR_OK;
    bool ran = c->pid != 0;
    childproc_poll(c);
    if (c->pid || !ran || f->ending)
        return ERR_OK;
    if (!c->ready || c->starts > MAX_RESTARTS)
        return child_failed(f, c, em);
    char how[64];
    childproc_how(c, how, sizeof how);
    snprintf(f->notice, sizeof f->notice, "the %s ended (%s) and is started again; log: %s",
             c->name, how, f->log);
    f->told = true;
    return childproc_start(c, f->log, em);
}

err_t embed_on_child(struct embed *f, struct errmsg *em)
{
    err_t e = look_after(f, &f->broker, em);
    if (!e)
        e = look_after(f, &f->optimizer, em);
    for (unsigned i = 0; i < f->n_workers && !e; i++)
        e = look_after(f, &f->workers[i], em);
    return e;
}

static bool workers_left(struct embed *f)
{
    bool left = false;
    for (unsigned i = 0; i < f->n_workers; i++) {
        childproc_poll(&f->workers[i]);
        left |= f->workers[i].pid != 0;
    }
    return left;
}

void embed_stop(struct embed *f, int64_t patience)
{
    f->ending = true;
    for (unsigned i = 0; i < f->n_workers; i++)
        childproc_signal(&f->workers[i], SIGTERM);
    if (patience != CLOCK_NEVER) {
        /* Two signals of one number that arrive together are one: the second waits until the first
         * has been seen. */
        const struct timespec pause = {.tv_nsec = 100000000};
        int64_t until = clock_now() + patience;
        do
            nanosleep(&pause, NULL);
        while (clock_now() < until && workers_left(f));
        for (unsigned i = 0; i < f->n_workers; i++)
            childproc_signal(&f->workers[i], SIGTERM);
    }
    for (unsigned i = 0; i < f->n_workers; i++)
        childproc_wait(&f->workers[i], 20000);
    childproc_signal(&f->optimizer, SIGTERM);
    childproc_wait(&f->optimizer, 10000);
    childproc_signal(&f->broker, SIGTERM);
    childproc_wait(&f->broker, 30000);
}

static void remove_private_dir(struct embed *f)
{
    static const char *const names[] = {"b", "b.feed"};
    char path[300];
    if (f->dir[0] == 0)
        return;
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        unlink(path);
    }
    rmdir(f->dir);
    f->dir[0] = 0;
}

void embed_fini(struct embed *f)
{
    f->ending = true;
    for (unsigned i = 0; i < f->n_workers; i++)
        childproc_fini(&f->workers[i]);
    f->n_workers = 0;
    if (f->optimizer.argc)
        childproc_fini(&f->optimizer);
    if (f->broker.argc)
        childproc_fini(&f->broker);
    remove_private_dir(f);
    addrfile_release(&f->addr);
    free(f->log);
    free(f->work);
    f->log = f->work = NULL;
}
