/* Versions of what this worker is made of and runs on, as HELLO tells them. Called by agent.c. It
 * must not know the agent. */
#include "software.h"

#include <stdio.h>
#include <sys/utsname.h>

#include "versions.h"

void software_describe(struct buf *out)
{
    struct utsname u;
    struct jsonw j;
    char text[64];
    jsonw_init(&j, out);
    jsonw_object(&j);
    versions_add(&j);
    if (uname(&u) == 0) {
        snprintf(text, sizeof text, "%.20s %.40s", u.sysname, u.release);
        jsonw_kstr(&j, "kernel", str_of(text));
        jsonw_kstr(&j, "machine", str_of(u.machine));
    }
    jsonw_end(&j);
}
