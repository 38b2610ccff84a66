/* The short form with no file: arguments like --lr~'loguniform(1e-5, 1)' become a spec's JSON. */
#ifndef FARM_STUDY_INLINE_H
#define FARM_STUDY_INLINE_H

#include "buf.h"

/* argv: the program and its arguments; each NAME~EXPR or --NAME~EXPR is a parameter: the first is
 * replaced by its value, the second by two arguments, --NAME and the value. EXPR: uniform(a, b),
 * loguniform(a, b), quniform(a, b, q), qloguniform(a, b, q), uniformint(a, b), loguniformint(a, b),
 * randint(n), normal(m, s), qnormal(m, s, q), lognormal(m, s), qlognormal(m, s, q), choice(x, y,
 * ...), pchoice(x: p, y: q, ...). All bounds are plain values. Writes the members "objective":
 * {"command": ...} and "space": {...} of an object the caller has opened. */
struct jsonw;
err_t inline_spec(struct jsonw *w, char *const *argv, int argc, struct errmsg *em) MUST_CHECK;

#endif
