/* File systems whose locks and flushes cannot be trusted with a database. */
#ifndef FARM_BASE_NETFS_H
#define FARM_BASE_NETFS_H

#include "err.h"

/* ERR_REFUSED with a sentence about `file` if what fd is open on stands on a network file system.
 */
err_t netfs_refuse(int fd, const char *file, struct errmsg *em) MUST_CHECK;
/* The file system under a path: "ext4", "tmpfs", "NFS"; "an unknown file system" if it is not in
 * the list. */
const char *netfs_name(const char *path);

#endif
