/* How far the rows of the database are behind. */
#ifndef FARM_CORE_ROWS_H
#define FARM_CORE_ROWS_H

#include "farm_state.h"

uint64_t rows_complete(const struct farm *f); /* every record up to this seq is in the rows */
int64_t rows_next(const struct farm *f);      /* when the next row has waited long enough */

#endif
