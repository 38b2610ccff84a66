/* A sampler's own members of the `sampler` object, checked by a table. */
#ifndef FARM_OPTIMIZER_SETTINGS_H
#define FARM_OPTIMIZER_SETTINGS_H

#include "spec.h"

struct setting {
    const char *name;
    double least, most; /* inclusive */
    bool whole;
    double *value; /* keeps what it holds if the member is absent; NULL: the sampler reads the
                      member itself */
};
/* Reads the members; name, preset and seed belong to the spec. Unknown ones are refused with the
 * nearest known name. */
err_t settings_read(const struct sampler_config *config, const struct setting *rows, size_t n,
                    struct errmsg *em) MUST_CHECK;
/* A member that is true or false; *value keeps what it holds if the member is absent. */
err_t settings_switch(const struct sampler_config *config, const char *name, bool *value,
                      struct errmsg *em) MUST_CHECK;
/* presets: known names, ends with NULL; the first is the default and stands for an empty one. */
err_t settings_preset(const struct sampler_config *config, const char *const *presets,
                      struct errmsg *em) MUST_CHECK;

#endif
