/* One event, one line: time, level, a stable event id, key=value fields. The only global in the
 * tree is the sink here. Lines go to stderr; under journald (JOURNAL_STREAM set) with a <priority>
 * prefix and no time; or to a file that is reopened on request. Cores never log. */
#ifndef FARM_BASE_LOG_H
#define FARM_BASE_LOG_H

#include <stdbool.h>

#include "err.h"

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_, LOG_LEVELS };

/* program: short name printed in each line ("broker"). file NULL = stderr. */
err_t log_open(const char *program, const char *file, enum log_level least, struct errmsg *em);
err_t log_reopen(struct errmsg *em); /* after a rotation; no-op on stderr */
void log_close(void);
bool log_level_parse(const char *text, enum log_level *out); /* debug, info, warn, error */
/* id is a stable upper-case name ("WORKER-JOINED"); fmt gives `key=value` pairs. Control characters
 * are escaped. */
void log_event(enum log_level level, const char *id, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define LOG_D(id, ...) log_event(LOG_DEBUG_, id, __VA_ARGS__)
#define LOG_I(id, ...) log_event(LOG_INFO_, id, __VA_ARGS__)
#define LOG_W(id, ...) log_event(LOG_WARN_, id, __VA_ARGS__)
#define LOG_E(id, ...) log_event(LOG_ERROR_, id, __VA_ARGS__)

#endif
