/* What a program of ours is made of, as HELLO tells it. */
#ifndef FARM_BASE_VERSIONS_H
#define FARM_BASE_VERSIONS_H

#include "json.h"

/* Members of the object that is open: tunefarm, libzmq, libuv, json-c. */
void versions_add(struct jsonw *w);

#endif
