/* The short form with no file: arguments like --lr~'loguniform(1e-5, 1)' become a spec's JSON. */
#ifndef FARM_STUDY_INLINE_H
#define FARM_STUDY_INLINE_H

#include "buf.h"

struct jsonw;

/* argv: the program and its arguments. An argument is a parameter when it is one of
 *     NAME~EXPR       replaced by the value
 *     NAME=~EXPR      NAME=value
 *     --NAME~EXPR     two arguments, --NAME and the value (-x~EXPR likewise)
 *     --NAME=~EXPR    one argument, --NAME=value
 * Every other argument is passed on as it is, braces too. EXPR: uniform(a, b), loguniform(a, b),
 * quniform(a, b, q), qloguniform(a, b, q), uniformint(a, b), loguniformint(a, b), randint(n) or
 * randint(a, b), normal(m, s), qnormal(m, s, q), lognormal(m, s), qlognormal(m, s, q),
 * choice(x, y, ...), pchoice(x: p, y: q, ...). All bounds are plain values. Options may be quoted;
 * without quotes they are numbers, true, false or null if they look so.
 *
 * Writes the members "objective": {"command": ...} and "space": {...} of an object that the caller
 * has opened; after a fault what was written is of no use. Bounds are left to spec_parse(). */
err_t inline_spec(struct jsonw *w, char *const *argv, int argc, struct errmsg *em) MUST_CHECK;

#endif
