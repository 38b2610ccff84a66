/* What `backup` and `compact` share: work of the broker that is asked for once and waited for. */
#ifndef FARM_CLI_LONGCALL_H
#define FARM_CLI_LONGCALL_H

#include "brokerlink.h"

struct json_object;

/* Asks with `msg` (its request is `id`) until the work is done, and shows how far it is on a
 * terminal. *out: the JSON object of the last answer, the caller's. */
err_t longcall(struct brokerlink *l, unsigned kind, const void *msg, struct id128 id,
               const char *doing, struct json_object **out, struct errmsg *em) MUST_CHECK;
/* A line that is written again; only where standard error is a terminal. of 0 = nothing is known.
 */
void longcall_show(const char *doing, uint64_t at, uint64_t of);
void longcall_clear(void);
uint64_t longcall_number(struct json_object *o, const char *member); /* 0 if it is not there */

#endif
