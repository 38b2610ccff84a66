/* What the broker knows of itself, for people who look for a fault. Each table is a question of its
 * own, and its answer looks like that of a question in SQL. Judging what is told is for who asked.
 *
 * The tables `machine` and `check` are about the database and this process, so the store answers
 * them. Called by farm.c. */
#include "inspect.h"

#include "json.h"
#include "on_client.h"
#include "remote.h"
#include "stream.h"
#include "study.h"
#include "tally.h"

#define ROWS_AT_ONCE  512u
#define BYTES_AT_ONCE (512u << 10)
#define MOST_COLUMNS  32u

/* An answer being made. */
struct rows {
    const struct act *a;
    const struct session *s;
    struct id128 request;
    struct str columns[MOST_COLUMNS];
    uint32_t n_columns;
    struct buf text;
    size_t ends[ROWS_AT_ONCE];
    uint32_t n;
    struct jsonw row;
};

static void rows_begin(struct rows *r, const struct act *a, const struct session *s,
                       struct id128 request, const char *columns)
{
    *r = (struct rows){.a = a, .s = s, .request = request};
    for (const char *p = columns; *p && r->n_columns < MOST_COLUMNS;) {
        size_t n = strcspn(p, " ");
        r->columns[r->n_columns++] = str_make(p, n);
        p += n + (p[n] != 0);
    }
}

static void rows_send(struct rows *r, bool more)
{
    struct str lines[ROWS_AT_ONCE];
    struct msg_rows m = {.request = r->request, .more = more, .seq = r->a->f->seq};
    for (uint32_t i = 0; i < r->n; i++) {
        size_t from = i ? r->ends[i - 1] : 0;
        lines[i] = str_make(r->text.p + from, r->ends[i] - from);
    }
    m.columns.v = r->columns;
    m.columns.n = r->n_columns;
    m.rows.v = lines;
    m.rows.n = r->n;
    effects_send(r->a->fx, r->s->peer, r->s->number, MSG_ROWS, &m);
    buf_clear(&r->text);
    r->n = 0;
}

static struct jsonw *row_begin(struct rows *r)
{
    if (r->n == ROWS_AT_ONCE || r->text.n >= BYTES_AT_ONCE)
        rows_send(r, true);
    jsonw_init(&r->row, &r->text);
    jsonw_array(&r->row);
    return &r->row;
}

static void row_end(struct rows *r)
{
    jsonw_end(&r->row);
    r->ends[r->n++] = r->text.n;
}

static void rows_end(struct rows *r)
{
    rows_send(r, false);
    buf_fini(&r->text);
}

static void put_id(struct jsonw *w, struct id128 id)
{
    char hex[HEX_SIZE(16)];
    str_hex(hex, id.b, sizeof id.b);
    jsonw_strz(w, hex);
}

/* ---- counters ---- */

static void put_counters(struct rows *r, const char *role, const struct session *s,
                         const struct counters *v)
{
    for (unsigned c = 0; c < COUNTERS; c++) {
        if (!v->v[c])
            continue;
        struct jsonw *w = row_begin(r);
        jsonw_strz(w, role);
        if (s) {
            jsonw_strz(w, s->name);
            put_id(w, s->id);
        } else {
            jsonw_null(w);
            jsonw_null(w);
        }
        jsonw_strz(w, counter_name(c));
        jsonw_u64(w, v->v[c]);
        row_end(r);
    }
}

/* The sums of each role first, then every peer that is here now. */
static void tell_counters(struct rows *r)
{
    const struct farm *f = r->a->f;
    put_counters(r, "none", NULL, &f->totals[0]);
    for (unsigned role = ROLE_WORKER; role <= ROLE_CLIENT; role++)
        put_counters(r, role_name(role), NULL, &f->totals[role]);
    size_t pos = 0;
    for (const struct session *s; (s = idmap_next(&f->sessions, &pos));) {
        if (s->tally)
            put_counters(r, role_name(s->role), s, s->tally);
    }
}

/* ---- peers ---- */

static void tell_peers(struct rows *r)
{
    const struct farm *f = r->a->f;
    size_t pos = 0;
    for (const struct session *s; (s = idmap_next(&f->sessions, &pos));) {
        const struct worker *k = s->worker;
        struct jsonw *w = row_begin(r);
        jsonw_strz(w, role_name(s->role));
        jsonw_strz(w, s->name);
        jsonw_strz(w, s->host);
        put_id(w, s->id);
        jsonw_strz(w, s->version);
        jsonw_i64(w, (r->a->now - s->heard) / NS_PER_MS);
        if (s->has_clock)
            jsonw_i64(w, s->clock_ms);
        else
            jsonw_null(w);
        jsonw_u64(w, k ? k->slots : 0);
        jsonw_u64(w, k ? k->n_held : 0);
        jsonw_u64(w, k ? k->draining : 0);
        row_end(r);
    }
}

/* ---- studies ---- */

struct fitting {
    uint64_t workers, able, free; /* connected; that could run it; that could now */
};

static struct fitting fitting_of(const struct farm *f, const struct study *s)
{
    struct fitting n = {0};
    size_t pos = 0;
    for (const struct worker *w; (w = idmap_next(&f->workers, &pos));) {
        n.workers++;
        n.able += remote_able(w, &s->env);
        n.free += remote_fits(w, &s->env, 0);
    }
    return n;
}

static void word(struct buf *b, bool is, const char *text)
{
    if (is)
        buf_printf(b, "%s%s", b->n ? " " : "", text);
}

/* Why nothing (more) of the study runs. */
static void waits_for(const struct farm *f, const struct study *s, const struct fitting *n,
                      int64_t now, struct buf *b)
{
    bool asked = s->want != s->answered && now - s->want_at >= WANT_PATIENCE;
    word(b, s->paused, "paused");
    word(b, f->full, "disk_full");
    word(b, !n->workers, "no_worker");
    word(b, n->workers && !n->able, "no_fit");
    word(b, n->able && !n->free, "busy");
    word(b, s->env.parallel && study_running(s) >= s->env.parallel, "parallel");
    word(b, s->state == STUDY_OPEN && !s->optimizer && !s->broken, "no_optimizer");
    word(b, s->state == STUDY_OPEN && !s->optimizer && s->broken, "broken_optimizer");
    word(b, asked, "proposals");
}

static void put_needs(struct jsonw *w, const struct envelope *e)
{
    jsonw_f64(w, e->cpu);
    jsonw_u64(w, e->gpu);
    jsonw_u64(w, e->memory);
    struct buf labels = {0};
    for (uint32_t i = 0; i < e->n_labels; i++)
        buf_printf(&labels, "%s" STR_FMT, i ? " " : "", STR_ARG(e->labels[i]));
    jsonw_str(w, buf_str(&labels));
    buf_fini(&labels);
}

static void put_study(struct rows *r, const struct study *s)
{
    const struct farm *f = r->a->f;
    struct fitting n = fitting_of(f, s);
    struct buf waits = {0};
    waits_for(f, s, &n, r->a->now, &waits);
    struct jsonw *w = row_begin(r);
    jsonw_strz(w, s->name);
    jsonw_strz(w, study_shown_state(s));
    if (s->optimizer)
        jsonw_strz(w, s->optimizer->name);
    else
        jsonw_null(w);
    jsonw_u64(w, s->count[TRIAL_QUEUED]);
    jsonw_u64(w, study_running(s));
    put_needs(w, &s->env);
    jsonw_u64(w, n.workers);
    jsonw_u64(w, n.able);
    jsonw_str(w, buf_str(&waits));
    row_end(r);
    buf_fini(&waits);
}

/* Those that want something still. */
static void tell_studies(struct rows *r)
{
    const struct farm *f = r->a->f;
    for (size_t i = 0; i < f->n_studies; i++) {
        if (f->studies[i]->state != STUDY_ENDED)
            put_study(r, f->studies[i]);
    }
}

/* ---- broker ---- */

static void tell_broker(struct rows *r)
{
    const struct farm *f = r->a->f;
    struct farm_counts n = farm_counts(f);
    struct jsonw *w = row_begin(r);
    jsonw_strz(w, f->version);
    jsonw_u64(w, f->c.epoch);
    jsonw_u64(w, f->seq);
    jsonw_i64(w, (r->a->now - f->loaded_at) / NS_PER_MS);
    jsonw_i64(w, farm_wall(f, r->a->now));
    jsonw_u64(w, f->clock_jumps);
    jsonw_i64(w, f->clock_jump_ms);
    jsonw_u64(w, f->full);
    jsonw_u64(w, f->sessions.n);
    jsonw_u64(w, f->c.max_sessions);
    jsonw_u64(w, n.workers);
    jsonw_u64(w, n.optimizers);
    jsonw_u64(w, n.studies);
    jsonw_u64(w, n.trials);
    jsonw_i64(w, f->c.beat_ns / NS_PER_MS);
    jsonw_i64(w, f->c.lease_ns / NS_PER_MS);
    jsonw_strz(w, f->feed);
    row_end(r);
}

static const struct table {
    const char *name, *columns;
    void (*tell)(struct rows *r);
} tables[] = {
    {"counters", "role name id counter n", tell_counters},
    {"peers", "role name host id version silent_ms clock_ms slots running draining", tell_peers},
    {"studies", "study state optimizer queued running cpu gpu memory labels workers able waits",
     tell_studies},
    {"broker",
     "version epoch seq uptime_ms wall_ms clock_jumps clock_jump_ms full sessions max_sessions "
     "workers optimizers studies trials beat_ms lease_ms feed",
     tell_broker},
};

/* What is about the database and the process. The rows are brought up to date before the look. */
static void ask_store(const struct act *a, struct session *s, const struct msg_inspect *q)
{
    bool check = str_is(q->what, "check");
    if (check && a->f->checking) {
        tally(a->f, s, COUNT_TOO_MUCH_AT_ONCE, 1);
        on_client_rows_error(a, s, q->request, "another check is under way; ask again later");
        return;
    }
    a->f->checking |= check;
    farm_flush_rows(a->f, a->now, true, a->fx);
    struct pending p = {.kind = check ? PENDING_CHECK : PENDING_MACHINE,
                        .session = s->number,
                        .request = q->request};
    effects_ask(a->fx, check ? ASK_CHECK : ASK_MACHINE, pending_add(a->f, p));
}

void inspect_on_ask(const struct act *a, struct session *s, const union message *m)
{
    const struct msg_inspect *q = &m->inspect;
    struct rows r;
    if (str_is(q->what, "machine") || str_is(q->what, "check")) {
        ask_store(a, s, q);
        return;
    }
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (!str_is(q->what, tables[i].name))
            continue;
        rows_begin(&r, a, s, q->request, tables[i].columns);
        tables[i].tell(&r);
        rows_end(&r);
        return;
    }
    tally(a->f, s, COUNT_INVALID_VALUE, 1);
    on_client_rows_error(
        a, s, q->request,
        "INSPECT: counters, peers, studies, broker, machine or check was expected");
}
