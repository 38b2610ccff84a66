/* "Did you mean": the nearest of some names by edit distance. */
#ifndef FARM_BASE_NEAREST_H
#define FARM_BASE_NEAREST_H

#include "str.h"

/* The name nearest to s if it is near enough to be a slip (distance at most a third of its length,
 * at least 1), else NULL. names ends with NULL. */
const char *nearest_name(struct str s, const char *const *names);

#endif
