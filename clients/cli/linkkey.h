/* The keys of a client's socket. */
#ifndef FARM_CLI_LINKKEY_H
#define FARM_CLI_LINKKEY_H

#include "err.h"

/* Checks the endpoint; for tcp loads the key file (NULL = the user's own) and gives its keys to the
 * ZeroMQ socket. */
err_t linkkey_apply(void *socket, const char *endpoint, const char *key,
                    struct errmsg *em) MUST_CHECK;

#endif
