/* From libyaml's events to a tree of nodes, within bounds.
 *
 * Owns what a study file may contain: one document, no tags, no merge keys, texts as keys, no key
 * twice, so many nodes and anchors, so deep. An alias becomes a reference, so a small file stays
 * small here whatever it would expand to. Called by yaml.c only; knows nothing of studies. */
#include <yaml.h>

#include <stdio.h>

#include "yaml_node.h"

#define MAX_NODES   65536
#define MAX_ANCHORS 256
#define MAX_MEMBERS 4096

struct anchor {
    struct str name;
    const struct node *node; /* NULL while it is being read */
};
struct loader {
    yaml_parser_t parser;
    struct yaml_map *map;
    struct errmsg *em;
    struct anchor anchors[MAX_ANCHORS];
    uint32_t n_anchors, n_nodes;
};

static err_t fault_at(struct loader *l, yaml_mark_t mark, err_t e, const char *what)
{
    return errmsg_set(l->em, e, "%s:%zu:%zu: %s", l->map->name, mark.line + 1, mark.column + 1,
                      what);
}

/* libyaml's own words; for a tab, what to do about it. */
static err_t fault_syntax(struct loader *l)
{
    yaml_parser_t *p = &l->parser;
    char text[512];
    const char *problem = p->problem ? p->problem : "not YAML";
    if (p->error == YAML_MEMORY_ERROR)
        return fault_at(l, p->mark, ERR_NOMEM, err_text(ERR_NOMEM));
    if (p->error == YAML_READER_ERROR)
        return errmsg_set(l->em, ERR_INVALID, "%s: byte %zu: %s", l->map->name, p->problem_offset,
                          problem);
    (void)snprintf(text, sizeof text, "%s%s%s%s", problem, p->context ? ", " : "",
                   p->context ? p->context : "",
                   strstr(problem, "cannot start any token") ? " (indent with spaces, not tabs)"
                                                             : "");
    return fault_at(l, p->problem_mark, ERR_INVALID, text);
}

static err_t next_event(struct loader *l, yaml_event_t *ev)
{
    return yaml_parser_parse(&l->parser, ev) ? ERR_OK : fault_syntax(l);
}

static struct str text_of(const yaml_char_t *z)
{
    return str_of((const char *)z);
}

static err_t add_anchor(struct loader *l, const yaml_char_t *name, const yaml_event_t *ev,
                        uint32_t *out)
{
    *out = MAX_ANCHORS;
    if (!name)
        return ERR_OK;
    if (l->n_anchors == MAX_ANCHORS)
        return fault_at(l, ev->start_mark, ERR_LIMIT, "more than 256 anchors");
    struct str copy = arena_dup(&l->map->arena, text_of(name));
    if (!copy.p)
        return fault_at(l, ev->start_mark, ERR_LIMIT, err_text(ERR_NOMEM));
    *out = l->n_anchors;
    l->anchors[l->n_anchors++] = (struct anchor){.name = copy};
    return ERR_OK;
}

static err_t resolve_alias(struct loader *l, const yaml_event_t *ev, struct node *n)
{
    struct str name = text_of(ev->data.alias.anchor);
    for (uint32_t i = l->n_anchors; i-- > 0;) { /* the latest of a name holds */
        if (!str_eq(l->anchors[i].name, name))
            continue;
        if (!l->anchors[i].node)
            return fault_at(l, ev->start_mark, ERR_INVALID, "an alias to something it is part of");
        n->to = node_target(l->anchors[i].node);
        return ERR_OK;
    }
    return fault_at(l, ev->start_mark, ERR_INVALID, "an alias without its anchor");
}

static err_t read_key(struct loader *l, const yaml_event_t *ev, const struct node *parent,
                      struct node *n)
{
    if (ev->type != YAML_SCALAR_EVENT)
        return fault_at(l, ev->start_mark, ERR_INVALID, "a key must be a text");
    if (ev->data.scalar.tag || ev->data.scalar.anchor)
        return fault_at(l, ev->start_mark, ERR_INVALID, "a key has neither tag nor anchor");
    struct str key = str_make(ev->data.scalar.value, ev->data.scalar.length);
    if (str_has_control(key))
        return fault_at(l, ev->start_mark, ERR_INVALID, "a key holds a control character");
    if (str_is(key, "<<"))
        return fault_at(l, ev->start_mark, ERR_INVALID, "merge keys (<<) are not supported");
    for (const struct node *c = parent->first; c; c = c->next) {
        if (str_eq(c->key, key))
            return errmsg_set(l->em, ERR_INVALID,
                              "%s:%zu:%zu: the key \"%.*s\" stands twice, first in line %u",
                              l->map->name, ev->start_mark.line + 1, ev->start_mark.column + 1,
                              (int)str_utf8_cut(key, 64), key.p, c->line);
    }
    n->key = arena_dup(&l->map->arena, key);
    n->line = (uint32_t)ev->start_mark.line + 1;
    n->column = (uint32_t)ev->start_mark.column + 1;
    return n->key.p ? ERR_OK : fault_at(l, ev->start_mark, ERR_LIMIT, err_text(ERR_NOMEM));
}

/* NULL: refused, the sentence is set. */
static struct node *new_node(struct loader *l, const yaml_event_t *ev)
{
    struct node *n = NULL;
    if (l->n_nodes++ < MAX_NODES)
        n = arena_alloc(&l->map->arena, sizeof *n);
    if (!n) {
        (void)fault_at(l, ev->start_mark, ERR_LIMIT, "the file has too many values");
        return NULL;
    }
    n->line = (uint32_t)ev->start_mark.line + 1;
    n->column = (uint32_t)ev->start_mark.column + 1;
    return n;
}

static err_t append(struct loader *l, const yaml_event_t *ev, struct node *parent, struct node *n)
{
    if (parent->kind == NODE_MAP && parent->count == MAX_MEMBERS)
        return fault_at(l, ev->start_mark, ERR_LIMIT, "more than 4096 members in one group");
    if (parent->last)
        parent->last->next = n;
    else
        parent->first = n;
    parent->last = n;
    parent->count++;
    return ERR_OK;
}

static err_t read_node(struct loader *l, const yaml_event_t *ev, unsigned depth, struct node *n);

/* ev: the child's first event, in a map its key. Moves *ev to the event whose value is read. */
static err_t read_child(struct loader *l, yaml_event_t *ev, unsigned depth, struct node *n)
{
    struct node *child = new_node(l, ev);
    if (!child)
        return ERR_LIMIT;
    if (n->kind == NODE_MAP) {
        err_t e = read_key(l, ev, n, child);
        if (e != ERR_OK)
            return e;
        yaml_event_delete(ev);
        e = next_event(l, ev);
        if (e != ERR_OK)
            return e;
    }
    err_t e = append(l, ev, n, child);
    return e == ERR_OK ? read_node(l, ev, depth, child) : e;
}

/* The children of n until the event that ends it. */
static err_t read_children(struct loader *l, unsigned depth, struct node *n)
{
    yaml_event_type_t end = n->kind == NODE_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    for (;;) {
        yaml_event_t ev;
        err_t e = next_event(l, &ev);
        bool done = e == ERR_OK && ev.type == end;
        if (e == ERR_OK && !done)
            e = read_child(l, &ev, depth, n);
        yaml_event_delete(&ev);
        if (done || e != ERR_OK)
            return e;
    }
}

static err_t read_scalar(struct loader *l, const yaml_event_t *ev, struct node *n)
{
    n->kind = NODE_SCALAR;
    n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    n->text = arena_dup(&l->map->arena, str_make(ev->data.scalar.value, ev->data.scalar.length));
    return n->text.p ? ERR_OK : fault_at(l, ev->start_mark, ERR_LIMIT, err_text(ERR_NOMEM));
}

/* A scalar, or a whole list or map whose start ev is. */
static err_t read_value(struct loader *l, const yaml_event_t *ev, unsigned depth, struct node *n,
                        const yaml_char_t *tag)
{
    if (tag)
        return fault_at(l, ev->start_mark, ERR_INVALID, "tags (\"!\") are not supported");
    if (ev->type == YAML_SCALAR_EVENT)
        return read_scalar(l, ev, n);
    n->kind = ev->type == YAML_MAPPING_START_EVENT ? NODE_MAP : NODE_LIST;
    if (depth == YAML_MAX_DEPTH)
        return fault_at(l, ev->start_mark, ERR_LIMIT, "nested more than 32 deep");
    return read_children(l, depth + 1, n);
}

static err_t read_node(struct loader *l, const yaml_event_t *ev, unsigned depth, struct node *n)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (ev->type) {
    case YAML_ALIAS_EVENT:
        return resolve_alias(l, ev, n);
    case YAML_SCALAR_EVENT:
        anchor = ev->data.scalar.anchor;
        tag = ev->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = ev->data.sequence_start.anchor;
        tag = ev->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = ev->data.mapping_start.anchor;
        tag = ev->data.mapping_start.tag;
        break;
    default:
        return fault_at(l, ev->start_mark, ERR_INVALID, "a value was expected");
    }
    uint32_t slot;
    err_t e = add_anchor(l, anchor, ev, &slot);
    if (e == ERR_OK)
        e = read_value(l, ev, depth, n, tag);
    if (slot < MAX_ANCHORS)
        l->anchors[slot].node = n;
    return e;
}

/* Skips to the start of the document's content; *empty if there is none. */
static err_t start(struct loader *l, yaml_event_t *ev, bool *empty)
{
    *empty = false;
    for (;;) {
        err_t e = next_event(l, ev);
        if (e != ERR_OK)
            return e;
        *empty = ev->type == YAML_STREAM_END_EVENT;
        if (*empty ||
            (ev->type != YAML_STREAM_START_EVENT && ev->type != YAML_DOCUMENT_START_EVENT))
            return ERR_OK;
        yaml_event_delete(ev);
    }
}

static err_t finish(struct loader *l)
{
    yaml_event_t ev;
    for (;;) {
        err_t e = next_event(l, &ev);
        if (e != ERR_OK)
            return e;
        yaml_event_type_t type = ev.type;
        yaml_mark_t mark = ev.start_mark;
        yaml_event_delete(&ev);
        if (type == YAML_STREAM_END_EVENT)
            return ERR_OK;
        if (type != YAML_DOCUMENT_END_EVENT)
            return fault_at(l, mark, ERR_INVALID,
                            "a second document begins here; expected one study in a file");
    }
}

static err_t load(struct loader *l)
{
    yaml_event_t ev;
    bool empty;
    err_t e = start(l, &ev, &empty);
    if (e != ERR_OK)
        return e;
    struct node *root = empty ? NULL : new_node(l, &ev);
    if (empty)
        e = errmsg_set(l->em, ERR_INVALID, "%s: the file is empty", l->map->name);
    else
        e = root ? read_node(l, &ev, 0, root) : ERR_LIMIT;
    yaml_event_delete(&ev);
    l->map->root = root;
    return e == ERR_OK ? finish(l) : e;
}

err_t yaml_load(struct yaml_map *m, struct str text, struct errmsg *em)
{
    struct loader l = {.map = m, .em = em};
    if (!yaml_parser_initialize(&l.parser))
        return errmsg_set(em, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)text.p, text.n);
    err_t e = load(&l);
    yaml_parser_delete(&l.parser);
    return e;
}
