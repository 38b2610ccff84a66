/* Names and sentences of the counters, and their table for the documentation. Called by everything
 * that shows counters. It must not know who counts what when. */
#include "counter.h"

#include "buf.h"

#define COUNTER_NAME(NAME, name, doc) name,
#define COUNTER_TEXT(NAME, name, doc) doc,
#define COUNTER_ONE(NAME, name, doc)  +1

static const char *const names[COUNTERS] = {COUNTER_LIST(COUNTER_NAME)};
static const char *const texts[COUNTERS] = {COUNTER_LIST(COUNTER_TEXT)};
enum { OF_BROKER = 0 COUNTER_LIST_BROKER(COUNTER_ONE) };

const char *counter_name(unsigned c)
{
    return c < COUNTERS ? names[c] : "?";
}

const char *counter_text(unsigned c)
{
    return c < COUNTERS ? texts[c] : "?";
}

bool counter_of_worker(unsigned c)
{
    return c >= OF_BROKER && c < COUNTERS;
}

unsigned counter_find(struct str name)
{
    unsigned c = 0;
    while (c < COUNTERS && !str_is(name, names[c]))
        c++;
    return c;
}

void counter_docs(struct buf *out)
{
    buf_addz(out, "| counter | counted by | |\n|---|---|---|\n");
    for (unsigned c = 0; c < COUNTERS; c++)
        buf_printf(out, "| `%s` | %s | %s |\n", names[c],
                   counter_of_worker(c) ? "worker" : "broker", texts[c]);
    buf_addc(out, '\n');
}
