/* Intrusive doubly linked list with a sentinel. Embeds in its objects; allocates nothing. */
#ifndef FARM_BASE_LIST_H
#define FARM_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline bool list_linked(const struct list *l)
{
    return l->next && l->next != l;
}
static inline void list_insert_before(struct list *at, struct list *x)
{
    x->prev = at->prev;
    x->next = at;
    at->prev->next = x;
    at->prev = x;
}
static inline void list_push(struct list *l, struct list *x) /* at the end */
{
    list_insert_before(l, x);
}
static inline void list_push_front(struct list *l, struct list *x)
{
    list_insert_before(l->next, x);
}
/* Legal on an initialised node that is in no list. */
static inline void list_remove(struct list *x)
{
    x->prev->next = x->next;
    x->next->prev = x->prev;
    list_init(x);
}
#define LIST_FIRST(head, type, member)                                                             \
    (list_empty(head) ? NULL : CONTAINER_OF((head)->next, type, member))
#define LIST_FOREACH(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)
#define LIST_FOREACH_SAFE(it, tmp, head)                                                           \
    for (struct list *it = (head)->next, *tmp = it->next; it != (head); it = tmp, tmp = it->next)

#endif
