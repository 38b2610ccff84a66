/* Bringing files that others wrote, and names, to the disk. */
#ifndef FARM_BASE_FLUSH_H
#define FARM_BASE_FLUSH_H

#include <stdbool.h>

/* A file's content, or a folder's names. False with errno; not every file system can do it for a
 * folder. */
bool flush_path(const char *path);
/* The name `path` itself: it is on the disk once its folder is. */
bool flush_folder_of(const char *path);

#endif
