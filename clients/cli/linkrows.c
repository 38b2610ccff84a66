/* Questions whose answer is rows: SQL, and INSPECT. The rows are gathered before any is given to
 * the caller, so that a session that is lost meanwhile repeats nothing.
 *
 * Called by source.c. It must not know what the questions are about. */
#include "linkrows.h"

#include <stdlib.h>

#include "alloc.h"
#include "buf.h"
#include "clock.h"

#define ROWS_LIMIT (64u << 20)

/* An answer to a question, gathered: column names and rows one after the other. */
struct answer {
    struct buf text;
    size_t *ends;
    size_t n, cap, columns;
    bool page; /* a part of it is welcome */
};

static void answer_add(struct answer *a, struct str s)
{
    if (a->n == a->cap) {
        a->cap = a->cap ? a->cap * 2 : 256;
        a->ends = alloc_grow(a->ends, a->cap, sizeof *a->ends);
    }
    buf_add_str(&a->text, s);
    a->ends[a->n++] = a->text.n;
}

static struct str answer_at(const struct answer *a, size_t i)
{
    size_t from = i ? a->ends[i - 1] : 0;
    return str_make(a->text.p + from, a->ends[i] - from);
}

static err_t answer_rows(struct answer *a, const struct msg_rows *rows, struct errmsg *em)
{
    if (rows->error.n && !(rows->cut && a->page && a->n > a->columns))
        return errmsg_set(em, ERR_INVALID, STR_FMT, STR_ARG(rows->error));
    if (a->columns == 0) {
        a->columns = rows->columns.n;
        for (uint32_t i = 0; i < rows->columns.n; i++)
            answer_add(a, rows->columns.v[i]);
    }
    for (uint32_t i = 0; i < rows->rows.n; i++)
        answer_add(a, rows->rows.v[i]);
    if (!buf_ok(&a->text))
        return errmsg_set(em, ERR_LIMIT, "the answer is larger than 64 MiB");
    return ERR_OK;
}

/* Something that ROWS answer. */
struct question {
    unsigned kind;
    const void *msg;
    struct id128 request;
    int64_t patience;
};

static err_t gather(struct brokerlink *l, const struct question *q, struct answer *a,
                    struct errmsg *em)
{
    struct link_incoming in = {.event = LINK_RENEWED};
    int64_t until = clock_now() + q->patience;
    brokerlink_send(l, q->kind, q->msg);
    for (;;) {
        err_t e = brokerlink_await(l, q->request, until, &in, em);
        if (e == ERR_STALE && in.event == LINK_RENEWED) {
            buf_clear(&a->text);
            a->n = a->columns = 0;
            brokerlink_send(l, q->kind, q->msg);
            continue;
        }
        if (e)
            return e;
        if (in.kind == MSG_REPLY)
            return errmsg_set(em, brokerlink_error(in.m.reply.name), STR_FMT,
                              STR_ARG(in.m.reply.text));
        if (in.kind != MSG_ROWS)
            continue;
        e = answer_rows(a, &in.m.rows, em);
        if (e || !in.m.rows.more)
            return e;
        until = clock_now() + q->patience;
    }
}

static err_t deliver(const struct answer *a, linkrows_row *row, void *self, struct errmsg *em)
{
    struct str *columns = alloc_array(a->columns + 1, sizeof *columns);
    err_t e = ERR_OK;
    for (size_t i = 0; i < a->columns; i++)
        columns[i] = answer_at(a, i);
    for (size_t i = a->columns; i < a->n && !e; i++)
        e = row(self, columns, a->columns, answer_at(a, i), em);
    if (a->n == a->columns)
        e = row(self, columns, a->columns, (struct str){0}, em);
    free(columns);
    return e;
}

static err_t ask(struct brokerlink *l, const struct question *q, bool page, linkrows_row *row,
                 void *self, struct errmsg *em)
{
    struct answer a = {.page = page};
    buf_init(&a.text, ROWS_LIMIT);
    err_t e = gather(l, q, &a, em);
    if (!e)
        e = deliver(&a, row, self, em);
    buf_fini(&a.text);
    free(a.ends);
    return e;
}

err_t linkrows_inspect(struct brokerlink *l, const char *what, int64_t patience, linkrows_row *row,
                       void *self, struct errmsg *em)
{
    struct msg_inspect m = {.request = brokerlink_request(), .what = str_of(what)};
    struct question q = {MSG_INSPECT, &m, m.request, patience ? patience : brokerlink_patience(l)};
    return ask(l, &q, false, row, self, em);
}

err_t linkrows_sql(struct brokerlink *l, const char *query, const struct str *args, size_t n_args,
                   bool page, linkrows_row *row, void *self, struct errmsg *em)
{
    struct msg_sql m = {.request = brokerlink_request(),
                        .query = str_of(query),
                        .args = {.v = args, .n = (uint32_t)n_args}};
    if (m.query.n > 65536)
        return errmsg_set(em, ERR_LIMIT, "the question is longer than 65536 bytes");
    struct question q = {MSG_SQL, &m, m.request, brokerlink_patience(l)};
    return ask(l, &q, page, row, self, em);
}
