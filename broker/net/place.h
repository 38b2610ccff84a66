/* Where the broker may listen. */
#ifndef FARM_NET_PLACE_H
#define FARM_NET_PLACE_H

#include "err.h"

/* An ipc socket without keys must stand in a directory that is ours alone, and nobody may listen
 * there already. Legal for tcp endpoints, which are not looked at. */
err_t place_check(const char *endpoint, struct errmsg *em) MUST_CHECK;

#endif
