/* Files and specs by digest: coming in pieces from clients, going out in pieces to anyone. */
#ifndef FARM_CORE_PUT_H
#define FARM_CORE_PUT_H

#include "farm_session.h"

void put_on_put(const struct act *a, struct session *s, const union message *m);
void put_on_get(const struct act *a, struct session *s, const union message *m);
void put_on_have(const struct act *a, const struct pending *p, const struct answer *answer);
void put_on_blob(const struct act *a, const struct pending *p, const struct answer *answer);
void put_end_all(struct farm *f, uint64_t session);

#endif
