/* Versions of this program and of the libraries it runs with. Called by worker and optimizer. */
#include "versions.h"

#include <json-c/json.h>
#include <stdio.h>
#include <uv.h>
#include <zmq.h>

void versions_add(struct jsonw *w)
{
    char text[64];
    int major, minor, patch;
    jsonw_kstr(w, "tunefarm", str_of(TUNEFARM_VERSION));
    zmq_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    jsonw_kstr(w, "libzmq", str_of(text));
    jsonw_kstr(w, "libuv", str_of(uv_version_string()));
    jsonw_kstr(w, "json-c", str_of(json_c_version()));
}
