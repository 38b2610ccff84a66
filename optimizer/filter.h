/* The filter mode's requests: one JSON line in, one out, no broker. docs/samplers.md describes
 * them. */
#ifndef FARM_OPTIMIZER_FILTER_H
#define FARM_OPTIMIZER_FILTER_H

#include "buf.h"
#include "spec.h"

#define FILTER_LINE_LIMIT (1u << 20)

struct filter;

/* Borrows the spec. */
err_t filter_new(struct filter **out, const struct spec *spec, struct errmsg *em) MUST_CHECK;
void filter_free(struct filter *f); /* NULL is legal */
/* Answers one line (without its end) with one line (with its end), appended to out. elapsed: time
 * since the start. */
void filter_line(struct filter *f, struct str line, int64_t elapsed_ns, struct buf *out);

#endif
