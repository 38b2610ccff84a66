/* The machine under one's feet. Each check has a part that looks and one that judges, so that the
 * judgement can be tested without filling a disk.
 *
 * Called by cmd_doctor.c. */
#include "hostcheck.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cell.h"
#include "childproc.h"
#include "clock.h"
#include "keyfile.h"
#include "netfs.h"

#define BROKER_FILES 256 /* as broker_main.c */
#define WISH_FILES   4096
#define LATE_NS      (50 * NS_PER_MS)
#define YEAR_2024_MS INT64_C(1704067200000)
#define ROOM_WISH    ((uint64_t)1 << 30)

/* ---- judging ---- */

static void size_text(char out[32], uint64_t bytes)
{
    struct buf b = {0};
    cell_bytes(&b, (double)bytes);
    str_copyz(out, 32, buf_str(&b));
    buf_fini(&b);
}

void hostcheck_disk(struct diagnosis *d, const struct disk_facts *f)
{
    char free[32], needed[32];
    size_text(free, f->free);
    size_text(needed, f->needed);
    bool memory = strcmp(f->fs, "tmpfs") == 0 || strcmp(f->fs, "ramfs") == 0;
    if (f->free < f->needed)
        diagnosis_add(d, HEALTH_FAIL, "disk", "make room on it, or put the files elsewhere",
                      "%s free on the disk of %s (%s); %s are needed", free, f->where, f->fs,
                      needed);
    else if (f->free < f->needed + ROOM_WISH || f->free < f->all / 50)
        diagnosis_add(d, HEALTH_WARN, "disk", "make room before it is full",
                      "only %s free on the disk of %s (%s)", free, f->where, f->fs);
    else if (memory)
        diagnosis_add(d, HEALTH_WARN, "disk", "put what has to last on a disk",
                      "%s is in memory (%s): it is gone after a restart of the machine", f->where,
                      f->fs);
    else
        diagnosis_add(d, HEALTH_OK, "disk", NULL, "%s free on the disk of %s (%s)", free, f->where,
                      f->fs);
}

void hostcheck_files(struct diagnosis *d, uint64_t hard)
{
    unsigned long long n = hard;
    const char *advice = "raise the hard limit: ulimit -Hn, or LimitNOFILE= of the service";
    if (hard < BROKER_FILES)
        diagnosis_add(d, HEALTH_FAIL, "descriptors", advice,
                      "%llu open files are allowed; a broker needs %d", n, BROKER_FILES);
    else if (hard < WISH_FILES)
        diagnosis_add(
            d, HEALTH_WARN, "descriptors", advice,
            "%llu open files are allowed: a broker here serves at most some %llu peers, a "
            "worker %llu slots",
            n, n - 32, (n - 64) / 4);
    else
        diagnosis_add(d, HEALTH_OK, "descriptors", NULL, "%llu open files are allowed", n);
}

void hostcheck_memory(struct diagnosis *d, const char *check, uint64_t free, uint64_t all)
{
    char f[32], a[32];
    size_text(f, free);
    size_text(a, all);
    enum health h = free < all / 50 ? HEALTH_FAIL : free < all / 10 ? HEALTH_WARN : HEALTH_OK;
    diagnosis_add(d, h, check,
                  h == HEALTH_OK ? NULL : "end what is not needed, or the kernel ends something",
                  "%s of %s memory can still be had", f, a);
}

void hostcheck_clock(struct diagnosis *d, int64_t wall_ms, int64_t jump_ms)
{
    char now[32];
    clock_format(now, wall_ms);
    if (wall_ms < YEAR_2024_MS)
        diagnosis_add(d, HEALTH_FAIL, "clock", "set the clock (NTP)", "it is not %s", now);
    else if (jump_ms > 1000 || jump_ms < -1000)
        diagnosis_add(d, HEALTH_WARN, "clock",
                      "leases do not care, but times shown to people do: keep it with NTP",
                      "the wall clock jumped by %lld ms just now", (long long)jump_ms);
    else
        diagnosis_add(d, HEALTH_OK, "clock", NULL, "%s", now);
}

void hostcheck_timers(struct diagnosis *d, int64_t late_ns)
{
    double ms = (double)late_ns / (double)NS_PER_MS;
    if (late_ns > LATE_NS)
        diagnosis_add(d, HEALTH_WARN, "timers",
                      "the machine is overloaded or its hypervisor is; beats may come late",
                      "a sleep of 2 ms ends %.1f ms late", ms);
    else
        diagnosis_add(d, HEALTH_OK, "timers", NULL, "a sleep of 2 ms ends %.1f ms late", ms);
}

/* ---- looking ---- */

bool hostcheck_look(const char *path, struct disk_facts *f)
{
    struct statvfs v;
    if (statvfs(path, &v))
        return false;
    *f = (struct disk_facts){.where = path,
                             .fs = netfs_name(path),
                             .free = (uint64_t)v.f_bavail * v.f_frsize,
                             .all = (uint64_t)v.f_blocks * v.f_frsize};
    return true;
}

static uint64_t proc_memory(const char *key)
{
    char line[256];
    size_t n = strlen(key);
    uint64_t bytes = 0;
    FILE *f = fopen("/proc/meminfo", "re");
    while (f && !bytes && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, n) == 0)
            bytes = strtoull(line + n, NULL, 10) << 10;
    }
    if (f)
        fclose(f);
    return bytes;
}

static void look_at_time(struct diagnosis *d)
{
    enum { SLEEPS = 25 };
    int64_t late[SLEEPS];
    const struct timespec nap = {.tv_nsec = 2 * NS_PER_MS};
    int64_t before = clock_wall_ms() - clock_now() / NS_PER_MS;
    for (int i = 0; i < SLEEPS; i++) {
        int64_t began = clock_now();
        nanosleep(&nap, NULL);
        late[i] = clock_now() - began - 2 * NS_PER_MS;
    }
    int64_t wall = clock_wall_ms();
    hostcheck_clock(d, wall, wall - clock_now() / NS_PER_MS - before);
    hostcheck_timers(d, diagnosis_median(late, SLEEPS));
}

/* The daemons of this installation. */
static void look_at_programs(struct diagnosis *d)
{
    static const char *const names[] = {"broker", "optimizer", "worker"};
    char path[4400];
    struct errmsg em;
    unsigned found = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (childproc_find(names[i], path, sizeof path, &em))
            diagnosis_add(d, HEALTH_WARN, "programs", "install it, if this machine is to run it",
                          "%s", em.text);
        else
            found++;
    }
    if (found)
        diagnosis_add(d, HEALTH_OK, "programs", NULL, "tunefarm %s, %u of 3 daemons",
                      TUNEFARM_VERSION, found);
}

static void look_at_key(struct diagnosis *d, const char *key)
{
    char own[KEYFILE_PATH_SIZE];
    struct zcurve keys;
    struct errmsg em;
    struct stat st;
    const char *path = key ? key : own;
    if (!key && keyfile_default_path(own, &em))
        return;
    if (stat(path, &st) && errno == ENOENT && !key)
        diagnosis_add(d, HEALTH_OK, "key", NULL,
                      "there is no %s: only ipc addresses can be used from here", path);
    else if (keyfile_load(path, &keys, &em))
        diagnosis_add(d, HEALTH_FAIL, "key", "copy the farm's key file here again, with mode 600",
                      "%s", em.text);
    else
        diagnosis_add(d, HEALTH_OK, "key", NULL, "%s", path);
}

/* That a program can be started, in the way of a worker. */
static void look_at_spawning(struct diagnosis *d)
{
    extern char **environ;
    char path[4400], parent[24], none[] = "0", sh[] = "/bin/sh", c[] = "-c", text[] = "exit 7";
    char *argv[] = {path, parent, none, none, sh, c, text, NULL};
    struct errmsg em;
    pid_t pid;
    int status = 0;
    snprintf(parent, sizeof parent, "%ld", (long)getpid());
    if (childproc_find("launch", path, sizeof path, &em)) {
        diagnosis_add(d, HEALTH_FAIL, "spawn",
                      "install tunefarm-launch beside tunefarm-worker, if this machine is to work",
                      "a worker here could start no program: %s", em.text);
        return;
    }
    int rc = posix_spawn(&pid, path, NULL, NULL, argv, environ);
    while (!rc && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (rc || !WIFEXITED(status) || WEXITSTATUS(status) != 7)
        diagnosis_add(d, HEALTH_FAIL, "spawn",
                      "look at the limits of processes (ulimit -u) and of the service",
                      "a worker here could start no program: %s",
                      rc ? strerror(rc) : "the one that was tried ended otherwise");
    else
        diagnosis_add(d, HEALTH_OK, "spawn", NULL, "programs can be started");
}

static bool make_folders(char *path)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        (void)mkdir(path, 0700);
        *p = '/';
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

void hostcheck_root(struct diagnosis *d, const char *root)
{
    char path[PATH_MAX], file[PATH_MAX + 32];
    struct disk_facts f;
    if (!str_copyz(path, sizeof path, str_of(root)))
        return;
    bool made = make_folders(path);
    snprintf(file, sizeof file, "%s/.doctor-%ld", path, (long)getpid());
    int fd = made ? open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700) : -1;
    if (fd < 0 || write(fd, "x", 1) != 1) {
        diagnosis_add(d, HEALTH_FAIL, "root", "give the worker another --root, or make room there",
                      "a worker cannot write to %s: %s", path, strerror(errno));
    } else if (hostcheck_look(path, &f)) {
        diagnosis_add(d, HEALTH_OK, "root", NULL, "a worker can write to %s", path);
        f.needed = (uint64_t)64 << 20;
        hostcheck_disk(d, &f);
    }
    if (fd >= 0) {
        close(fd);
        unlink(file);
    }
}

static void look_at_root(struct diagnosis *d, const char *root)
{
    char path[PATH_MAX];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (root)
        str_copyz(path, sizeof path, str_of(root));
    else if (cache && *cache)
        snprintf(path, sizeof path, "%s/tunefarm/worker", cache);
    else if (home && *home)
        snprintf(path, sizeof path, "%s/.cache/tunefarm/worker", home);
    else
        path[0] = 0;
    if (path[0])
        hostcheck_root(d, path);
    else
        diagnosis_add(d, HEALTH_FAIL, "root", "set HOME, or give the worker a --root",
                      "neither XDG_CACHE_HOME nor HOME is set");
}

void hostcheck_run(struct diagnosis *d, const struct hostcheck *h)
{
    struct rlimit r;
    look_at_programs(d);
    look_at_key(d, h->key);
    look_at_time(d);
    if (getrlimit(RLIMIT_NOFILE, &r) == 0)
        hostcheck_files(d, r.rlim_max);
    uint64_t all = proc_memory("MemTotal:");
    if (all)
        hostcheck_memory(d, "memory", proc_memory("MemAvailable:"), all);
    look_at_spawning(d);
    look_at_root(d, h->root);
}
