/* Effects of the link, in order: messages to the broker, and facts for the log. */
#ifndef FARM_OPTIMIZER_LINK_OUT_H
#define FARM_OPTIMIZER_LINK_OUT_H

#include "buf.h"
#include "log.h"

struct link_effect {
    unsigned kind;    /* message kind; 0 = a fact */
    uint64_t session; /* of the message's header */
    enum log_level level;
    const char *id; /* of the fact; static */
    size_t at, n;   /* body or text, in link_out.bytes */
};
struct link_out {
    struct link_effect *v;
    size_t n, cap;
    struct buf bytes;
    err_t fatal; /* not OK: nothing more can be done with this broker */
};

void link_out_init(struct link_out *o);
void link_out_fini(struct link_out *o);
void link_out_clear(struct link_out *o); /* keeps fatal */
void link_out_send(struct link_out *o, uint64_t session, unsigned kind, const void *msg);
void link_out_fact(struct link_out *o, enum log_level level, const char *id, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
struct str link_out_text(const struct link_out *o, const struct link_effect *e);

#endif
