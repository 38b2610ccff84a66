/* Copies of the database of a farm that does not run: a backup of it, or a database of a backup. */
#ifndef FARM_CLI_DBCOPY_H
#define FARM_CLI_DBCOPY_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

enum dbcopy_as { DBCOPY_BACKUP, DBCOPY_RESTORE };
struct dbcopied {
    uint64_t bytes, seq; /* of the copy; the last record in it */
};

/* Copies `from` to the new file `to`, which appears when it is whole and on the disk. `force`
 * replaces a farm's database that no broker has open. DBCOPY_RESTORE checks the copy: ERR_CORRUPT
 * if it is damaged. Shows how far it is on a terminal. */
err_t dbcopy(const char *from, const char *to, bool force, enum dbcopy_as as, struct dbcopied *out,
             struct errmsg *em) MUST_CHECK;

#endif
