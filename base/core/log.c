/* The sink of log lines: formats one line in memory and hands it to the system in one write, so
 * that lines of threads and processes do not mix.
 *
 * Shells call it; cores never do. What peers put into fields is escaped here, once, so that no peer
 * can forge a line. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "str.h"

#define LOG_LINE 4096

struct log_sink {
    pthread_mutex_t lock; /* a rotation must not close the file under another thread's write */
    int fd;
    bool journal;
    enum log_level least;
    char program[32];
    char path[1024]; /* empty: stderr */
};

static struct log_sink sink = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO, .least = LOG_INFO_};

static const char *const level_names[LOG_LEVELS] = {"DEBUG", "INFO", "WARN", "ERROR"};
static const char *const level_priorities[LOG_LEVELS] = {"<7>", "<6>", "<4>", "<3>"};

static err_t sink_open(const char *path, int *fd, struct errmsg *em)
{
    *fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (*fd >= 0)
        return ERR_OK;
    return errmsg_set(em, ERR_IO, "the log file %s cannot be opened: %s", path, strerror(errno));
}

/* fd -1 stands for stderr. */
static void sink_replace(int fd)
{
    pthread_mutex_lock(&sink.lock);
    if (sink.fd != STDERR_FILENO)
        close(sink.fd);
    sink.fd = fd < 0 ? STDERR_FILENO : fd;
    pthread_mutex_unlock(&sink.lock);
}

err_t log_open(const char *program, const char *file, enum log_level least, struct errmsg *em)
{
    int fd = -1;
    if (file && strlen(file) >= sizeof sink.path)
        return errmsg_set(em, ERR_LIMIT, "the log file's path is longer than %zu bytes",
                          sizeof sink.path - 1);
    if (file) {
        err_t e = sink_open(file, &fd, em);
        if (e)
            return e;
    }
    sink_replace(fd);
    sink.least = least;
    sink.journal = !file && getenv("JOURNAL_STREAM") != NULL;
    str_copyz(sink.program, sizeof sink.program, str_of(program));
    str_copyz(sink.path, sizeof sink.path, str_of(file));
    return ERR_OK;
}

err_t log_reopen(struct errmsg *em)
{
    int fd;
    if (!sink.path[0])
        return ERR_OK;
    err_t e = sink_open(sink.path, &fd, em);
    if (!e)
        sink_replace(fd);
    return e;
}

void log_close(void)
{
    sink_replace(-1);
    sink.path[0] = 0;
}

bool log_level_parse(const char *text, enum log_level *out)
{
    static const char *const names[LOG_LEVELS] = {"debug", "info", "warn", "error"};
    for (int i = 0; i < LOG_LEVELS; i++)
        if (text && strcmp(text, names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}

/* Copies text to line from n on, control characters as \xNN; a cut is marked by three dots. Returns
 * the new length. */
static size_t add_clean(char *line, size_t n, const char *text)
{
    const size_t end = LOG_LINE - 5; /* three dots, newline, terminator */
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool control = c < 0x20 || c == 0x7f;
        if (n + (control ? 4 : 1) > end) {
            return n + (size_t)sprintf(line + n, "...");
        }
        if (control)
            n += (size_t)sprintf(line + n, "\\x%02x", c);
        else
            line[n++] = (char)c;
    }
    return n;
}

static void write_whole(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return; /* there is nowhere left to complain */
        p += k;
        n -= (size_t)k;
    }
}

void log_event(enum log_level level, const char *id, const char *fmt, ...)
{
    char line[LOG_LINE], text[LOG_LINE], now[32];
    int before = errno;
    if (level < sink.least || level >= LOG_LEVELS)
        return;
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof text, fmt, ap) < 0)
        text[0] = 0;
    va_end(ap);
    int head;
    if (sink.journal) {
        head = snprintf(line, 128, "%s%.32s %.64s ", level_priorities[level], sink.program, id);
    } else {
        clock_format(now, clock_wall_ms());
        head =
            snprintf(line, 160, "%s %-5s %.32s %.64s ", now, level_names[level], sink.program, id);
    }
    size_t n = add_clean(line, (size_t)head, text);
    if (n > 0 && line[n - 1] == ' ')
        n--;
    line[n++] = '\n';
    pthread_mutex_lock(&sink.lock);
    write_whole(sink.fd, line, n);
    pthread_mutex_unlock(&sink.lock);
    errno = before;
}
