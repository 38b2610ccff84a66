/* Whether the feed can be heard from here. */
#ifndef FARM_CLI_FEEDPROBE_H
#define FARM_CLI_FEEDPROBE_H

#include "err.h"

/* Subscribes to the beacons and waits for one. key: as for a broker. ERR_TIMEOUT or another error
 * with a sentence if none comes. */
err_t feedprobe_run(const char *endpoint, const char *key, int max_ms,
                    struct errmsg *em) MUST_CHECK;

#endif
