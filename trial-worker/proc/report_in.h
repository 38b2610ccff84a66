/* Splits what a child writes into lines, however it is cut into pieces. */
#ifndef FARM_TRIAL_WORKER_REPORT_IN_H
#define FARM_TRIAL_WORKER_REPORT_IN_H

#include "str.h"

#define REPORT_LINE_MAX 65536 /* bytes of a line without its newline */

struct report_in {
    char *part; /* beginning of a line whose end has not come; owned */
    size_t n, cap;
    bool skipping;    /* within a line that is too long */
    uint64_t skipped; /* lines that were too long */
};
/* A line without newline (a carriage return before it is dropped too); valid during the call. Empty
 * lines are left out. */
typedef void report_in_line(void *self, struct str line);

void report_in_init(struct report_in *r);
void report_in_fini(struct report_in *r);
void report_in_feed(struct report_in *r, struct str bytes, report_in_line *cb, void *self);
void report_in_end(struct report_in *r, report_in_line *cb,
                   void *self); /* a last line without newline */

#endif
