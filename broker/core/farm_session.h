/* Sessions: HELLO to BYE, leases, and which attempts a worker may go on with. Volatile. */
#ifndef FARM_CORE_FARM_SESSION_H
#define FARM_CORE_FARM_SESSION_H

#include "verbs.h"

struct session *session_get(const struct farm *f, uint64_t number);
void session_on_hello(const struct act *a, const struct farm_input *in);
void session_on_beat(const struct act *a, struct session *s, const union message *m);
void session_on_bye(const struct act *a, struct session *s, const union message *m);
void session_on_peer_gone(const struct act *a, uint64_t peer);
/* Drops sessions that were silent too long, and open attempts whose worker did not come back after
 * a start. */
void session_expire(const struct act *a);
int64_t session_next_expiry(const struct farm *f);
/* An ERROR to a peer, in answer to a message of `kind`. */
void session_error(struct effects *fx, uint64_t peer, uint64_t session, unsigned kind, err_t e,
                   const char *text);
void session_free_all(struct farm *f);

#endif
