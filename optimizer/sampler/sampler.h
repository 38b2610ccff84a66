/* The contract of every sampler. A sampler is a pure function of (space, settings, history, draw):
 * no clock, no environment, no random source but the stream of (seed, draw).
 *
 * `suggest` changes nothing that could change a later suggestion; `observe` does. An ask of n is n
 * times an ask of 1 with the proposals registered as pending in between. history lived = history
 * restored: calling observe for the same observations in the same order gives the same model, byte
 * for byte. tests/contract/sampler_contract.c checks all of this for every row of the registry and
 * every preset of a row. */
#ifndef FARM_OPTIMIZER_SAMPLER_H
#define FARM_OPTIMIZER_SAMPLER_H

#include "history.h"
#include "spec.h"

struct sampler;

enum suggest_result {
    SUGGEST_OK,
    SUGGEST_WAIT,      /* nothing until a pending trial ends */
    SUGGEST_EXHAUSTED, /* no point is left */
};

struct sampler_ops {
    const char *name;  /* as in `sampler: {name: ...}` */
    const char *about; /* one line for the documentation */
    /* Presets that are samplers of their own, ends with NULL, the default first: create makes one
     * of them, which has the other operations, and this row has none. NULL: no such presets. */
    const struct sampler_ops *const *presets;
    /* Checks the settings and allocates. Fault sentences begin with "sampler.". */
    err_t (*create)(struct sampler **out, const struct space *space,
                    const struct sampler_config *config, bool maximize, struct errmsg *em);
    void (*destroy)(struct sampler *s);
    /* Told of every change of a trial, after history has it: proposed (pending), reported,
     * finished, lost. */
    void (*observe)(struct sampler *s, const struct history *h, uint64_t trial);
    /* Writes a legal point (NaN = inactive). why: a JSON object of at most 1 KiB for people. */
    enum suggest_result (*suggest)(struct sampler *s, const struct history *h, uint64_t draw,
                                   double *point, struct buf *why);
};

/* Embedded first in every sampler's own struct. */
struct sampler {
    const struct sampler_ops *ops;
};

const struct sampler_ops *sampler_find(struct str name); /* NULL = none */
const struct sampler_ops *const *sampler_registry(void); /* ends with NULL */

#endif
