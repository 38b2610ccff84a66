/* Small pieces of text for people: numbers, durations, parameters, cut to a width. Every function
 * appends to a buf and never writes a control character, whatever it is given. */
#ifndef FARM_CLI_CELL_H
#define FARM_CLI_CELL_H

#include "buf.h"

/* At most `digits` significant digits (4 to 17); whole numbers below 10^9 without a point. */
void cell_number(struct buf *out, double v, int digits);
/* "0.4 s", "41 s", "3:05", "2:07:09", "3 d 4 h"; seconds below 0 count as 0. */
void cell_duration(struct buf *out, double seconds);
/* "512", "64K", "1.5G". */
void cell_bytes(struct buf *out, double bytes);
/* The text on one line in at most `width` columns; what is cut ends in an ellipsis (three points
 * without utf8). Control characters become spaces, bytes that are no UTF-8 question marks. */
void cell_text(struct buf *out, struct str s, size_t width, bool utf8);
/* Columns the text takes on a terminal: one a character. */
size_t cell_width(struct str s);
/* A params object as "lr=0.01234 act=relu", in at most `width` columns; what is no object is shown
 * as it is. */
void cell_params(struct buf *out, struct str params, size_t width, bool utf8);
/* One JSON value for a person: a text without its quotes, numbers with 6 digits; nested ones as
 * JSON. */
struct json_object;
/* An attempt's error text in one line: what happened, and the last line of its output. */
void cell_error(struct buf *out, struct str error);
void cell_json(struct buf *out, struct json_object *v, int digits);

#endif
