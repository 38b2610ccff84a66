/* The digest of a checkpoint: of the names, sizes and contents of everything in it. */
#ifndef FARM_TRIAL_WORKER_MANIFEST_H
#define FARM_TRIAL_WORKER_MANIFEST_H

#include <stdatomic.h>

#include "err.h"
#include "str.h"

/* Of a file, or of a directory with all that is in it; links are not followed, where they lead
 * counts. The same tree gives the same digest wherever it stands. ERR_NOT_FOUND: nothing is there,
 * or an empty directory; ERR_IO: it cannot be read, holds something that is neither file, directory
 * nor link, or changed meanwhile; ERR_LIMIT: more than 100000 entries, or nested over 64 levels;
 * ERR_FAILED: `stop` was set. Reads from any thread. */
err_t manifest_digest(const char *path, const atomic_bool *stop, struct digest *out, uint64_t *size,
                      struct errmsg *em) MUST_CHECK;

#endif
