/* The checkup of a file in a process of its own: the command line links no broker, and a file that
 * is damaged should not take it along. Called by broker_main.c. */
#include "examine.h"

#include <stdio.h>

#include "checkup.h"
#include "envelope.h"
#include "json.h"

static const char *advice(err_t e)
{
    switch (e) {
    case ERR_EXISTS:
        return "ask the broker that has it (--broker ADDRESS), or stop it first";
    case ERR_VERSION:
        return "use the tunefarm that wrote it, or bring it to this version by starting a broker "
               "on it";
    case ERR_CORRUPT:
        return "restore the last backup; keep this file for a look at what happened";
    default:
        return "name the database of a farm: --db FILE";
    }
}

static void refused(err_t e, const char *text, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_array(&w);
    jsonw_strz(&w, "database");
    jsonw_strz(&w, "FAIL");
    jsonw_strz(&w, text);
    jsonw_strz(&w, advice(e));
    jsonw_end(&w);
    buf_addc(out, '\n');
}

int examine(const char *file)
{
    struct errmsg em = {{0}};
    struct buf out = {0};
    struct group *g = group_new();
    err_t e = checkup_file(file, envelope_read, g, &em);
    if (e != ERR_OK)
        refused(e, em.text, &out);
    for (size_t i = 0; i < g->n_answers; i++) {
        for (uint32_t k = 0; k < g->answers[i].n_lines; k++) {
            buf_add_str(&out, g->answers[i].lines[k]);
            buf_addc(&out, '\n');
        }
    }
    bool fine = buf_ok(&out) && fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    group_free(g);
    buf_fini(&out);
    return fine ? 0 : 1;
}
