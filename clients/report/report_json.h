/* Reading the worker's lines. A text ends with 0; what is no JSON reads as if nothing were there.
 */
#ifndef FARM_CLIENTS_REPORT_JSON_H
#define FARM_CLIENTS_REPORT_JSON_H

#include <stdbool.h>
#include <stdint.h>

/* The value of a member of the object at p (NULL is legal), or NULL. */
const char *report_json_member(const char *p, const char *name);
const char *report_json_skip(const char *p); /* behind any value */
/* A heap copy of a string value without its quotes and escapes; NULL if it is no string. */
char *report_json_string(const char *p);
bool report_json_number(const char *p, double *out); /* p NULL is legal; true is 1, false 0 */
uint64_t report_json_u64(const char *p);             /* 0 if it is none */

#endif
