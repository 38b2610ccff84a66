/* Brings what a study needs onto this machine: its spec, its files, its directory. */
#ifndef FARM_TRIAL_WORKER_SUPPLY_H
#define FARM_TRIAL_WORKER_SUPPLY_H

#include "files.h"
#include "message.h"

struct supply;

/* Never called from within a supply_ function other than supply_deliver(), but for `send`. */
struct supply_events {
    void *self;
    void (*spec)(void *self, struct digest d, struct str bytes);
    /* All files of the spec are in the cache: makes its directory. */
    err_t (*prepare)(void *self, struct digest d, const struct spec *s, struct errmsg *em);
    void (*ready)(void *self, struct digest d);
    void (*failed)(void *self, struct digest d, struct str text, bool forever);
    void (*send)(void *self, const struct msg_get_blob *m);
};

struct supply *supply_new(struct files *f, const struct supply_events *e);
void supply_free(struct supply *s); /* NULL is legal */
void supply_want_spec(struct supply *s, struct digest d);
void supply_want_files(struct supply *s, struct digest d, const struct spec *spec);
void supply_session(struct supply *s, bool up, int64_t now);
void supply_on_blob(struct supply *s, const struct msg_blob *m, int64_t now);
/* Goes on with what can go on; true if anything was handed on. */
bool supply_deliver(struct supply *s, int64_t now);
int64_t supply_tick(struct supply *s, int64_t now);

#endif
