/* A copy of the database while it is in use, in slices between groups. */
#ifndef FARM_STORE_SQLITE_BACKUP_H
#define FARM_STORE_SQLITE_BACKUP_H

#include "sqlite_db.h"

struct backup_run;

/* Begins what `ask` (ASK_BACKUP) wants; its texts may go. */
struct backup_run *backup_run_new(struct db *d, const struct fx_ask *ask);
/* Goes on until the time `until`, or for one step. Puts an answer into g now and then, and the last
 * one, which has `complete`. */
enum chore backup_run_slice(struct backup_run *r, int64_t until, struct group *g, uint64_t seq);
void backup_run_free(struct backup_run *r); /* what is not complete is removed; NULL is legal */

#endif
