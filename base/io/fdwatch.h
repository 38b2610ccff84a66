/* Waiting for the other end of an inherited descriptor to close: the sign that a parent process is
 * gone. */
#ifndef FARM_BASE_FDWATCH_H
#define FARM_BASE_FDWATCH_H

#include "loop.h"

struct fdwatch;

/* Calls cb(self) once when fd (a pipe or socket) reads end-of-file or fails; what can be read
 * before is thrown away. The descriptor stays the caller's. ERR_INVALID if it is none that can be
 * waited for. */
err_t fdwatch_open(struct fdwatch **out, struct loop *l, int fd, void (*cb)(void *self), void *self,
                   struct errmsg *em) MUST_CHECK;
void fdwatch_close(struct fdwatch *w); /* NULL is legal; also from within cb */

#endif
