/* The broker answers at once how far it is, so a lost session or a restarted broker needs nothing
 * more than asking again; after a restart the work begins anew under the same request.
 *
 * Called by cmd_backup.c and cmd_compact.c; the line for people also while a file is copied here.
 */
#include "longcall.h"

#include <json-c/json.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"

#define ASK_EVERY (100 * NS_PER_MS)

void longcall_show(const char *doing, uint64_t at, uint64_t of)
{
    if (!isatty(STDERR_FILENO) || !of)
        return;
    unsigned percent = (unsigned)((double)(at < of ? at : of) / (double)of * 100);
    fprintf(stderr, "\r\033[K%s: %u %%", doing, percent);
    fflush(stderr);
}

void longcall_clear(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

uint64_t longcall_number(struct json_object *o, const char *member)
{
    struct json_object *v = o ? json_get(o, member) : NULL;
    return v ? (uint64_t)json_object_get_int64(v) : 0;
}

/* Lets the link beat meanwhile. */
static err_t wait_a_little(struct brokerlink *l, struct errmsg *em)
{
    struct link_incoming in = {.event = LINK_MESSAGE};
    int64_t until = clock_now() + ASK_EVERY;
    err_t e = ERR_OK;
    while (e == ERR_OK && in.event != LINK_TIMEOUT)
        e = brokerlink_next(l, -1, until, &in, em);
    return e;
}

err_t longcall(struct brokerlink *l, unsigned kind, const void *msg, struct id128 id,
               const char *doing, struct json_object **out, struct errmsg *em)
{
    err_t e;
    *out = NULL;
    for (;;) {
        struct link_incoming answer;
        json_object_put(*out);
        *out = NULL;
        e = brokerlink_call(l, kind, msg, id, &answer, em);
        if (e == ERR_OK)
            e = json_parse(answer.m.reply.text, JSON_STRICT, out, em);
        if (e != ERR_OK || json_object_get_boolean(json_get(*out, "done")))
            break;
        longcall_show(doing, longcall_number(*out, "at"), longcall_number(*out, "of"));
        e = wait_a_little(l, em);
        if (e != ERR_OK)
            break;
    }
    longcall_clear();
    return e;
}
