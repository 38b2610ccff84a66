/* The libuv loop of a process: per-turn hooks, signals, orderly end. */
#ifndef FARM_BASE_LOOP_H
#define FARM_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "err.h"

struct loop {
    uv_loop_t uv;
    uv_timer_t wake; /* the one timer of the core: loop_wake_at() */
    uv_signal_t term, intr, hup;
    uv_check_t check; /* after every turn, and after on_wake: on_turn */
    int64_t wake_at;
    int stops; /* TERM and INT received so far */
    void (*on_wake)(struct loop *l, int64_t now);
    void (*on_turn)(struct loop *l, int64_t now); /* may be NULL */
    void (*on_stop)(struct loop *l, int stops);   /* first call: drain; second: now */
    void (*on_hup)(struct loop *l);               /* may be NULL */
};

/* Zeroes l: set the callbacks afterwards. Ignores SIGPIPE. */
err_t loop_init(struct loop *l, struct errmsg *em) MUST_CHECK;
/* Makes on_wake run at `at` (clock_now() scale) or soon after; CLOCK_NEVER disarms. Replaces what
 * was set. */
void loop_wake_at(struct loop *l, int64_t at);
err_t loop_run(struct loop *l); /* until loop_stop() */
void loop_stop(struct loop *l);
void loop_fini(struct loop *l); /* closes every handle that is left and runs the close callbacks;
                                   zsocks and fdwatches first */
/* Tells systemd (sd_notify protocol, $NOTIFY_SOCKET) and, when ready_fd >= 0, a parent process:
 * "READY=1\n" on it, which is then closed. state: "READY=1", "STOPPING=1", "WATCHDOG=1", or
 * "STATUS=text". */
void loop_notify(const char *state, int ready_fd);
int64_t
loop_watchdog_interval(void); /* ns between WATCHDOG=1 (half of $WATCHDOG_USEC), 0 = none wanted */

#endif
