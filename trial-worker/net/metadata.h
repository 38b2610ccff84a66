/* One question at a time to an HTTP service nearby, on the loop. */
#ifndef FARM_TRIAL_WORKER_METADATA_H
#define FARM_TRIAL_WORKER_METADATA_H

#include <uv.h>

#include "err.h"
#include "str.h"

#define METADATA_ANSWER 16384 /* bytes of an answer */

struct metadata;
struct metadata_request {
    bool put;        /* with an empty body; else GET */
    const char *url; /* http only */
    const char *const *headers;
    size_t n_headers;
    int64_t patience_ns; /* for the whole answer; connecting may take 2 s of it */
};
/* status 0: there is no answer, and text says why; else body. */
typedef void metadata_answer(void *self, long status, struct str body, const char *text);

err_t metadata_open(struct metadata **out, uv_loop_t *loop, metadata_answer *fn, void *self,
                    struct errmsg *em) MUST_CHECK;
/* Asks; the answer comes later, from the loop. Not while another question is under way. */
void metadata_ask(struct metadata *m, const struct metadata_request *r);
/* No answer comes any more; the memory goes when the loop has run to its end. NULL is legal. */
void metadata_close(struct metadata *m);

#endif
