/* A new database file that appears under its name whole and durable, or not at all: written as
 * NAME.part beside it, then flushed and renamed. */
#ifndef FARM_BASE_NEWFILE_H
#define FARM_BASE_NEWFILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct newfile {
    char path[PATH_MAX], part[PATH_MAX];
    bool force;
};

/* Makes an empty NAME.part (mode 0600) in place of one that a former try left. ERR_EXISTS if `path`
 * is there: without `force`; with it, if it is no database of a farm or a broker has it open.
 * ERR_REFUSED on a network file system. */
err_t newfile_begin(struct newfile *n, const char *path, bool force, struct errmsg *em) MUST_CHECK;
/* Free bytes on its disk. */
uint64_t newfile_room(const struct newfile *n);
/* Writes out what was written so far, so that the end has little to do. */
void newfile_flush(const struct newfile *n);
/* Flushes, renames, flushes the folder. On a fault the part is gone. */
err_t newfile_end(const struct newfile *n, struct errmsg *em) MUST_CHECK;
void newfile_abandon(const struct newfile *n);

#endif
