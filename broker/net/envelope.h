/* The part of a study's spec that the broker reads. */
#ifndef FARM_NET_ENVELOPE_H
#define FARM_NET_ENVELOPE_H

#include "arena.h"
#include "err.h"
#include "images.h"

/* Reads the envelope from a spec's JSON text. Strings and lists come from `a`. Members the broker
 * has no use for are not looked at; one that it needs and cannot read gives a sentence that begins
 * with its path. */
err_t envelope_read(struct str spec, struct arena *a, struct envelope *out,
                    struct errmsg *em) MUST_CHECK;

#endif
