/* Ready trials to free slots, and free slots to proposals that are to be asked for. */
#ifndef FARM_CORE_DISPATCH_H
#define FARM_CORE_DISPATCH_H

#include "verbs.h"

/* Grants what can be granted, and leaves in study.ask how many proposals each study is to be asked
 * for. */
void dispatch_run(const struct act *a);
/* Proposals may be asked for: open, not paused, its optimizer live, nothing that it waits for. */
bool dispatch_may_want(const struct farm *f, const struct study *s, int64_t now);

#endif
