/* The options that every daemon has beside its own: where the log goes, and the descriptors of the
 * program that started it. A daemon's settings hold a struct daemonopt, its option table the rows:
 *
 *     static const struct opt_row rows[] = { ..., DAEMONOPT_ROWS(struct x_options, common) }; */
#ifndef FARM_BASE_DAEMONOPT_H
#define FARM_BASE_DAEMONOPT_H

#include <stddef.h>

#include "log.h"
#include "opt.h"

struct daemonopt {
    const char *log_file;         /* NULL = standard error */
    int log_level;                /* enum log_level */
    uint64_t ready_fd, parent_fd; /* daemonopt_fd() */
};

#define DAEMONOPT_NO_FD    4294967295
#define DAEMONOPT_TEXT(x)  DAEMONOPT_TEXT_(x)
#define DAEMONOPT_TEXT_(x) #x

/* T: the settings' type; at: its member of type struct daemonopt. */
#define DAEMONOPT_ROWS(T, at)                                                                      \
    {.name = "log-file",                                                                           \
     .type = OPT_STR,                                                                              \
     .offset = offsetof(T, at.log_file),                                                           \
     .value = "FILE",                                                                              \
     .help = "Where log lines go; opened anew on SIGHUP. Default: standard error."},               \
        {.name = "log-level",                                                                      \
         .type = OPT_CHOICE,                                                                       \
         .offset = offsetof(T, at.log_level),                                                      \
         .initial = "info",                                                                        \
         .choices = "debug|info|warn|error",                                                       \
         .value = "LEVEL",                                                                         \
         .help = "Least level that is logged."},                                                   \
        {.name = "ready-fd",                                                                       \
         .type = OPT_U64,                                                                          \
         .offset = offsetof(T, at.ready_fd),                                                       \
         .initial = DAEMONOPT_TEXT(DAEMONOPT_NO_FD),                                               \
         .max = DAEMONOPT_NO_FD,                                                                   \
         .value = "FD",                                                                            \
         .help = "Write READY=1 to this descriptor when it serves.",                               \
         .hidden = true},                                                                          \
    {                                                                                              \
        .name = "parent-fd", .type = OPT_U64, .offset = offsetof(T, at.parent_fd),                 \
        .initial = DAEMONOPT_TEXT(DAEMONOPT_NO_FD), .max = DAEMONOPT_NO_FD, .value = "FD",         \
        .help = "End in order when this descriptor reads end-of-file.", .hidden = true             \
    }

/* The descriptor; -1 = none was given. */
static inline int daemonopt_fd(uint64_t fd)
{
    return fd == DAEMONOPT_NO_FD ? -1 : (int)fd;
}

static inline err_t daemonopt_open_log(const struct daemonopt *d, const char *program,
                                       struct errmsg *em)
{
    return log_open(program, d->log_file, (enum log_level)d->log_level, em);
}

#endif
