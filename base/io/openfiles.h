/* How many descriptors this process may have open. Each connection takes one, and ZeroMQ ends the
 * process where none is left for what it needs itself. */
#ifndef FARM_BASE_OPENFILES_H
#define FARM_BASE_OPENFILES_H

#include <stdint.h>

#include "err.h"

#define OPENFILES_MOST 65536

/* Raises the soft limit to OPENFILES_MOST, as far as the hard one goes. ERR_FAILED with a sentence
 * if fewer than `needed` are left. *before: the limit that was there; may be NULL. */
err_t openfiles_raise(uint64_t needed, uint64_t *before, struct errmsg *em) MUST_CHECK;

#endif
