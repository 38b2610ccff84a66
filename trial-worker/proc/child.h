/* A child process on the loop: its process group, its report channel and its output. */
#ifndef FARM_TRIAL_WORKER_CHILD_H
#define FARM_TRIAL_WORKER_CHILD_H

#include <uv.h>

#include "err.h"
#include "str.h"

#define CHILD_CHANNEL_FD 3            /* TUNEFARM_FD in the child */
#define CHILD_QUEUE_MAX  (256u << 10) /* bytes that may wait to be read by the child */

#define CHILD_BUFFER (64u << 10)

struct child;

struct child_setup {
    const char *launch; /* path of tunefarm-launch */
    char *const *argv;  /* program and arguments; ends with NULL */
    char *const *env;   /* ends with NULL */
    const char *cwd;
    uint64_t memory;   /* limit of the address space; 0 = none */
    uint64_t files;    /* soft limit of open files; 0 = as ours */
    bool split_output; /* stdout and stderr through pipes of their own, else both through one, in
                          their order */
};
struct child_handler {
    void *self;
    char *buffer; /* CHILD_BUFFER bytes to read into, shared by all children of the loop */
    /* A line of the report channel, without newline. */
    void (*line)(void *self, struct child *c, struct str line);
    /* Lines of the channel over the limit were skipped: so many in all. */
    void (*skipped)(void *self, struct child *c, uint64_t lines);
    /* Output as it comes; is_stderr only with split_output. */
    void (*output)(void *self, struct child *c, bool is_stderr, struct str bytes);
    /* The process ended, its group was killed, and everything it wrote was handed on. The child is
     * freed by itself after this call. */
    void (*gone)(void *self, struct child *c, int64_t exit_code, int signal);
};

/* Starts a child. handler is copied. On failure nothing is left, and the sentence says what failed.
 */
err_t child_spawn(struct child **out, uv_loop_t *loop, const struct child_setup *s,
                  const struct child_handler *h, struct errmsg *em) MUST_CHECK;
uint64_t child_pid(const struct child *c);
void *child_tag(const struct child *c); /* what the owner keeps with it */
void child_set_tag(struct child *c, void *tag);
/* Writes a line and a newline to the channel. False: the child reads too slowly or not at all;
 * nothing was written. */
bool child_write(struct child *c, struct str line);
void child_signal(struct child *c, int signal); /* to the whole group */
void child_ask(struct child *c, int signal);    /* to the program alone */
/* SIGKILL to the group, without waiting and without `gone`: for the end of the worker. */
void child_abandon(struct child *c);

#endif
