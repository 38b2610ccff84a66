/* Who may connect over CURVE: the ZAP handler of a process. ZeroMQ lets every key in when no
 * handler answers. */
#ifndef FARM_BASE_ZAUTH_H
#define FARM_BASE_ZAUTH_H

#include "zsock.h"

struct zauth;

/* Starts the handler's thread in zmq_context; to be called before any CURVE socket is bound. Lets
 * in those whose public key is among keys (Z85); everybody else, and every other mechanism that
 * asks, is refused with status 400. */
err_t zauth_start(struct zauth **out, void *zmq_context, const char *const *keys, size_t n_keys,
                  struct errmsg *em) MUST_CHECK;
uint64_t zauth_refused(const struct zauth *a); /* handshakes refused so far */
void zauth_stop(struct zauth *a);              /* NULL is legal; before the context ends */
/* Connects to a bound CURVE endpoint with a fresh random key and requires to be refused:
 * ERR_REFUSED with a sentence if it is let in. Blocks for as long as one handshake takes, 3 s at
 * most. */
err_t zauth_self_test(void *zmq_context, const char *endpoint, const char *server_key,
                      struct errmsg *em) MUST_CHECK;

#endif
