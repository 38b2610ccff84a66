/* A subscriber for a moment: doctor looks with it whether a firewall lets the feed's port through.
 * Called by farmcheck.c. */
#include "feedprobe.h"

#include <errno.h>
#include <zmq.h>

#include "linkkey.h"

static err_t listen_once(void *socket, const char *endpoint, const char *key, struct errmsg *em)
{
    char byte;
    err_t e = linkkey_apply(socket, endpoint, key, em);
    if (e)
        return e;
    if (zmq_connect(socket, endpoint))
        return errmsg_set(em, ERR_INVALID, "%s is no address of a feed: %s", endpoint,
                          zmq_strerror(errno));
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "beacon.", 7);
    if (zmq_recv(socket, &byte, sizeof byte, 0) < 0)
        return errmsg_set(em, ERR_TIMEOUT, "no beacon came from the feed %s", endpoint);
    return ERR_OK;
}

err_t feedprobe_run(const char *endpoint, const char *key, int max_ms, struct errmsg *em)
{
    const int linger = 0;
    void *context = zmq_ctx_new();
    void *socket = context ? zmq_socket(context, ZMQ_SUB) : NULL;
    err_t e = ERR_OK;
    if (socket) {
        zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
        zmq_setsockopt(socket, ZMQ_RCVTIMEO, &max_ms, sizeof max_ms);
        e = listen_once(socket, endpoint, key, em);
        zmq_close(socket);
    } else {
        e = errmsg_set(em, ERR_IO, "no socket can be made: %s", zmq_strerror(errno));
    }
    if (context)
        zmq_ctx_term(context);
    return e;
}
