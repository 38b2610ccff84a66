/* Versions of what this worker is made of and runs on, as HELLO tells them. Called by agent.c. It
 * must not know the agent. */
#include "software.h"

#include <json-c/json.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <uv.h>
#include <zmq.h>

#include "json.h"

void software_describe(struct buf *out)
{
    struct utsname u;
    struct jsonw j;
    char text[64];
    int major, minor, patch;
    jsonw_init(&j, out);
    jsonw_object(&j);
    jsonw_kstr(&j, "tunefarm", str_of(TUNEFARM_VERSION));
    zmq_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    jsonw_kstr(&j, "libzmq", str_of(text));
    jsonw_kstr(&j, "libuv", str_of(uv_version_string()));
    jsonw_kstr(&j, "json-c", str_of(json_c_version()));
    if (uname(&u) == 0) {
        snprintf(text, sizeof text, "%.20s %.40s", u.sysname, u.release);
        jsonw_kstr(&j, "kernel", str_of(text));
        jsonw_kstr(&j, "machine", str_of(u.machine));
    }
    jsonw_end(&j);
}
