/* A daemon of ours as a child process: it says when it serves, and it ends when we are gone. */
#ifndef FARM_CLI_CHILDPROC_H
#define FARM_CLI_CHILDPROC_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

#define CHILDPROC_ARGS 24

struct childproc {
    const char *name;           /* "broker", for sentences */
    char *argv[CHILDPROC_ARGS]; /* owned; argv[0] is the path */
    size_t argc;
    pid_t pid;               /* 0 = not running */
    int ready_fd, parent_fd; /* our ends; -1 = none */
    bool ready;              /* it said so, in this life */
    unsigned starts;
    int status; /* of waitpid(), when it has ended */
};

/* Looks for tunefarm-NAME beside our own executable, then in ../libexec/tunefarm/ of it. */
err_t childproc_find(const char *name, char *path, size_t size, struct errmsg *em) MUST_CHECK;
void childproc_init(struct childproc *c, const char *name, const char *path);
void childproc_arg(struct childproc *c, const char *arg);
/* Starts it in a process group of its own, with both outputs at the end of the log; --ready-fd and
 * --parent-fd are added by themselves. */
err_t childproc_start(struct childproc *c, const char *log, struct errmsg *em) MUST_CHECK;
/* Waits until it says that it serves. ERR_FAILED if it ended first, ERR_TIMEOUT after max_ms. */
err_t childproc_await_ready(struct childproc *c, int max_ms) MUST_CHECK;
void childproc_poll(
    struct childproc *c); /* has it ended? sets pid 0 and status then; notes readiness */
void childproc_signal(struct childproc *c, int signal);
/* Waits for its end; after max_ms it is killed. */
void childproc_wait(struct childproc *c, int max_ms);
void childproc_fini(struct childproc *c); /* kills what still runs */
/* "exit status 3", "signal 9". */
void childproc_how(const struct childproc *c, char *text, size_t size);

#endif
