/* A broker that is played by a thread of the test: answers HELLO and BEAT, hands every other
 * message to the test. */
#ifndef FARM_TESTS_PLAYBROKER_H
#define FARM_TESTS_PLAYBROKER_H

#include "frame.h"
#include "message.h"

struct playbroker;
/* What the test answers with: the sender, and the session of the frame that is answered. */
struct player {
    void *socket, *peer;
    uint64_t session;
    unsigned hellos; /* so far */
};
/* Called in the thread. A HELLO is given too: return true if it was dealt with, so that no WELCOME
 * is sent. */
typedef bool playbroker_fn(void *self, struct player *p, const struct frame *f,
                           const union message *m);

/* Listens on endpoint() until playbroker_stop(); then the test may look at what its function wrote.
 */
struct playbroker *playbroker_start(playbroker_fn *fn, void *self);
const char *playbroker_endpoint(const struct playbroker *b);
unsigned playbroker_stop(struct playbroker *b); /* how many HELLOs came */
void player_send(struct player *p, uint64_t session, unsigned kind, const void *msg);

#endif
