/* A curve as one line of block characters. */
#ifndef FARM_CLI_SPARK_H
#define FARM_CLI_SPARK_H

#include "buf.h"

/* values: n numbers, drawn into at most `width` columns (several values a column: the last of them
 * counts). The scale is logarithmic if all are positive and the largest is over 20 times the
 * smallest, else linear. Without utf8 the levels are letters of rising weight. Non-finite values
 * leave a blank. */
void spark_line(struct buf *out, const double *values, size_t n, size_t width, bool utf8);

#endif
