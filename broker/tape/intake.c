/* Inputs to the core, past the recording. Called by broker.c only. What the core is told is written
 * first, so that an input that ends the process is in the file. */
#include "intake.h"

#include <stdlib.h>

#include "alloc.h"
#include "log.h"
#include "tapebody.h"

struct intake {
    struct farm *farm;
    struct tape *tape; /* NULL: nothing is recorded, or no more */
    struct buf body;
    bool full; /* as the core was told last */
};

/* An ended recording is told once and forgotten. */
static void add(struct intake *i, const struct tape_entry *e, bool may_wait)
{
    tape_add(i->tape, e, may_wait);
    const char *why = tape_ended(i->tape);
    if (!why)
        return;
    LOG_W("RECORDING-ENDED", "bytes=%llu why=\"%s\"", (unsigned long long)tape_bytes(i->tape), why);
    tape_close(i->tape);
    i->tape = NULL;
}

static void record(struct intake *i, struct tape_entry e)
{
    if (i->tape)
        add(i, &e, false);
}

/* The body that was gathered, emptied for the next. One that was refused is too large for the tape
 * too, which says so. */
static void record_body(struct intake *i, struct tape_entry e)
{
    e.body = buf_str(&i->body);
    if (!buf_ok(&i->body))
        e.body.n = TAPE_BODY + 1;
    add(i, &e, e.type == TAPE_GROUP);
    buf_clear(&i->body);
}

struct intake *intake_new(struct farm *f, const struct farm_config *c, struct tape *tape)
{
    struct intake *i = alloc_zero(sizeof *i);
    i->farm = f;
    i->tape = tape;
    buf_init(&i->body, TAPE_BODY + 1);
    if (tape) {
        tapebody_config_write(&i->body, c);
        record_body(i, (struct tape_entry){.type = TAPE_START});
    }
    return i;
}

void intake_free(struct intake *i)
{
    if (!i)
        return;
    tape_close(i->tape);
    buf_fini(&i->body);
    free(i);
}

void intake_set_wall(struct intake *i, int64_t offset_ms)
{
    record(i, (struct tape_entry){.type = TAPE_WALL, .peer = (uint64_t)offset_ms});
    farm_set_wall(i->farm, offset_ms);
}

void intake_load_done(struct intake *i, int64_t now, uint64_t last_seq, uint32_t sum,
                      struct effects *fx)
{
    record(i,
           (struct tape_entry){.type = TAPE_LOADED, .now = now, .peer = last_seq, .session = sum});
    farm_load_done(i->farm, now, last_seq, fx);
}

void intake_message(struct intake *i, int64_t now, const struct farm_input *in, struct str body,
                    struct effects *fx)
{
    record(i, (struct tape_entry){.type = TAPE_MESSAGE,
                                  .kind = in->kind,
                                  .now = now,
                                  .peer = in->peer,
                                  .session = in->session,
                                  .body = body});
    farm_on_message(i->farm, now, in, fx);
}

void intake_bad_frame(struct intake *i, uint64_t peer, uint64_t session, unsigned kind, err_t e,
                      const char *text, struct effects *fx)
{
    if (i->tape) {
        buf_addc(&i->body, (char)e);
        buf_addz(&i->body, text);
        record_body(i, (struct tape_entry){.type = TAPE_BAD_FRAME,
                                           .kind = (uint8_t)kind,
                                           .peer = peer,
                                           .session = session});
    }
    farm_on_bad_frame(i->farm, peer, session, kind, e, text, fx);
}

void intake_count(struct intake *i, uint64_t peer, enum counter c, uint64_t n)
{
    record(i,
           (struct tape_entry){.type = TAPE_COUNT, .kind = (uint8_t)c, .peer = peer, .session = n});
    farm_count(i->farm, peer, c, n);
}

void intake_gap(struct intake *i, uint64_t peer, uint64_t session, struct effects *fx)
{
    record(i, (struct tape_entry){.type = TAPE_GAP, .peer = peer, .session = session});
    farm_on_gap(i->farm, peer, session, fx);
}

void intake_peer_gone(struct intake *i, int64_t now, uint64_t peer, struct effects *fx)
{
    record(i, (struct tape_entry){.type = TAPE_PEER_GONE, .now = now, .peer = peer});
    farm_on_peer_gone(i->farm, now, peer, fx);
}

void intake_peer_busy(struct intake *i, uint64_t peer, bool busy)
{
    record(i, (struct tape_entry){.type = TAPE_PEER_BUSY, .peer = peer, .kind = busy});
    farm_on_peer_busy(i->farm, peer, busy);
}

void intake_answer(struct intake *i, int64_t now, const struct answer *a, struct effects *fx)
{
    if (i->tape) {
        tapebody_answer_write(&i->body, a);
        record_body(i, (struct tape_entry){.type = TAPE_ANSWER, .now = now});
    }
    farm_on_answer(i->farm, now, a, fx);
}

void intake_deaf(struct intake *i, int64_t ns)
{
    record(i, (struct tape_entry){.type = TAPE_DEAF, .peer = (uint64_t)ns});
    farm_on_deaf(i->farm, ns);
}

void intake_full(struct intake *i, int64_t now, bool full, struct effects *fx)
{
    if (full == i->full)
        return;
    i->full = full;
    record(i, (struct tape_entry){.type = TAPE_FULL, .kind = full, .now = now});
    farm_on_full(i->farm, now, full, fx);
}

void intake_set_feed(struct intake *i, bool wanted)
{
    record(i, (struct tape_entry){.type = TAPE_FEED, .kind = wanted});
    farm_set_feed(i->farm, wanted);
}

int64_t intake_tick(struct intake *i, int64_t now, struct effects *fx)
{
    record(i, (struct tape_entry){.type = TAPE_TICK, .now = now});
    return farm_tick(i->farm, now, fx);
}

void intake_flush_rows(struct intake *i, int64_t now, bool all, struct effects *fx)
{
    record(i, (struct tape_entry){.type = TAPE_ROWS, .kind = all, .now = now});
    farm_flush_rows(i->farm, now, all, fx);
}

void intake_group(struct intake *i, const struct effects *fx)
{
    struct tapebody_sums sums;
    if (!i->tape)
        return;
    tapebody_sums_of(fx, &sums);
    tapebody_sums_write(&i->body, &sums);
    record_body(i, (struct tape_entry){.type = TAPE_GROUP});
}
