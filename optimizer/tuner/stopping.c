/* When a study has had enough: number of trials, target, plateau, time.
 *
 * Fed by tuner.c with what it has checked already. Losses are in the direction of minimisation; the
 * target is the one figure of the user's that is turned here. */
#include "stopping.h"

#include <math.h>

void stopping_init(struct stopping *s, const struct stop_rules *rules, bool maximize)
{
    *s = (struct stopping){.rules = rules, .maximize = maximize, .mark = (double)NAN};
}

void stopping_on_finished(struct stopping *s, bool complete, double loss)
{
    s->unimproved++;
    if (!complete)
        return;
    if (isnan(s->mark) || loss < s->mark - s->rules->plateau_delta) {
        s->mark = loss;
        s->unimproved = 0;
    }
    double target = s->maximize ? -s->rules->target : s->rules->target;
    if (s->rules->has_target && loss <= target)
        s->on_target = true;
}

void stopping_on_elapsed(struct stopping *s, int64_t ns)
{
    s->late = s->rules->time_ns > 0 && ns >= s->rules->time_ns;
}

uint64_t stopping_room(const struct stopping *s)
{
    if (s->rules->trials == 0)
        return UINT64_MAX;
    return s->rules->trials > s->trials ? s->rules->trials - s->trials : 0;
}

const char *stopping_verdict(const struct stopping *s, bool *stop_running)
{
    *stop_running = true;
    if (s->on_target)
        return "target";
    if (s->rules->plateau_trials && s->unimproved >= s->rules->plateau_trials)
        return "plateau";
    if (s->late)
        return "time";
    *stop_running = false;
    return stopping_room(s) == 0 ? "trials" : NULL;
}
