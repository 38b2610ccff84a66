/* A broker: core, journal, sockets and loop joined. */
#ifndef FARM_BROKER_BROKER_H
#define FARM_BROKER_BROKER_H

#include "broker_options.h"

struct broker;

/* Opens the database, reads it back, binds. Nothing is served yet. */
err_t broker_open(struct broker **out, const struct broker_options *o,
                  struct errmsg *em) MUST_CHECK;
/* Serves until a signal, the parent's end, or broker_stop(). `ready` is called when it serves. */
err_t broker_run(struct broker *b, void (*ready)(void *self), void *self,
                 struct errmsg *em) MUST_CHECK;
void broker_close(struct broker *b); /* NULL is legal */

#endif
