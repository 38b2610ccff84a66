/* CSV as in RFC 4180: fields between commas, quoted where needed, lines ended by a newline. */
#ifndef FARM_CLI_CSV_H
#define FARM_CLI_CSV_H

#include "buf.h"

struct json_object;

/* Appends one field; the caller adds commas and newlines. */
void csv_field(struct buf *out, struct str s);
/* null is an empty field, texts are as they are, numbers keep every digit, anything else is JSON.
 */
void csv_value(struct buf *out, struct json_object *v);

#endif
