/* A folder of a test's own, gone with everything in it at the end. */
#ifndef FARM_TESTS_TEMPDIR_H
#define FARM_TESTS_TEMPDIR_H

#include "str.h"

struct tempdir {
    char path[128]; /* short enough for socket files in it */
};

void tempdir_make(struct tempdir *d); /* ends the process when it cannot */
void tempdir_remove(struct tempdir *d);
/* path/name; valid until the caller's buffer goes. */
const char *tempdir_file(const struct tempdir *d, const char *name, char *out, size_t size);
void tempdir_write(const char *path, struct str text); /* a file with that text, mode 0600 */

#endif
