/* Groups: the unit that travels between the loop and the journal's thread. */
#include "group.h"

#include <stdlib.h>

#include "alloc.h"

struct group *group_new(void)
{
    struct group *g = alloc_zero(sizeof *g);
    effects_init(&g->fx);
    arena_init(&g->arena, (size_t)1 << 30);
    list_init(&g->link);
    return g;
}

void group_free(struct group *g)
{
    if (!g)
        return;
    effects_fini(&g->fx);
    arena_fini(&g->arena);
    free(g->answers);
    free(g);
}

struct answer *group_answer(struct group *g, const struct fx_ask *ask)
{
    if (g->n_answers == g->cap_answers) {
        g->cap_answers = g->cap_answers ? g->cap_answers * 2 : 4;
        g->answers = alloc_grow(g->answers, g->cap_answers, sizeof *g->answers);
    }
    struct answer *a = &g->answers[g->n_answers++];
    *a = (struct answer){.kind = ask->kind, .token = ask->token};
    return a;
}
