/* The file of orphaned results. Called by agent.c. Nothing reads it but people; it is never sent.
 * Several workers of one root may append, each line with one write. */
#include "orphans.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "files.h"

static void turn_over(const char *path)
{
    char before[FILES_PATH];
    struct stat st;
    if (lstat(path, &st) != 0 || st.st_size < (off_t)ORPHANS_FILE_MAX)
        return;
    int n = snprintf(before, sizeof before, "%.*s.1.jsonl", (int)(strlen(path) - 6), path);
    if (n > 0 && (size_t)n < sizeof before)
        (void)rename(path, before);
}

static err_t append(const char *path, struct str line, struct errmsg *em)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool fine = fd >= 0 && write(fd, line.p, line.n) == (ssize_t)line.n;
    int code = errno;
    if (fd >= 0)
        close(fd);
    return fine ? ERR_OK
                : errmsg_set(em, code == ENOSPC ? ERR_FULL : ERR_IO, "%s cannot be written: %s",
                             path, strerror(code));
}

err_t orphans_add(const char *root, struct str object, struct errmsg *em)
{
    REQUIRE(object.n > 2 && object.p[0] == '{');
    char path[FILES_PATH], at[32];
    time_t t = time(NULL);
    struct tm tm;
    struct buf line;
    snprintf(path, sizeof path, "%.4000s/orphans", root);
    err_t e = files_mkdirs(path, 0700, em);
    if (e)
        return e;
    snprintf(path, sizeof path, "%.4000s/orphans/results.jsonl", root);
    turn_over(path);
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
    buf_init(&line, 0);
    buf_printf(&line, "{\"time\":\"%s\"," STR_FMT "\n", at,
               STR_ARG(str_make(object.p + 1, object.n - 1)));
    e = append(path, buf_str(&line), em);
    buf_fini(&line);
    return e;
}
