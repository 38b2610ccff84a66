/* The library's loop: a study is defined, asked, told.
 *
 * Called by users' programs, so nothing is believed: handles and arguments are checked, and what
 * the books (tuner/solo.c) refuse becomes a status and a sentence. Whatever succeeds is put on the
 * trail, from which a saved study is put together again. */
#include "tunefarm.h"

#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "handle.h"
#include "json.h"
#include "yaml.h"

#define MAX_SECONDS 9e9 /* 285 years, near the end of int64_t in nanoseconds */

const char *tunefarm_version(void)
{
    return TUNEFARM_VERSION;
}

const char *tunefarm_status_name(int32_t status)
{
    static const struct {
        int32_t status;
        char name[16];
    } names[] = {
        {TUNEFARM_OK, "OK"},
        {TUNEFARM_NONE, "NONE"},
        {TUNEFARM_WAIT, "WAIT"},
        {TUNEFARM_END, "END"},
        {TUNEFARM_STOP, "STOP"},
        {TUNEFARM_INVALID, "INVALID"},
        {TUNEFARM_NOT_FOUND, "NOT_FOUND"},
        {TUNEFARM_EXISTS, "EXISTS"},
        {TUNEFARM_LIMIT, "LIMIT"},
        {TUNEFARM_IO, "IO"},
        {TUNEFARM_CORRUPT, "CORRUPT"},
        {TUNEFARM_UNKNOWN_VERSION, "UNKNOWN_VERSION"},
        {TUNEFARM_ERROR, "ERROR"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].status == status)
            return names[i].name;
    return "?";
}

struct tunefarm_study *tunefarm_study_new(void)
{
    struct tunefarm_study *s = alloc_zero(sizeof *s);
    buf_init(&s->json, 0);
    buf_init(&s->text, 0);
    buf_init(&s->image, 0);
    return s;
}

void tunefarm_study_free(struct tunefarm_study *s)
{
    if (!s)
        return;
    handle_close(s);
    buf_fini(&s->text);
    buf_fini(&s->image);
    free(s);
}

const char *tunefarm_study_error(const struct tunefarm_study *s)
{
    return s ? s->em.text : "the handle is NULL";
}

/* A farm needs a name for each study; a program that has one study in its hands does not. */
static void add_name(struct buf *json)
{
    struct json_object *v = NULL;
    if (json_parse(buf_str(json), JSON_STRICT, &v, NULL) == ERR_OK &&
        json_object_is_type(v, json_type_object) && !json_object_object_get_ex(v, "study", NULL)) {
        struct buf named;
        buf_init(&named, 0);
        buf_addz(&named, "{\"study\":\"study\"");
        buf_addz(&named, json_object_object_length(v) > 0 ? "," : "");
        buf_add(&named, json->p + 1, json->n - 1);
        buf_fini(json);
        *json = named;
    }
    json_object_put(v);
}

int32_t tunefarm_study_define(struct tunefarm_study *s, const char *text)
{
    struct buf json;
    struct yaml_map *map = NULL;
    int32_t status = handle_check_empty(s);
    if (!status)
        status = handle_check_argument(s, text, "text");
    if (status)
        return status;
    buf_init(&json, 0);
    err_t e = yaml_to_json(str_of(text), "study", &json, &map, &s->em);
    if (!e) {
        add_name(&json);
        e = handle_open(s, buf_str(&json));
        if (e)
            yaml_locate(map, &s->em);
    }
    yaml_map_free(map);
    buf_fini(&json);
    return handle_status(e);
}

/* Puts the event of a trial that was just handed out on the trail. */
static void note_trial(struct tunefarm_study *s, const struct solo_trial *t)
{
    struct event e = {.kind = t->proposed ? EVENT_PROPOSED : EVENT_TAKEN, .why = t->why};
    if (t->proposed)
        memcpy(s->point, history_point(handle_history(s), t->number),
               s->spec->space->n * sizeof *s->point);
    e.point = s->point;
    trail_add(&s->trail, &e);
}

/* That the space is exhausted is known from asking alone, so it goes on the trail: once. */
static int32_t end(struct tunefarm_study *s)
{
    bool stop_running;
    if (!tuner_rule(solo_tuner(s->solo), &stop_running) && !s->exhausted) {
        s->exhausted = true;
        trail_add(&s->trail, &(struct event){.kind = EVENT_EXHAUSTED});
    }
    return TUNEFARM_END;
}

int32_t tunefarm_study_ask(struct tunefarm_study *s, int64_t *trial)
{
    enum solo_answer answer;
    struct solo_trial t;
    int32_t status = handle_check_room(s);
    if (!status)
        status = handle_check_argument(s, trial, "trial");
    if (!status)
        status = handle_status(solo_ask(s->solo, &answer, &t, &s->em));
    if (status)
        return status;
    if (answer == SOLO_WAIT)
        return TUNEFARM_WAIT;
    if (answer == SOLO_END)
        return end(s);
    note_trial(s, &t);
    *trial = (int64_t)t.number;
    return TUNEFARM_OK;
}

int32_t tunefarm_study_report(struct tunefarm_study *s, int64_t trial, int64_t step, double loss)
{
    int32_t status = handle_check_room(s);
    if (!status)
        status = handle_check_trial(s, trial);
    if (!status)
        status = handle_status(solo_report(s->solo, (uint64_t)trial, step, loss, &s->em));
    if (status)
        return status;
    struct event e = {.kind = EVENT_REPORTED, .trial = (uint64_t)trial, .step = step, .loss = loss};
    trail_add(&s->trail, &e);
    return TUNEFARM_OK;
}

static int32_t finish(struct tunefarm_study *s, int64_t trial, enum trial_state state, double loss)
{
    int32_t status = handle_check_room(s);
    if (!status)
        status = handle_check_trial(s, trial);
    if (!status)
        status = handle_status(solo_finish(s->solo, (uint64_t)trial, state, loss, &s->em));
    if (status)
        return status;
    struct event e = {
        .kind = EVENT_FINISHED, .trial = (uint64_t)trial, .state = (uint8_t)state, .loss = loss};
    trail_add(&s->trail, &e);
    return TUNEFARM_OK;
}

int32_t tunefarm_study_tell(struct tunefarm_study *s, int64_t trial, double loss)
{
    return finish(s, trial, TRIAL_COMPLETE, loss);
}

int32_t tunefarm_study_tell_pruned(struct tunefarm_study *s, int64_t trial)
{
    return finish(s, trial, TRIAL_PRUNED, (double)NAN);
}

int32_t tunefarm_study_tell_failed(struct tunefarm_study *s, int64_t trial)
{
    return finish(s, trial, TRIAL_FAILED, (double)NAN);
}

int32_t tunefarm_study_cancel(struct tunefarm_study *s, int64_t trial)
{
    return finish(s, trial, TRIAL_CANCELLED, (double)NAN);
}

/* Reads a known point into s->point, and into text as it is written here. */
static int32_t read_point(struct tunefarm_study *s, const char *params, struct buf *text)
{
    struct json_object *v = NULL;
    int32_t status = handle_check_room(s);
    if (!status)
        status = handle_check_argument(s, params, "params");
    if (status)
        return status;
    err_t e = json_parse(str_of(params), JSON_STRICT, &v, &s->em);
    if (!e && !json_object_is_type(v, json_type_object))
        e = errmsg_set(&s->em, ERR_INVALID, "params: expected an object such as {\"lr\": 0.1}");
    if (!e)
        e = space_read(s->spec->space, v, s->point, &s->em);
    if (!e)
        space_write(s->spec->space, s->point, text);
    json_object_put(v);
    return handle_status(e);
}

int32_t tunefarm_study_enqueue(struct tunefarm_study *s, const char *params)
{
    struct buf text;
    buf_init(&text, 0);
    int32_t status = read_point(s, params, &text);
    if (!status)
        status = handle_status(solo_enqueue(s->solo, buf_str(&text), &s->em));
    if (!status)
        trail_add(&s->trail, &(struct event){.kind = EVENT_ENQUEUED, .point = s->point});
    buf_fini(&text);
    return status;
}

int32_t tunefarm_study_add(struct tunefarm_study *s, const char *params, double loss,
                           int64_t *trial)
{
    struct buf text;
    uint64_t number = 0;
    buf_init(&text, 0);
    int32_t status = read_point(s, params, &text);
    if (!status && isnan(loss))
        status = handle_status(errmsg_set(&s->em, ERR_INVALID, "loss: NaN is no loss"));
    if (!status)
        status = handle_status(solo_add(s->solo, buf_str(&text), &number, &s->em));
    buf_fini(&text);
    if (status)
        return status;
    trail_add(&s->trail, &(struct event){.kind = EVENT_ADDED, .point = s->point});
    if (trial)
        *trial = (int64_t)number;
    return finish(s, (int64_t)number, TRIAL_COMPLETE, loss);
}

int32_t tunefarm_study_elapsed(struct tunefarm_study *s, double seconds)
{
    int32_t status = handle_check(s);
    if (status)
        return status;
    if (!(seconds >= 0 && seconds <= MAX_SECONDS))
        return handle_status(
            errmsg_set(&s->em, ERR_INVALID, "seconds: expected a number from 0 to 9e9"));
    s->elapsed_ns = (int64_t)(seconds * 1e9);
    solo_elapsed(s->solo, s->elapsed_ns);
    return TUNEFARM_OK;
}

const char *tunefarm_study_ended(const struct tunefarm_study *s)
{
    bool stop_running;
    return s && s->spec ? tuner_verdict(solo_tuner(s->solo), &stop_running) : NULL;
}
