/* Running a recording again. Called by replay_inputs_main.c.
 *
 * The core is the one that the broker has, and so are the decoder and the reader of specs; only
 * sockets, journal and clock are missing, because what they said stands in the recording. */
#include "rerun.h"

#include <inttypes.h>
#include <stdlib.h>

#include "clock.h"
#include "codec.h"
#include "envelope.h"
#include "farm.h"
#include "loading.h"
#include "tapebody.h"
#include "tapereader.h"

#define ARENA_LIMIT ((size_t)256 << 20)

struct rerun {
    const struct rerun_options *o;
    struct rerun_result *r;
    struct tapereader *tape;
    struct journal *journal;
    struct farm *farm;
    struct farm_config config;
    struct arena arena;        /* of one entry */
    struct arena config_arena; /* of the configuration's texts */
    struct effects fx;
    int64_t first, now;
    bool loaded;
};

/* ---- what it says ---- */

static void print_entry(const struct rerun *x, const struct tape_entry *e)
{
    FILE *out = x->o->print;
    union message m;
    struct arena a;
    arena_init(&a, ARENA_LIMIT);
    fprintf(out, "%" PRIu64 " %c now=%" PRId64 " kind=%u peer=%" PRIx64 " session=%" PRIx64,
            x->r->inputs, e->type, e->now, e->kind, e->peer, e->session);
    if (e->type == TAPE_MESSAGE && message_decode(&m, e->kind, e->body, &a, NULL) == ERR_OK) {
        struct buf text;
        buf_init(&text, 0);
        message_print(&text, e->kind, &m);
        fprintf(out, " %s %s", message_name(e->kind), buf_z(&text));
        buf_fini(&text);
    } else {
        fprintf(out, " bytes=%zu", e->body.n);
    }
    fputc('\n', out);
    fflush(out);
    arena_fini(&a);
}

static err_t unexpected(const struct rerun *x, struct errmsg *em, const char *what)
{
    return errmsg_set(em, ERR_CORRUPT, "%s: behind input %" PRIu64 ": %s", x->o->tape, x->r->inputs,
                      what);
}

/* Where it differs, and in what. */
static err_t differs(const struct rerun *x, struct errmsg *em, const struct tapebody_sums *then,
                     const struct tapebody_sums *now)
{
    const char *what = "its questions, files, requests or rows";
    if (then->records != now->records || then->record_sum != now->record_sum)
        what = "its journal records";
    else if (then->messages != now->messages || then->message_sum != now->message_sum)
        what = "its messages";
    return errmsg_set(
        em, ERR_FAILED,
        "%s: group %" PRIu64 ", behind input %" PRIu64 " at %.6f s, differs in %s: "
        "%u records up to %" PRIu64 " and %u messages then, %u up to %" PRIu64 " and %u now",
        x->o->tape, x->r->groups, x->r->inputs, (double)(x->now - x->first) / 1e9, what,
        then->records, then->seq, then->messages, now->records, now->seq, now->messages);
}

/* ---- the start ---- */

static err_t on_start(struct rerun *x, const struct tape_entry *e, struct errmsg *em)
{
    if (x->farm)
        return unexpected(x, em, "it begins twice");
    err_t err = tapebody_config_read(&x->config, e->body, &x->config_arena, em);
    if (err != ERR_OK)
        return errmsg_wrap(em, err, "%s", x->o->tape);
    x->farm = farm_new(&x->config);
    return ERR_OK;
}

static err_t load_copy(struct rerun *x, const struct tape_entry *e, struct errmsg *em)
{
    struct journal_config jc = {.file = x->o->db, .copy = true};
    uint32_t sum = 0;
    err_t err = journal_open(&x->journal, &jc, em);
    if (err != ERR_OK)
        return err;
    struct journal_ids ids = journal_ids(x->journal);
    if (ids.farm != x->config.farm)
        return errmsg_set(em, ERR_INVALID, "%s: it is another farm's than %s", x->o->db,
                          x->o->tape);
    /* A copy is another timeline with epochs of its own; the configuration's are used. */
    if (ids.last_seq != e->peer)
        return errmsg_set(em, ERR_INVALID,
                          "%s: it ends at record %" PRIu64 "; %s began behind record %" PRIu64,
                          x->o->db, ids.last_seq, x->o->tape, e->peer);
    err = loading_run(x->journal, x->farm, x->o->db, &sum, em);
    if (err == ERR_OK && sum != e->session)
        err = errmsg_set(em, ERR_INVALID, "%s: its rows are not those that %s began with", x->o->db,
                         x->o->tape);
    return err;
}

static err_t on_loaded(struct rerun *x, const struct tape_entry *e, struct errmsg *em)
{
    err_t err = ERR_OK;
    if (x->loaded)
        return unexpected(x, em, "it was loaded already");
    if (x->o->db)
        err = load_copy(x, e, em);
    else if (e->peer)
        err = errmsg_set(em, ERR_INVALID,
                         "%s: it began with a database of %" PRIu64
                         " records; a copy of that is needed (--db)",
                         x->o->tape, e->peer);
    if (err != ERR_OK)
        return err;
    x->loaded = true;
    farm_load_done(x->farm, e->now, e->peer, &x->fx);
    return ERR_OK;
}

/* ---- inputs ---- */

static err_t on_message(struct rerun *x, const struct tape_entry *e, struct errmsg *em)
{
    union message m;
    struct envelope env;
    struct errmsg fault;
    err_t err = message_decode(&m, e->kind, e->body, &x->arena, em);
    if (err != ERR_OK)
        return errmsg_wrap(em, ERR_FAILED, "%s: behind input %" PRIu64 ": a message that was read",
                           x->o->tape, x->r->inputs);
    struct farm_input in = {.peer = e->peer, .session = e->session, .kind = e->kind, .msg = &m};
    if (e->kind == MSG_SUBMIT) {
        if (envelope_read(m.submit.spec, &x->arena, &env, &fault) == ERR_OK)
            in.envelope = &env;
        else
            in.fault = fault.text;
    }
    farm_on_message(x->farm, e->now, &in, &x->fx);
    return ERR_OK;
}

static err_t on_bad_frame(struct rerun *x, const struct tape_entry *e, struct errmsg *em)
{
    struct str text = arena_dup(&x->arena, e->body);
    if (!e->body.n || (uint8_t)text.p[0] >= ERR_COUNT)
        return unexpected(x, em, "a frame that could not be read lacks its fault");
    farm_on_bad_frame(x->farm, e->peer, e->session, e->kind, (err_t)text.p[0], text.p + 1, &x->fx);
    return ERR_OK;
}

static err_t on_answer(struct rerun *x, const struct tape_entry *e, struct errmsg *em)
{
    struct answer a;
    err_t err = tapebody_answer_read(&a, e->body, &x->arena, em);
    if (err != ERR_OK)
        return errmsg_wrap(em, err, "%s: behind input %" PRIu64, x->o->tape, x->r->inputs);
    farm_on_answer(x->farm, e->now, &a, &x->fx);
    return ERR_OK;
}

static err_t on_group(struct rerun *x, const struct tape_entry *e, struct errmsg *em)
{
    struct tapebody_sums then, now;
    err_t err = tapebody_sums_read(&then, e->body, em);
    if (err != ERR_OK)
        return errmsg_wrap(em, err, "%s: behind input %" PRIu64, x->o->tape, x->r->inputs);
    tapebody_sums_of(&x->fx, &now);
    x->r->groups++;
    x->r->records += now.records;
    x->r->messages += now.messages;
    effects_clear(&x->fx);
    bool same = then.records == now.records && then.messages == now.messages &&
                then.record_sum == now.record_sum && then.message_sum == now.message_sum &&
                then.rest_sum == now.rest_sum;
    return same ? ERR_OK : differs(x, em, &then, &now);
}

static err_t on_input(struct rerun *x, const struct tape_entry *e, struct errmsg *em)
{
    switch (e->type) {
    case TAPE_WALL:
        farm_set_wall(x->farm, (int64_t)e->peer);
        return ERR_OK;
    case TAPE_LOADED:
        return on_loaded(x, e, em);
    case TAPE_MESSAGE:
        return on_message(x, e, em);
    case TAPE_BAD_FRAME:
        return on_bad_frame(x, e, em);
    case TAPE_COUNT:
        if (e->kind >= COUNTERS)
            return unexpected(x, em, "a counter that is not known");
        farm_count(x->farm, e->peer, (enum counter)e->kind, e->session);
        return ERR_OK;
    case TAPE_GAP:
        farm_on_gap(x->farm, e->peer, e->session, &x->fx);
        return ERR_OK;
    case TAPE_PEER_GONE:
        farm_on_peer_gone(x->farm, e->now, e->peer, &x->fx);
        return ERR_OK;
    case TAPE_PEER_BUSY:
        farm_on_peer_busy(x->farm, e->peer, e->kind);
        return ERR_OK;
    case TAPE_ANSWER:
        return on_answer(x, e, em);
    case TAPE_DEAF:
        farm_on_deaf(x->farm, (int64_t)e->peer);
        return ERR_OK;
    case TAPE_FULL:
        farm_on_full(x->farm, e->now, e->kind, &x->fx);
        return ERR_OK;
    case TAPE_FEED:
        farm_set_feed(x->farm, e->kind);
        return ERR_OK;
    case TAPE_TICK:
        (void)farm_tick(x->farm, e->now, &x->fx);
        return ERR_OK;
    case TAPE_ROWS:
        farm_flush_rows(x->farm, e->now, e->kind, &x->fx);
        return ERR_OK;
    default:
        return unexpected(x, em, "an entry of an unknown type");
    }
}

static err_t check(const struct rerun *x, struct errmsg *em)
{
    if (!x->o->check || x->r->inputs % x->o->check || !x->loaded)
        return ERR_OK;
    err_t err = farm_check(x->farm, em);
    return err == ERR_OK ? ERR_OK
                         : errmsg_wrap(em, err, "%s: behind input %" PRIu64 " at %.6f s",
                                       x->o->tape, x->r->inputs, (double)(x->now - x->first) / 1e9);
}

static void keep_time(struct rerun *x, const struct tape_entry *e)
{
    if (!e->now)
        return;
    x->first = x->first ? x->first : e->now;
    x->now = e->now;
    x->r->ns = x->now - x->first;
}

static err_t on_entry(struct rerun *x, const struct tape_entry *e, struct errmsg *em)
{
    if (e->type == TAPE_END) {
        x->r->ended = true;
        x->r->how = e->kind;
        return ERR_OK;
    }
    if (e->type == TAPE_START)
        return on_start(x, e, em);
    if (!x->farm || (!x->loaded && e->type != TAPE_WALL && e->type != TAPE_LOADED))
        return unexpected(x, em, "its beginning is missing");
    if (e->type == TAPE_GROUP)
        return on_group(x, e, em);
    x->r->inputs++;
    keep_time(x, e);
    arena_clear(&x->arena);
    err_t err = on_input(x, e, em);
    return err == ERR_OK ? check(x, em) : err;
}

err_t rerun_tape(const struct rerun_options *o, struct rerun_result *out, struct errmsg *em)
{
    struct rerun x = {.o = o, .r = out};
    struct tape_entry e;
    bool more = true;
    *out = (struct rerun_result){0};
    arena_init(&x.arena, ARENA_LIMIT);
    arena_init(&x.config_arena, 0);
    effects_init(&x.fx);
    err_t err = tapereader_open(&x.tape, o->tape, em);
    while (err == ERR_OK) {
        err = tapereader_next(x.tape, &e, &more, em);
        if (err != ERR_OK || !more)
            break;
        if (o->print)
            print_entry(&x, &e);
        err = on_entry(&x, &e, em);
    }
    out->unended = !effects_empty(&x.fx);
    tapereader_close(x.tape);
    journal_close(x.journal);
    farm_free(x.farm);
    effects_fini(&x.fx);
    arena_fini(&x.config_arena);
    arena_fini(&x.arena);
    return err;
}
