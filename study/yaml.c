/* A study file as JSON, and where each path stands in it.
 *
 * Called by the command line and by the optimizer's filter mode, never by a daemon: what travels is
 * JSON. The tree of nodes that yaml_load.c makes is kept as the map, and a path is walked only when
 * there is a fault to place. */
#include "yaml.h"

#include <json.h>
#include <stdlib.h>

#include "alloc.h"
#include "json.h"
#include "spec.h"
#include "yaml_node.h"

#define MAX_TEXT    (1u << 20)
#define ARENA_LIMIT (24u << 20)

/* Aliases can make it deeper and larger than the file was; buf refuses beyond its limit and the
 * walk ends. */
static err_t emit(struct jsonw *w, const struct yaml_map *m, const struct node *n,
                  struct errmsg *em)
{
    const struct node *t = node_target(n);
    if (!buf_ok(w->b))
        return ERR_OK; /* yaml_to_json() says why */
    if (t->kind == NODE_SCALAR) {
        if (yaml_scalar(w, t))
            return ERR_OK;
        return errmsg_set(em, ERR_INVALID, "%s:%u:%u: the number is too large", m->name, n->line,
                          n->column);
    }
    if (w->depth == YAML_MAX_DEPTH)
        return errmsg_set(em, ERR_LIMIT, "%s:%u:%u: nested more than 32 deep", m->name, n->line,
                          n->column);
    if (t->kind == NODE_MAP)
        jsonw_object(w);
    else
        jsonw_array(w);
    err_t e = ERR_OK;
    for (const struct node *c = t->first; c && e == ERR_OK && buf_ok(w->b); c = c->next) {
        if (t->kind == NODE_MAP)
            jsonw_key(w, c->key);
        e = emit(w, m, c, em);
    }
    jsonw_end(w);
    return e;
}

static bool surrogate(struct str s, size_t i, unsigned from, unsigned *out)
{
    uint8_t b[2];
    if (s.n - i < 6 || s.p[i] != '\\' || s.p[i + 1] != 'u' ||
        !str_from_hex(str_make(s.p + i + 2, 4), b, 2))
        return false;
    *out = (unsigned)(b[0] << 8 | b[1]) - from;
    return *out < 0x400;
}

/* libyaml refuses "\ud83d\ude00", with which JSON writes a character beyond U+FFFF; YAML's own
 * escape for it is
 * "\U0001f600". text is JSON, so that every backslash is in a quoted text. */
static void rewrite_escapes(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.n;) {
        unsigned high, low;
        if (surrogate(text, i, 0xd800, &high) && surrogate(text, i + 6, 0xdc00, &low)) {
            buf_printf(out, "\\U%08x", 0x10000 + (high << 10 | low));
            i += 12;
            continue;
        }
        size_t n = text.p[i] == '\\' && i + 1 < text.n ? 2 : 1;
        buf_add(out, text.p + i, n);
        i += n;
    }
}

static bool is_json(struct str text)
{
    struct json_object *v = NULL;
    err_t e = json_parse(text, JSON_STRICT, &v, NULL);
    json_object_put(v);
    return e == ERR_OK;
}

static err_t load(struct yaml_map *m, struct str text, struct errmsg *em)
{
    struct errmsg fault;
    err_t e = yaml_load(m, text, &fault);
    if (e != ERR_OK && strstr(fault.text, "Unicode character escape") && is_json(text)) {
        struct buf b;
        buf_init(&b, MAX_TEXT);
        rewrite_escapes(text, &b);
        arena_clear(&m->arena);
        e = yaml_load(m, buf_str(&b), &fault);
        buf_fini(&b);
    }
    return e == ERR_OK ? e : errmsg_set(em, e, "%s", fault.text);
}

static err_t convert(struct yaml_map *m, struct str text, struct buf *json, struct errmsg *em)
{
    if (text.n > MAX_TEXT)
        return errmsg_set(em, ERR_LIMIT, "%s: the file has %zu bytes; at most 1 MiB is allowed",
                          m->name, text.n);
    err_t e = load(m, text, em);
    if (e == ERR_OK) {
        struct jsonw w;
        jsonw_init(&w, json);
        e = emit(&w, m, m->root, em);
    }
    if (e == ERR_OK && !buf_ok(json))
        e = errmsg_set(em, ERR_LIMIT, "%s: more than 256 KiB as JSON, with aliases followed",
                       m->name);
    return e;
}

err_t yaml_to_json(struct str text, const char *name, struct buf *out, struct yaml_map **map,
                   struct errmsg *em)
{
    struct yaml_map *m = alloc_zero(sizeof *m);
    arena_init(&m->arena, ARENA_LIMIT);
    m->name = str_dupz(str_of(name));
    struct buf json;
    buf_init(&json, SPEC_MAX_BYTES);
    err_t e = convert(m, text, &json, em);
    if (e == ERR_OK)
        buf_add_str(out, buf_str(&json));
    buf_fini(&json);
    if (map)
        *map = e == ERR_OK ? m : NULL;
    if (!map || e != ERR_OK)
        yaml_map_free(m);
    return e;
}

void yaml_map_free(struct yaml_map *m)
{
    if (!m)
        return;
    arena_fini(&m->arena);
    free(m->name);
    free(m);
}

/* The child of n that text begins with; *used is how much of text names it. */
static const struct node *child_named(const struct node *n, struct str text, size_t *used)
{
    const struct node *found = NULL;
    *used = 0;
    for (const struct node *c = node_target(n)->first; c; c = c->next) {
        bool begins = c->key.n < text.n && memcmp(c->key.p, text.p, c->key.n) == 0;
        if (begins && strchr(".[:", text.p[c->key.n]) && c->key.n >= *used) {
            found = c;
            *used = c->key.n;
        }
    }
    return found;
}

/* text begins with "[n]". */
static const struct node *child_numbered(const struct node *n, struct str text, size_t *used)
{
    uint64_t index;
    const char *end = memchr(text.p, ']', text.n);
    if (!end || !str_to_u64(str_make(text.p + 1, (size_t)(end - text.p) - 1), &index))
        return NULL;
    *used = (size_t)(end - text.p) + 1;
    const struct node *c = node_target(n)->first;
    while (c && index-- > 0)
        c = c->next;
    return c;
}

static const struct node *walk(const struct node *n, struct str text)
{
    size_t i = 0;
    while (i < text.n) {
        struct str rest = str_make(text.p + i, text.n - i);
        const struct node *c = NULL;
        size_t used = 0;
        if (node_target(n)->kind == NODE_LIST && rest.p[0] == '[')
            c = child_numbered(n, rest, &used);
        else if (node_target(n)->kind == NODE_MAP)
            c = child_named(n, rest, &used);
        if (!c)
            break;
        n = c;
        i += used;
        if (i < text.n && text.p[i] == '.')
            i++;
    }
    return n;
}

void yaml_locate(const struct yaml_map *m, struct errmsg *em)
{
    if (!em || !m)
        return;
    const struct node *n = walk(m->root, str_of(em->text));
    (void)errmsg_wrap(em, ERR_INVALID, "%s:%u:%u", m->name, n->line, n->column);
}
