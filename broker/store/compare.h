/* Whether a row of the database says what the fold of the journal says, column by column. */
#ifndef FARM_STORE_COMPARE_H
#define FARM_STORE_COMPARE_H

#include "buf.h"
#include "images.h"

/* True if they are equal; else appends the first difference: "value is 0.5 in its row, and 0.25 by
 * the journal". */
bool compare_trial(const struct trial_image *row, const struct trial_image *fold, struct buf *why);
bool compare_study(const struct study_image *row, const struct study_image *fold, struct buf *why);

#endif
