/* A broker on a TCP address lets nobody in without the farm's key, so a client without the file
 * gets a sentence at once and does not wait for a broker that would never answer.
 *
 * Called by brokerlink.c alone. */
#include "linkkey.h"

#include <errno.h>
#include <sodium.h>
#include <zmq.h>

#include "endpoint.h"
#include "keyfile.h"

static err_t load(const char *key, const char *endpoint, struct zcurve *keys, struct errmsg *em)
{
    char path[KEYFILE_PATH_SIZE];
    err_t e = ERR_OK;
    if (!key) {
        e = keyfile_default_path(path, em);
        key = path;
    }
    if (!e)
        e = keyfile_load(key, keys, em);
    return e ? errmsg_wrap(em, ERR_INVALID, "%s needs the farm's key", endpoint) : ERR_OK;
}

err_t linkkey_apply(void *socket, const char *endpoint, const char *key, struct errmsg *em)
{
    struct endpoint at;
    struct zcurve keys;
    err_t e = endpoint_parse(&at, str_of(endpoint), em);
    if (e || !at.tcp)
        return e;
    e = load(key, endpoint, &keys, em);
    if (e)
        return e;
    if (zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, keys.server_key, sizeof keys.server_key) ||
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keys.public_key, sizeof keys.public_key) ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys.secret_key, sizeof keys.secret_key))
        e = errmsg_set(em, ERR_INVALID, "the farm's key cannot be used: %s", zmq_strerror(errno));
    sodium_memzero(&keys, sizeof keys);
    return e;
}
