/* The tree of a study file, between libyaml's events and JSON. Shared by the yaml*.c files only. */
#ifndef FARM_STUDY_YAML_NODE_H
#define FARM_STUDY_YAML_NODE_H

#include "arena.h"
#include "buf.h"

#define YAML_MAX_DEPTH 32 /* as the JSON reader */

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    bool plain;         /* NODE_SCALAR without quotes: resolved by yaml_scalar.c */
    struct str text;    /* NODE_SCALAR; terminated */
    struct node *first; /* NODE_LIST, NODE_MAP: the elements or values, in order */
    struct node *last;
    struct node *next;     /* in the same list or map */
    const struct node *to; /* an alias: everything else but key, next and place is there */
    struct str key;        /* in a map */
    uint32_t line, column; /* from 1: of the key in a map, else of the value */
    uint32_t count;        /* children */
};

/* Where an alias leads, or the node itself. */
static inline const struct node *node_target(const struct node *n)
{
    return n->to ? n->to : n;
}

struct yaml_map {
    struct arena arena; /* owns the nodes */
    const struct node *root;
    char *name; /* of the file, for messages */
};

struct jsonw;

/* yaml_load.c: the one document of a text as nodes of m->arena. */
err_t yaml_load(struct yaml_map *m, struct str text, struct errmsg *em) MUST_CHECK;
/* yaml_scalar.c: a plain scalar by the core schema of YAML 1.2, any other as text. False, and
 * nothing is written, if it is a number too large for JSON. */
bool yaml_scalar(struct jsonw *w, const struct node *n) MUST_CHECK;

#endif
