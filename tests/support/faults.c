/* The fault loop over struct budget's fail_in. An operation that survives it has no allocation
 * whose refusal is forgotten, which reading the code does not show. Called by tests only. */
#include "faults.h"

#include <stdio.h>
#include <stdlib.h>

#define FAULTS_MAX 1000000

static _Noreturn void complain(long at, const char *what)
{
    fprintf(stderr, "with allocation %ld refused: %s\n", at, what);
    abort();
}

long faults_loop(err_t (*operation)(void *self, struct budget *b), void *self)
{
    for (long at = 1; at <= FAULTS_MAX; at++) {
        struct budget b = {.fail_in = at};
        err_t e = operation(self, &b);
        if (b.used)
            complain(at, "something stayed allocated");
        if (b.fail_in > 0) { /* it was not reached: the operation needs fewer */
            if (e)
                complain(at, "the operation failed although nothing was refused");
            return at - 1;
        }
        if (!e)
            complain(at, "the operation did not notice");
    }
    complain(FAULTS_MAX, "the operation does not end");
}
