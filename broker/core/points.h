/* The known points of two specs of one study. */
#ifndef FARM_CORE_POINTS_H
#define FARM_CORE_POINTS_H

#include "images.h"

struct points {
    struct str *v; /* owned; the texts are borrowed */
    uint32_t n;
};

/* Those of `now` that `was` does not list, in their order; of one that stands k times in `was`, all
 * but the first k. */
struct points points_added(const struct envelope *was, const struct envelope *now);

#endif
