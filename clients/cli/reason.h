/* What an optimizer wrote about a proposal (its `why`), in the words of a colleague. */
#ifndef FARM_CLI_REASON_H
#define FARM_CLI_REASON_H

#include "buf.h"

struct json_object;

/* Appends a paragraph, a line for each thing that is said. `why` may be NULL or of any shape:
 * members that are not known are shown as they are. */
void reason_explain(struct json_object *why, struct buf *out);

#endif
