/* Where the private farm of a `tunefarm run` can be found: a file beside its database, locked for
 * as long as the run lives. The lock, not the file, says that it is there: a dead run leaves no
 * lock. */
#ifndef FARM_CLI_ADDRFILE_H
#define FARM_CLI_ADDRFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct addrfile {
    int fd; /* -1 = none */
    char path[4096];
};

/* Takes the file of a database (mode 0600). ERR_EXISTS with a sentence if another run has it. */
err_t addrfile_claim(struct addrfile *a, const char *db, struct errmsg *em) MUST_CHECK;
err_t addrfile_write(struct addrfile *a, const char *endpoint, struct errmsg *em) MUST_CHECK;
void addrfile_release(struct addrfile *a); /* removes it; legal if none was taken */
/* The endpoint of the run that works on a database; false if there is none. */
bool addrfile_find(const char *db, char *endpoint, size_t size);

#endif
