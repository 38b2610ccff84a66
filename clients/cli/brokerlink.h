/* A client's session with a broker, blocking: HELLO, beats, requests and their answers, renewed by
 * itself when the connection or the session is lost. One thread, one link. */
#ifndef FARM_CLI_BROKERLINK_H
#define FARM_CLI_BROKERLINK_H

#include "err.h"
#include "message.h"

struct brokerlink;
struct brokerlink_config {
    const char *endpoint; /* ipc://PATH or tcp://HOST:PORT */
    const char *key;      /* key file for tcp; NULL = the user's own */
    int64_t connect_ns;   /* how long the first WELCOME may take */
    int64_t answer_ns;    /* how long an answer may take, a lost and renewed session included */
};

enum link_event {
    LINK_MESSAGE, /* kind and m are set */
    LINK_RENEWED, /* a new session: what is still wanted has to be sent again */
    LINK_FD,      /* the descriptor that was given is readable */
    LINK_TIMEOUT,
};
struct link_incoming {
    enum link_event event;
    unsigned kind;
    union message m; /* borrows the link until the next call */
};

/* Connects and waits for WELCOME. ERR_UNREACHABLE with a sentence that says what to do. */
err_t brokerlink_open(struct brokerlink **out, const struct brokerlink_config *c,
                      struct errmsg *em) MUST_CHECK;
void brokerlink_close(struct brokerlink *l); /* NULL is legal; says BYE */
const char *brokerlink_endpoint(const struct brokerlink *l);
uint64_t brokerlink_head(const struct brokerlink *l);  /* the broker's durable seq at WELCOME */
bool brokerlink_connected(const struct brokerlink *l); /* a session is open */
void brokerlink_forget(
    struct brokerlink *l); /* ends without a BYE: the broker is known to be gone */

/* A fresh request id. */
struct id128 brokerlink_request(void);
void brokerlink_send(struct brokerlink *l, unsigned kind, const void *msg);
/* The next thing that happens until `until` (clock_now() scale); fd -1 = none. Fails only if the
 * broker refuses the session for good. */
err_t brokerlink_next(struct brokerlink *l, int fd, int64_t until, struct link_incoming *in,
                      struct errmsg *em) MUST_CHECK;

/* Sends a request (its `request` field is `id`) until REPLY or LOG_TEXT answers it. A REPLY that is
 * not OK becomes its error and sentence; answer may be NULL. */
err_t brokerlink_call(struct brokerlink *l, unsigned kind, const void *msg, struct id128 id,
                      struct link_incoming *answer, struct errmsg *em) MUST_CHECK;
/* What a sender of its own waits with: something that answers `id` until `until`. ERR_STALE with
 * in->event LINK_RENEWED: the session is new, send again. */
err_t brokerlink_await(struct brokerlink *l, struct id128 id, int64_t until,
                       struct link_incoming *in, struct errmsg *em) MUST_CHECK;
int64_t brokerlink_patience(const struct brokerlink *l); /* answer_ns */
err_t brokerlink_error(struct str name);                 /* of an ERROR or REPLY */

#endif
