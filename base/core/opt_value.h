/* One option's value: from text to its place in the settings struct. Shared by opt.c and
 * opt_print.c. */
#ifndef FARM_BASE_OPT_VALUE_H
#define FARM_BASE_OPT_VALUE_H

#include "opt.h"

struct str opt_trim(struct str s); /* without white space at both ends */
size_t opt_value_size(enum opt_type type);
/* Every type but OPT_STR and OPT_LIST, which need an owner. place: where the text stood, for the
 * sentence. */
err_t opt_value_set(const struct opt_row *row, void *to, struct str text, const char *place,
                    struct errmsg *em) MUST_CHECK;

#endif
