/* Who may use the file, and where it may stand; the ballast that keeps room for ends. */
#ifndef FARM_STORE_DBGUARD_H
#define FARM_STORE_DBGUARD_H

#include "err.h"
#include "str.h"

/* Locks FILE.lock for this process until dbguard_unlock(). ERR_EXISTS with a sentence if a broker
 * has it. */
err_t dbguard_lock(const char *file, int *fd, struct errmsg *em) MUST_CHECK;
void dbguard_unlock(int fd);
/* Refuses network file systems, whose locks and flushes cannot be trusted, and a file that is no
 * regular one; makes the file with mode 0600 if there is none. */
err_t dbguard_place(const char *file, struct errmsg *em) MUST_CHECK;

/* FILE.ballast, of so many bytes really taken. False: there is no room for it. bytes 0: none is
 * made. */
bool ballast_make(const char *file, uint64_t bytes);
void ballast_drop(const char *file);
uint64_t ballast_room(const char *file); /* free bytes on the file's disk */

#endif
