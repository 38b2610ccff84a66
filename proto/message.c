/* What can be said of a message by its kind alone: its name, whether it is known, and equality.
 * Called by everyone who dispatches or logs messages. Must not know how a message looks on the
 * wire. */
#include "message.h"

#include "codec.h"
#include "schema.h"

const char *message_name(unsigned kind)
{
    const struct schema *s = schema_message(kind);
    return s ? s->name : "?";
}

bool message_known(unsigned kind)
{
    return schema_message(kind) != NULL;
}

bool message_equal(unsigned kind, const void *x, const void *y)
{
    const struct schema *s = schema_message(kind);
    REQUIRE(s);
    return schema_equal(s, x, y);
}
