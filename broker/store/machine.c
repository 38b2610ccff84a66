/* The figures behind `tunefarm doctor`: gathered here, because the process that has the database
 * open is the one whose limits count. Called by the journal's thread. It must not judge. */
#include "machine.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "json.h"
#include "netfs.h"

static const char *const names[] = {"file",           "pid",          "fs",           "db_bytes",
                                    "log_bytes",      "free_bytes",   "disk_bytes",   "ballast",
                                    "ballast_wanted", "full",         "files",        "files_limit",
                                    "rss_bytes",      "memory_free",  "memory_bytes", "groups",
                                    "commit_mean_us", "commit_max_us"};
#define COLUMNS (sizeof names / sizeof *names)

static void put(struct jsonw *w, bool known, uint64_t v)
{
    if (known)
        jsonw_u64(w, v);
    else
        jsonw_null(w);
}

static bool file_bytes(const char *file, const char *suffix, uint64_t *bytes)
{
    char path[PATH_MAX];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s%s", file, suffix);
    if (n < 0 || (size_t)n >= sizeof path || stat(path, &st) != 0)
        return false;
    *bytes = (uint64_t)st.st_size;
    return true;
}

static bool open_files(uint64_t *n)
{
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        return false;
    *n = 0;
    for (struct dirent *e; (e = readdir(d));)
        *n += e->d_name[0] != '.';
    closedir(d);
    return true;
}

/* The figure in KiB behind `key` in a file of /proc. */
static bool proc_bytes(const char *file, const char *key, uint64_t *bytes)
{
    char line[256];
    size_t n = strlen(key);
    bool found = false;
    FILE *f = fopen(file, "re");
    while (f && !found && fgets(line, sizeof line, f)) {
        found = strncmp(line, key, n) == 0;
        if (found)
            *bytes = strtoull(line + n, NULL, 10) << 10;
    }
    if (f)
        fclose(f);
    return found;
}

static void put_disk(struct jsonw *w, const struct machine_store *m)
{
    struct statvfs s = {0};
    uint64_t bytes = 0;
    bool known = file_bytes(m->file, "", &bytes);
    put(w, known, bytes);
    jsonw_u64(w, m->log_bytes);
    known = statvfs(m->file, &s) == 0;
    put(w, known, (uint64_t)s.f_bavail * s.f_frsize);
    put(w, known, (uint64_t)s.f_blocks * s.f_frsize);
    bytes = 0;
    (void)file_bytes(m->file, ".ballast", &bytes);
    jsonw_u64(w, bytes);
    jsonw_u64(w, m->ballast);
    jsonw_bool(w, m->full);
}

static void put_process(struct jsonw *w)
{
    struct rlimit r;
    uint64_t n = 0;
    bool known = open_files(&n);
    put(w, known, n);
    known = getrlimit(RLIMIT_NOFILE, &r) == 0;
    put(w, known, known ? r.rlim_cur : 0);
    known = proc_bytes("/proc/self/status", "VmRSS:", &n);
    put(w, known, n);
    known = proc_bytes("/proc/meminfo", "MemAvailable:", &n);
    put(w, known, n);
    known = proc_bytes("/proc/meminfo", "MemTotal:", &n);
    put(w, known, n);
}

static void put_row(struct buf *b, const struct machine_store *m)
{
    struct jsonw w;
    jsonw_init(&w, b);
    jsonw_array(&w);
    jsonw_strz(&w, m->file);
    jsonw_u64(&w, (uint64_t)getpid());
    jsonw_strz(&w, netfs_name(m->file));
    put_disk(&w, m);
    put_process(&w);
    jsonw_u64(&w, m->stats.groups);
    jsonw_u64(&w, m->stats.groups ? m->stats.commit_ns / m->stats.groups / 1000 : 0);
    jsonw_u64(&w, m->stats.commit_max_ns / 1000);
    jsonw_end(&w);
}

void machine_answer(const struct machine_store *m, const struct fx_ask *ask, struct group *g,
                    uint64_t seq)
{
    struct buf b = {0};
    struct str *columns = arena_array(&g->arena, COLUMNS, sizeof *columns);
    struct str *line = arena_array(&g->arena, 1, sizeof *line);
    put_row(&b, m);
    REQUIRE(columns && line);
    *line = arena_dup(&g->arena, buf_str(&b));
    for (size_t i = 0; i < COLUMNS; i++)
        columns[i] = str_of(names[i]);
    struct answer *a = group_answer(g, ask);
    a->columns = columns;
    a->n_columns = COLUMNS;
    a->lines = line;
    a->n_lines = 1;
    a->seq = seq;
    a->complete = true;
    buf_fini(&b);
}
