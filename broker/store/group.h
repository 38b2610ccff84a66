/* A group: what the journal commits as one transaction, and the answers that come back with it.
 * Made by the owner, handed over whole, handed back whole: at any time one thread has it. */
#ifndef FARM_STORE_GROUP_H
#define FARM_STORE_GROUP_H

#include "effects.h"
#include "list.h"

struct group {
    struct effects fx;
    struct answer *answers; /* their memory is in `arena` */
    size_t n_answers, cap_answers;
    struct arena arena;
    bool submitted;   /* the owner's mark: it awaits this one */
    struct list link; /* of whoever has it */
};

struct group *group_new(void);
void group_free(struct group *g); /* NULL is legal */
/* A zeroed answer to `ask`. */
struct answer *group_answer(struct group *g, const struct fx_ask *ask);

#endif
