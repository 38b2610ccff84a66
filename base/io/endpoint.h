/* Endpoints as users write them: ipc://PATH and tcp://HOST:PORT. */
#ifndef FARM_BASE_ENDPOINT_H
#define FARM_BASE_ENDPOINT_H

#include "err.h"
#include "str.h"

#define ENDPOINT_SIZE 300 /* of the text, with its terminator */

struct endpoint {
    bool tcp;
    char text[ENDPOINT_SIZE]; /* as given */
    char path[108];           /* ipc: at most 107 bytes, the system's limit */
    char host[256];           /* tcp: name, address, [IPv6 address] or * (all interfaces) */
    unsigned port;            /* tcp: 0 to 65535; 0 lets the system choose (binding only) */
};

err_t endpoint_parse(struct endpoint *e, struct str text, struct errmsg *em) MUST_CHECK;
/* The feed's default beside a listen endpoint: the path with ".feed" behind it, or the next port (0
 * for 0). */
err_t endpoint_feed(const struct endpoint *listen, struct endpoint *out,
                    struct errmsg *em) MUST_CHECK;

#endif
