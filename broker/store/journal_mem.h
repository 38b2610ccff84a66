/* A journal in memory, for tests: everything is durable at once, for as long as its store lives. */
#ifndef FARM_STORE_JOURNAL_MEM_H
#define FARM_STORE_JOURNAL_MEM_H

#include "journal.h"

struct mem_store;

struct mem_store *mem_store_new(void);
void mem_store_free(struct mem_store *m);
/* Opens it; at most one journal at a time. Closing keeps the store. Questions in SQL are answered
 * with an error. */
struct journal *journal_mem_open(struct mem_store *m, void (*wake)(void *self), void *self);

#endif
