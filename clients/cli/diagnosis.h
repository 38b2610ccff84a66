/* What `tunefarm doctor` finds: one line a check, each ok, a warning or a failure with what to do
 * next. */
#ifndef FARM_CLI_DIAGNOSIS_H
#define FARM_CLI_DIAGNOSIS_H

#include "buf.h"

enum health { HEALTH_OK, HEALTH_WARN, HEALTH_FAIL };

struct diagnosis {
    bool json, color;
    bool quiet; /* lines stay in `out`, for tests */
    unsigned n[HEALTH_FAIL + 1];
    struct buf out;
};

void diagnosis_init(struct diagnosis *d, bool json, bool color);
void diagnosis_fini(struct diagnosis *d);
/* A line, printed at once. advice: what to do next, for people; NULL or empty for what is fine. */
void diagnosis_add(struct diagnosis *d, enum health h, const char *check, const char *advice,
                   const char *fmt, ...) PRINTF_LIKE(5, 6);
/* A sentence about all of it, for people. */
void diagnosis_end(struct diagnosis *d);
int diagnosis_status(
    const struct diagnosis *d); /* 0 all is well, 1 there are warnings, 2 failures */

/* The median of n measurements, which are put in order; the lower one of an even number. */
int64_t diagnosis_median(int64_t *v, size_t n);

#endif
