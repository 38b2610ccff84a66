/* Records into state: the one mutator of what is durable, live and in replay alike. */
#ifndef FARM_CORE_APPLY_H
#define FARM_CORE_APPLY_H

#include "farm_state.h"

/* FINISHED.number: what the last attempt ended by, as CLOSED.code says of the others. */
enum finished_by { FINISHED_RESULT, FINISHED_CRASHED, FINISHED_LOST };

/* What STUDY_CREATED and SPEC_ADDED need beside the record. */
struct apply_spec {
    struct str bytes;
    const struct envelope *env;
};
/* NULL, or why the record contradicts the state (nothing or part of it was applied then: the farm
 * is of no use). */
const char *apply_record(struct farm *f, int64_t now, const struct record *r,
                         const struct apply_spec *spec);
bool apply_is_trial_kind(unsigned kind);

#endif
