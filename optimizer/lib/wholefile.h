/* Files that are read and replaced as a whole. */
#ifndef FARM_LIB_WHOLEFILE_H
#define FARM_LIB_WHOLEFILE_H

#include "buf.h"

/* Appends the bytes of a regular file, at most as many as the buf takes. */
err_t wholefile_read(const char *path, struct buf *out, struct errmsg *em) MUST_CHECK;
/* Replaces the file, or makes it: whoever opens it, also after a crash, finds the old or the new
 * bytes. A file that is there keeps its mode. */
err_t wholefile_write(const char *path, struct str bytes, struct errmsg *em) MUST_CHECK;

#endif
