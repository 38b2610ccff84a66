/* Folds a study's records into what the live view and the quiet lines show. Only open trials are
 * kept; of finished ones a count and the curve of the best loss remain, thinned by halves, so that
 * a study of a million trials costs no more than its running ones.
 *
 * Called by follow.c. Reads no clock and prints nothing. It does not check the order of states:
 * that is the broker's work; a record of an unknown trial starts to count it. */
#include "progress.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"

void progress_init(struct progress *p, const char *study, bool maximize, uint64_t goal)
{
    *p = (struct progress){.maximize = maximize, .goal = goal, .stride = 1};
    str_copyz(p->study, sizeof p->study, str_of(study));
    str_copyz(p->metric, sizeof p->metric, STR("loss"));
    idmap_init(&p->open);
}

void progress_metric(struct progress *p, struct str metric)
{
    str_copyz(p->metric, sizeof p->metric, metric);
}

static void trial_free(struct progress_trial *t)
{
    free(t->params);
    free(t);
}

void progress_fini(struct progress *p)
{
    size_t pos = 0;
    for (struct progress_trial *t; (t = idmap_next(&p->open, &pos)) != NULL;)
        trial_free(t);
    idmap_fini(&p->open);
    free(p->best_params);
    free(p->last_error);
}

void progress_news_fini(struct progress_news *news)
{
    free(news->params);
    news->params = NULL;
}

bool progress_better(const struct progress *p, double a, double b)
{
    return p->maximize ? a > b : a < b;
}

static void set_text(char **slot, struct str s)
{
    free(*slot);
    *slot = s.n ? str_dupz(s) : NULL;
}

static struct progress_trial *trial_of(struct progress *p, uint64_t number)
{
    struct progress_trial *t = idmap_get(&p->open, number + 1);
    if (t)
        return t;
    t = alloc_zero(sizeof *t);
    t->number = number;
    t->state = TRIAL_QUEUED;
    p->counts[TRIAL_QUEUED]++;
    idmap_put(&p->open, number + 1, t);
    return t;
}

static void move(struct progress *p, struct progress_trial *t, uint8_t state)
{
    p->counts[t->state]--;
    t->state = state;
    p->counts[t->state]++;
}

/* Halves the curve when it is full: every second point stays, a point then stands for twice as many
 * trials. */
static void curve_add(struct progress *p)
{
    if (p->finished % p->stride != 0)
        return;
    if (p->curve_n == PROGRESS_CURVE) {
        for (size_t i = 0; i < PROGRESS_CURVE / 2; i++)
            p->curve[i] = p->curve[2 * i + 1];
        p->curve_n = PROGRESS_CURVE / 2;
        p->stride *= 2;
        if (p->finished % p->stride != 0)
            return;
    }
    p->curve[p->curve_n++] = p->has_best ? p->best_loss : NAN;
}

static void on_attempt(struct progress_trial *t, const struct record *r)
{
    t->attempt = r->attempt;
    t->started_ms = r->wall_ms;
    t->has_step = t->has_loss = false;
}

static unsigned on_reported(struct progress_trial *t, const struct record *r)
{
    t->has_step = true;
    t->step = r->step;
    if (r->has_value) {
        t->has_loss = true;
        t->loss = r->value;
    }
    return PROGRESS_REPORTED;
}

static unsigned on_closed(struct progress *p, struct progress_trial *t, const struct record *r)
{
    bool paused = t->state == TRIAL_STOPPING && t->pausing;
    move(p, t, paused ? TRIAL_PAUSED : r->number ? TRIAL_DELAYED : TRIAL_QUEUED);
    if (r->code != CLOSE_CRASH)
        return PROGRESS_NOTHING;
    set_text(&p->last_error, r->note);
    p->last_error_trial = r->trial;
    return PROGRESS_RETRIED;
}

static unsigned on_complete(struct progress *p, const struct progress_trial *t,
                            const struct record *r)
{
    p->failures = 0;
    if (!r->has_value || !isfinite(r->value) ||
        (p->has_best && !progress_better(p, r->value, p->best_loss)))
        return PROGRESS_NOTHING;
    p->has_best = true;
    p->best_trial = t->number;
    p->best_loss = r->value;
    set_text(&p->best_params, str_of(t->params));
    return PROGRESS_IMPROVED;
}

static unsigned on_finished(struct progress *p, struct progress_trial *t, const struct record *r,
                            struct progress_news *news)
{
    uint8_t state = trial_state_final(r->code) ? r->code : TRIAL_FAILED;
    unsigned change = PROGRESS_FINISHED;
    move(p, t, state);
    if (state == TRIAL_COMPLETE)
        change |= on_complete(p, t, r);
    if (state == TRIAL_FAILED) {
        set_text(&p->last_error, r->note);
        p->last_error_trial = r->trial;
        p->failures += p->counts[TRIAL_COMPLETE] == p->mark_complete;
    }
    p->finished++;
    curve_add(p);
    news->params = t->params;
    t->params = NULL;
    idmap_remove(&p->open, t->number + 1);
    trial_free(t);
    return change;
}

static unsigned on_trial_record(struct progress *p, const struct record *r,
                                struct progress_news *news)
{
    struct progress_trial *t = trial_of(p, r->trial);
    news->attempt = r->attempt ? r->attempt : t->attempt;
    switch (r->kind) {
    case REC_PROPOSED:
    case REC_ENQUEUED:
        set_text(&t->params, r->text);
        return PROGRESS_NOTHING;
    case REC_GRANTED:
        move(p, t, TRIAL_LEASED);
        on_attempt(t, r);
        return PROGRESS_NOTHING;
    case REC_STARTED:
        move(p, t, TRIAL_RUNNING);
        on_attempt(t, r);
        news->params = t->params ? str_dupz(str_of(t->params)) : NULL;
        return PROGRESS_STARTED;
    case REC_REPORTED:
        return on_reported(t, r);
    case REC_STOPPING:
        move(p, t, TRIAL_STOPPING);
        t->pausing = r->code == STOP_PAUSE;
        return PROGRESS_NOTHING;
    case REC_CLOSED:
        return on_closed(p, t, r);
    case REC_QUEUED:
        move(p, t, TRIAL_QUEUED);
        return PROGRESS_NOTHING;
    case REC_PAUSED:
        move(p, t, TRIAL_PAUSED);
        return PROGRESS_NOTHING;
    case REC_FINISHED:
        news->state = trial_state_final(r->code) ? r->code : TRIAL_FAILED;
        return on_finished(p, t, r, news);
    default:
        return PROGRESS_NOTHING;
    }
}

static unsigned on_study_record(struct progress *p, const struct record *r)
{
    switch (r->kind) {
    case REC_STUDY_CLOSED:
        str_copyz(p->closed, sizeof p->closed, r->note.n ? r->note : STR("closed"));
        return PROGRESS_CLOSED;
    case REC_STUDY_ENDED:
        p->ended = true;
        p->paused = false;
        return PROGRESS_ENDED;
    case REC_STUDY_OPENED:
        p->closed[0] = 0;
        p->ended = false;
        return PROGRESS_NOTHING;
    case REC_STUDY_PAUSED:
        p->paused = true;
        return PROGRESS_PAUSED;
    case REC_STUDY_RESUMED:
        p->paused = false;
        return PROGRESS_RESUMED;
    default:
        return PROGRESS_NOTHING;
    }
}

struct progress_news progress_on_record(struct progress *p, const struct record *r)
{
    struct progress_news news = {
        .trial = r->trial, .has_loss = r->has_value, .loss = r->value, .error = r->note};
    if (r->wall_ms > p->last_ms)
        p->last_ms = r->wall_ms;
    if (r->kind >= REC_PROPOSED && r->kind <= REC_PAUSED)
        news.change = on_trial_record(p, r, &news);
    else
        news.change = on_study_record(p, r);
    return news;
}

void progress_mark(struct progress *p, int64_t wall_ms)
{
    p->finished_before = p->finished;
    p->mark_complete = p->counts[TRIAL_COMPLETE];
    p->mark_ms = wall_ms;
    p->failures = 0;
}

double progress_left(const struct progress *p, int64_t wall_ms)
{
    uint64_t done = p->finished - p->finished_before;
    if (p->goal == 0 || done == 0 || wall_ms <= p->mark_ms)
        return -1;
    if (p->finished >= p->goal)
        return 0;
    return (double)(p->goal - p->finished) * (double)(wall_ms - p->mark_ms) / 1000 / (double)done;
}

uint64_t progress_open(const struct progress *p)
{
    return p->counts[TRIAL_LEASED] + p->counts[TRIAL_RUNNING] + p->counts[TRIAL_STOPPING];
}

void progress_given_back(struct progress *p)
{
    static const enum trial_state held[] = {TRIAL_LEASED, TRIAL_RUNNING, TRIAL_STOPPING};
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
        p->counts[TRIAL_QUEUED] += p->counts[held[i]];
        p->counts[held[i]] = 0;
    }
}
