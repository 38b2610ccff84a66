/* Questions in SQL, asked by people through the broker: one SELECT, read-only, bounded in time and
 * bytes.
 *
 * The journal's thread runs a slice of some rows when no group waits, so a long list of rows delays
 * nobody. What SQLite does between two rows cannot be divided: when it holds up a group, it is
 * broken off, and the question begins anew at its next turn, as long as no row of it was given and
 * its time is not spent. Rows become JSON arrays: numbers, strings, null; a blob is given in hex.
 * What is allowed is named in the authorizer: reading tables and calling functions, nothing else.
 */
#include "sqlite_sql.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "clock.h"
#include "json.h"

#define SLICE_ROWS  256u
#define SLICE_BYTES (256u << 10)
#define SLICE_NS    (5 * NS_PER_MS)
#define HOLD_UP_NS  (50 * NS_PER_MS) /* a slice that takes longer gives way to what waits */
#define MAX_COLUMNS 256
#define ROW_BYTES   (512u << 10)
#define STEPS       1000 /* virtual machine instructions between looks at the clock */

struct sql_run {
    struct db *d;
    struct fx_ask ask; /* texts owned */
    struct sql_limits limits;
    sqlite3_stmt *st;
    int64_t spent_ns, began;
    size_t bytes;
    bool columns_sent, cut;
    bool gave_way; /* was broken off, because something waits */
    struct buf line;
    struct errmsg fault;
};

static int authorize(void *self, int action, const char *a, const char *b, const char *db,
                     const char *trigger)
{
    (void)self;
    (void)db;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return b && sqlite3_stricmp(b, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    default:
        (void)a;
        return SQLITE_DENY;
    }
}

static int on_progress(void *self)
{
    struct sql_run *r = self;
    int64_t took = clock_now() - r->began;
    bool spent = r->spent_ns + took > r->limits.ns;
    r->gave_way = !spent && took > HOLD_UP_NS && r->limits.waits(r->limits.self);
    return spent || r->gave_way;
}

static void fail(struct sql_run *r, const char *text)
{
    errmsg_set(&r->fault, ERR_INVALID, "%s", text);
}

/* Numbers are bound as numbers, everything else as text. */
static void bind_args(struct sql_run *r)
{
    for (uint32_t i = 0; i < r->ask.n_args; i++) {
        struct str s = r->ask.args[i];
        int64_t n;
        double x;
        int at = (int)i + 1;
        if (str_to_i64(s, &n))
            sqlite3_bind_int64(r->st, at, n);
        else if (str_to_f64(s, &x) && isfinite(x))
            sqlite3_bind_double(r->st, at, x);
        else
            sqlite3_bind_text(r->st, at, s.p ? s.p : "", (int)s.n, SQLITE_STATIC);
    }
}

static void prepare(struct sql_run *r)
{
    const char *tail = NULL;
    sqlite3_set_authorizer(r->d->sql, authorize, NULL);
    int rc = sqlite3_prepare_v2(r->d->sql, r->ask.query, -1, &r->st, &tail);
    sqlite3_set_authorizer(r->d->sql, NULL, NULL);
    while (tail &&
           (*tail == ';' || *tail == ' ' || *tail == '\n' || *tail == '\t' || *tail == '\r'))
        tail++;
    if (rc == SQLITE_AUTH || (r->st && !sqlite3_stmt_readonly(r->st)))
        fail(r, "only SELECT over the views is allowed");
    else if (rc != SQLITE_OK)
        fail(r, sqlite3_errmsg(r->d->sql));
    else if (!r->st)
        fail(r, "there is no question: one SELECT was expected");
    else if (tail && *tail)
        fail(r, "one SELECT at a time was expected");
    else if (sqlite3_column_count(r->st) > MAX_COLUMNS)
        fail(r, "the answer has over 256 columns");
    else if (sqlite3_bind_parameter_count(r->st) > (int)r->ask.n_args)
        fail(r, "the question has more parameters (?1, ?2 ...) than there are values");
    else
        bind_args(r);
}

struct sql_run *sql_run_new(struct db *d, const struct fx_ask *ask, const struct sql_limits *limits)
{
    struct sql_run *r = alloc_zero(sizeof *r);
    r->d = d;
    r->ask = *ask;
    r->limits = *limits;
    r->ask.query = str_dupz(str_of(ask->query));
    struct str *args = alloc_array(ask->n_args + 1, sizeof *args);
    for (uint32_t i = 0; i < ask->n_args; i++)
        args[i] = str_make(str_dupz(ask->args[i]), ask->args[i].n);
    r->ask.args = args;
    buf_init(&r->line, ROW_BYTES);
    return r;
}

void sql_run_free(struct sql_run *r)
{
    if (!r)
        return;
    sqlite3_finalize(r->st);
    for (uint32_t i = 0; i < r->ask.n_args; i++)
        free((char *)r->ask.args[i].p);
    free((struct str *)r->ask.args);
    free((char *)r->ask.query);
    buf_fini(&r->line);
    free(r);
}

static void put_hex(struct jsonw *w, struct group *g, const uint8_t *p, size_t n)
{
    char *hex = arena_alloc(&g->arena, HEX_SIZE(n));
    REQUIRE(hex);
    str_hex(hex, p, n);
    jsonw_strz(w, hex);
}

static void put_blob(struct jsonw *w, struct group *g, sqlite3_stmt *st, int i)
{
    size_t n = (size_t)sqlite3_column_bytes(st, i);
    if (n > ROW_BYTES / 2)
        (void)buf_reserve(w->b,
                          ROW_BYTES + 1); /* the row is too large, and need not be written out */
    else
        put_hex(w, g, sqlite3_column_blob(st, i), n);
}

static void put_cell(struct jsonw *w, struct group *g, sqlite3_stmt *st, int i)
{
    switch (sqlite3_column_type(st, i)) {
    case SQLITE_INTEGER:
        jsonw_i64(w, sqlite3_column_int64(st, i));
        break;
    case SQLITE_FLOAT:
        jsonw_f64(w, sqlite3_column_double(st, i));
        break;
    case SQLITE_TEXT: {
        const char *p = (const char *)sqlite3_column_text(st, i);
        jsonw_str(w, str_make(p, (size_t)sqlite3_column_bytes(st, i)));
        break;
    }
    case SQLITE_BLOB:
        put_blob(w, g, st, i);
        break;
    default:
        jsonw_null(w);
    }
}

static struct str put_line(struct sql_run *r, struct group *g)
{
    struct jsonw w;
    buf_clear(&r->line);
    jsonw_init(&w, &r->line);
    jsonw_array(&w);
    for (int i = 0; i < sqlite3_column_count(r->st) && buf_ok(&r->line); i++)
        put_cell(&w, g, r->st, i);
    jsonw_end(&w);
    if (!buf_ok(&r->line)) {
        fail(r, "a row of the answer is over 512 KiB; ask for fewer columns");
        return (struct str){0};
    }
    struct str copy = arena_dup(&g->arena, buf_str(&r->line));
    REQUIRE(copy.p);
    return copy;
}

static void put_columns(struct sql_run *r, struct group *g, struct answer *a)
{
    int n = sqlite3_column_count(r->st);
    struct str *names = arena_array(&g->arena, (size_t)n + 1, sizeof *names);
    REQUIRE(names);
    for (int i = 0; i < n; i++)
        names[i] = arena_dup(&g->arena, str_of(sqlite3_column_name(r->st, i)));
    a->columns = names;
    a->n_columns = (uint32_t)n;
    r->columns_sent = true;
}

/* Another turn for a question that was broken off; false if it has to end. */
static bool begin_anew(struct sql_run *r)
{
    r->cut = r->gave_way && r->bytes;
    if (r->cut) {
        fail(r, "the farm is too busy for this question; ask for less");
    } else if (r->gave_way) {
        sqlite3_reset(r->st);
        return true;
    } else {
        fail(r, "the question took too long; ask for less");
    }
    return false;
}

/* Rows of one slice. True: there are no more. */
static bool run_rows(struct sql_run *r, struct group *g, struct answer *a)
{
    struct str *lines = arena_array(&g->arena, SLICE_ROWS, sizeof *lines);
    size_t bytes = 0;
    int rc = SQLITE_ROW;
    REQUIRE(lines);
    a->lines = lines;
    while (a->n_lines < SLICE_ROWS && bytes < SLICE_BYTES && clock_now() - r->began < SLICE_NS &&
           (rc = sqlite3_step(r->st)) == SQLITE_ROW) {
        struct str line = put_line(r, g);
        if (!line.p)
            return true;
        lines[a->n_lines++] = line;
        bytes += line.n;
    }
    r->bytes += bytes;
    if (rc == SQLITE_DONE)
        return true;
    if (rc == SQLITE_INTERRUPT)
        return !begin_anew(r);
    if (rc != SQLITE_ROW)
        fail(r, sqlite3_errmsg(r->d->sql));
    else if ((r->cut = r->bytes > r->limits.bytes))
        fail(r, "the answer is too large; ask for fewer rows (limit) or columns");
    return r->fault.text[0] != 0;
}

bool sql_run_slice(struct sql_run *r, struct group *g, uint64_t seq)
{
    struct answer *a = group_answer(g, &r->ask);
    a->seq = seq;
    r->began = clock_now();
    sqlite3_progress_handler(r->d->sql, STEPS, on_progress, r);
    if (!r->st)
        prepare(r);
    if (!r->fault.text[0] && !r->columns_sent)
        put_columns(r, g, a);
    bool last = r->fault.text[0] || run_rows(r, g, a);
    sqlite3_progress_handler(r->d->sql, 0, NULL, NULL);
    r->spent_ns += clock_now() - r->began;
    a->complete = last;
    if (r->fault.text[0]) {
        a->error = arena_dup(&g->arena, str_of(r->fault.text));
        a->error.n = str_utf8_cut(a->error, 1024);
        a->n_lines = 0;
        a->cut = r->cut;
    }
    if (last)
        sql_run_free(r);
    return last;
}
