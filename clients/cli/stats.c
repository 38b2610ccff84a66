/* Counters as a person reads them. Called by the commands workers and doctor. It knows the columns
 * of INSPECT's table `counters`; what a counter means stands in proto/counter.h. */
#include "stats.h"

#include <stdlib.h>

#include "alloc.h"
#include "json.h"
#include "table.h"

static struct stats_peer *peer_of(struct stats *s, const struct row *r)
{
    struct str id = row_text(r, "id");
    /* Rows of one peer follow one another. */
    if (s->n_peers && str_is(id, s->peers[s->n_peers - 1].id))
        return &s->peers[s->n_peers - 1];
    if (!s->peers || s->n_peers == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 16;
        s->peers = alloc_grow(s->peers, s->cap, sizeof *s->peers);
    }
    struct stats_peer *p = &s->peers[s->n_peers++];
    *p = (struct stats_peer){.role = ""};
    str_copyz(p->id, sizeof p->id, id);
    str_copyz(p->name, sizeof p->name, row_text(r, "name"));
    str_copyz(p->role, sizeof p->role, row_text(r, "role"));
    return p;
}

static err_t on_counter(void *self, const struct row *r, struct errmsg *em)
{
    struct stats *s = self;
    (void)em;
    if (!r->values)
        return ERR_OK;
    unsigned c = counter_find(row_text(r, "counter"));
    uint64_t n = (uint64_t)row_int(r, "n", 0);
    if (c == COUNTERS)
        return ERR_OK; /* of a newer broker */
    if (row_text(r, "id").n)
        peer_of(s, r)->n.v[c] = n;
    else
        counter_add(&s->farm.v[c], n);
    return ERR_OK;
}

err_t stats_fetch(struct stats *s, struct source *from, struct errmsg *em)
{
    *s = (struct stats){.n_peers = 0};
    return source_inspect(from, "counters", 0, on_counter, s, em);
}

void stats_fini(struct stats *s)
{
    free(s->peers);
}

static void add_rows(struct table *t, const char *who, const struct counters *n)
{
    struct buf number = {0};
    for (unsigned c = 0; c < COUNTERS; c++) {
        if (!n->v[c])
            continue;
        buf_clear(&number);
        buf_printf(&number, "%llu", (unsigned long long)n->v[c]);
        table_addz(t, who);
        table_addz(t, counter_name(c));
        table_add(t, buf_str(&number));
        table_addz(t, counter_text(c));
    }
    buf_fini(&number);
}

void stats_table(const struct stats *s, struct buf *out, size_t width, bool utf8)
{
    struct table t;
    struct buf who = {0};
    table_init(&t, "who|counter|n|meaning");
    add_rows(&t, "the farm", &s->farm);
    for (size_t i = 0; i < s->n_peers; i++) {
        const struct stats_peer *p = &s->peers[i];
        bool worker = strcmp(p->role, "worker") == 0;
        buf_clear(&who);
        if (worker)
            buf_addz(&who, p->name);
        else
            buf_printf(&who, "%s (%s)", p->name, p->role);
        add_rows(&t, buf_z(&who), &p->n);
    }
    if (table_rows(&t))
        table_print(&t, out, width, utf8);
    else
        buf_addz(out, "nothing was refused, repeated or missed since the broker's start\n");
    table_fini(&t);
    buf_fini(&who);
}

static void add_object(struct buf *out, const struct stats_peer *p, const struct counters *n)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "role", str_of(p ? p->role : "farm"));
    if (p) {
        jsonw_kstr(&w, "name", str_of(p->name));
        jsonw_kstr(&w, "id", str_of(p->id));
    }
    jsonw_keyz(&w, "counters");
    jsonw_object(&w);
    for (unsigned c = 0; c < COUNTERS; c++)
        jsonw_ku64(&w, counter_name(c), n->v[c]);
    jsonw_end(&w);
    jsonw_end(&w);
    buf_addc(out, '\n');
}

void stats_json(const struct stats *s, struct buf *out)
{
    add_object(out, NULL, &s->farm);
    for (size_t i = 0; i < s->n_peers; i++)
        add_object(out, &s->peers[i], &s->peers[i].n);
}
