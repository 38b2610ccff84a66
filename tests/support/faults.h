/* Runs an operation again and again, each time refusing a later one of its allocations, until none
 * is refused. */
#ifndef FARM_TESTS_FAULTS_H
#define FARM_TESTS_FAULTS_H

#include "alloc.h"
#include "err.h"

/* operation(self, b) allocates from b alone, releases everything and returns ERR_OK or an error.
 * Requires: an error whenever an allocation was refused, never one otherwise, and nothing left
 * charged. Returns how many allocations were refused in turn; aborts with a sentence when a
 * requirement does not hold. */
long faults_loop(err_t (*operation)(void *self, struct budget *b), void *self);

#endif
