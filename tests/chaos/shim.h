/* What the files of the shim (libchaos.so) know of one another. */
#ifndef FARM_CHAOS_SHIM_H
#define FARM_CHAOS_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Which file of the database a descriptor is: shim_files.c keeps the table. */
enum shim_file { SHIM_OTHER, SHIM_DB, SHIM_WAL };

/* The function of this name behind ours. */
void *shim_next(const char *name);

/* ---- points (shim.c) ---- */

enum shim_when { SHIM_BEFORE, SHIM_AFTER };

/* The process is at this point; ends it if the plan says so, and does not return then. */
void shim_at(const char *point, enum shim_when when);
/* The errno that the plan gives this call; 0 = let it through. */
int shim_fault(const char *point);

/* ---- the trace (shim_trace.c) ---- */

void shim_trace_open(void);
/* A frame that this process sends ('S') or received ('R'), or a mark ('M'). Later than SIGKILL
 * means: either whole or not there. */
void shim_trace(char what, const void *bytes, size_t n);

/* ---- a disk that forgets (shim_undo.c) ---- */

void shim_undo_open(void);
/* Called before a change of a file of the database, and after it was made durable. */
void shim_undo_write(int fd, off_t at, size_t n);
void shim_undo_truncate(int fd, off_t size);
void shim_undo_synced(int fd);
/* CHAOS_FORGET was given. */
bool shim_forgets(void);
/* Power is lost: the database becomes what was synced, or that and some of the later writes. Leaves
 * the lock held: other threads that want to write wait. */
void shim_undo_all(void);
/* Around a call that changes a file, so that its note and its change are one. */
void shim_undo_lock(void);
void shim_undo_unlock(void);

#endif
