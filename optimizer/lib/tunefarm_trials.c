/* What a program of the library may know of a study and its trials: parameters, states, losses.
 *
 * Called by users' programs. Reads only; losses get the objective's own sign again here. */
#include <math.h>

#include "handle.h"

#define WHOLE_MOST 9007199254740992.0 /* 2^53 */

int64_t tunefarm_study_param_count(const struct tunefarm_study *s)
{
    return s && s->spec ? (int64_t)s->spec->space->n : -1;
}

const char *tunefarm_study_param_name(const struct tunefarm_study *s, int64_t index)
{
    if (index < 0 || index >= tunefarm_study_param_count(s))
        return NULL;
    return s->spec->space->params[index].name.p;
}

int64_t tunefarm_study_count(const struct tunefarm_study *s)
{
    return s && s->spec ? (int64_t)solo_count(s->solo) : -1;
}

int64_t tunefarm_study_pending(const struct tunefarm_study *s)
{
    return s && s->spec ? (int64_t)history_outcomes(handle_history(s), OUTCOME_PENDING) : -1;
}

int32_t tunefarm_study_state(struct tunefarm_study *s, int64_t trial)
{
    int32_t status = handle_check_trial(s, trial);
    if (status)
        return status;
    switch (history_outcome(handle_history(s), (uint64_t)trial)) {
    case OUTCOME_COMPLETE:
        return TUNEFARM_TRIAL_COMPLETE;
    case OUTCOME_PRUNED:
        return TUNEFARM_TRIAL_PRUNED;
    case OUTCOME_FAILED:
        return TUNEFARM_TRIAL_FAILED;
    case OUTCOME_CANCELLED:
        return TUNEFARM_TRIAL_CANCELLED;
    default:
        return TUNEFARM_TRIAL_PENDING;
    }
}

int32_t tunefarm_study_loss(struct tunefarm_study *s, int64_t trial, double *loss)
{
    int32_t status = handle_check_trial(s, trial);
    if (!status)
        status = handle_check_argument(s, loss, "loss");
    if (status)
        return status;
    double v = history_loss(handle_history(s), (uint64_t)trial);
    if (isnan(v))
        return TUNEFARM_NONE;
    *loss = s->spec->objective.maximize ? -v : v;
    return TUNEFARM_OK;
}

int32_t tunefarm_study_best(struct tunefarm_study *s, int64_t *trial, double *loss)
{
    struct tuner_best best;
    int32_t status = handle_check(s);
    if (!status)
        status = handle_check_argument(s, trial, "trial");
    if (status)
        return status;
    if (!tuner_best(solo_tuner(s->solo), &best))
        return TUNEFARM_NONE;
    *trial = (int64_t)best.trial;
    if (loss)
        *loss = best.loss;
    return TUNEFARM_OK;
}

int32_t tunefarm_study_params(struct tunefarm_study *s, int64_t trial, const char **json)
{
    int32_t status = handle_check_trial(s, trial);
    if (!status)
        status = handle_check_argument(s, json, "json");
    if (status)
        return status;
    buf_clear(&s->text);
    space_write(s->spec->space, history_point(handle_history(s), (uint64_t)trial), &s->text);
    *json = buf_z(&s->text);
    return TUNEFARM_OK;
}

int32_t tunefarm_study_why(struct tunefarm_study *s, int64_t trial, const char **json)
{
    int32_t status = handle_check_trial(s, trial);
    if (!status)
        status = handle_check_argument(s, json, "json");
    if (status)
        return status;
    struct str why = trail_why(&s->trail, (uint64_t)trial);
    if (why.n == 0)
        return TUNEFARM_NONE;
    buf_clear(&s->text);
    buf_add_str(&s->text, why);
    *json = buf_z(&s->text);
    return TUNEFARM_OK;
}

/* One parameter of a trial. */
struct value {
    const struct param *param;
    double v;
};

/* TUNEFARM_NONE: not active. */
static int32_t get(struct tunefarm_study *s, int64_t trial, const char *name, const void *out,
                   struct value *value)
{
    int32_t status = handle_check_trial(s, trial);
    if (!status)
        status = handle_check_argument(s, name, "name");
    if (!status)
        status = handle_check_argument(s, out, "value");
    if (status)
        return status;
    int i = space_find(s->spec->space, str_of(name));
    if (i < 0) {
        (void)errmsg_set(&s->em, ERR_NOT_FOUND, "the space has no parameter \"%.128s\"", name);
        return TUNEFARM_NOT_FOUND;
    }
    value->param = &s->spec->space->params[i];
    value->v = history_point(handle_history(s), (uint64_t)trial)[i];
    return isnan(value->v) ? TUNEFARM_NONE : TUNEFARM_OK;
}

static struct str option_json(const struct value *value)
{
    return value->param->options[(uint32_t)value->v].json;
}

/* An option that is written as a number, true or false. */
static bool option_number(struct str json, double *out)
{
    if (str_is(json, "true") || str_is(json, "false")) {
        *out = str_is(json, "true");
        return true;
    }
    return str_to_f64(json, out);
}

int32_t tunefarm_study_get_double(struct tunefarm_study *s, int64_t trial, const char *name,
                                  double *value)
{
    struct value v;
    int32_t status = get(s, trial, name, value, &v);
    if (status)
        return status;
    double x = v.v;
    if (v.param->kind == PARAM_CHOICE && !option_number(option_json(&v), &x))
        return handle_status(errmsg_set(&s->em, ERR_INVALID, STR_FMT ": " STR_FMT " is no number",
                                        STR_ARG(v.param->name), STR_ARG(option_json(&v))));
    *value = x;
    return TUNEFARM_OK;
}

int32_t tunefarm_study_get_int(struct tunefarm_study *s, int64_t trial, const char *name,
                               int64_t *value)
{
    struct value v;
    int32_t status = get(s, trial, name, value, &v);
    if (status)
        return status;
    double x = v.v;
    if (v.param->kind == PARAM_CHOICE && str_to_i64(option_json(&v), value))
        return TUNEFARM_OK;
    if (v.param->kind == PARAM_FLOAT)
        return handle_status(errmsg_set(&s->em, ERR_INVALID,
                                        STR_FMT ": is a float; expected an int or a choice",
                                        STR_ARG(v.param->name)));
    if (v.param->kind == PARAM_CHOICE &&
        (!option_number(option_json(&v), &x) || x != rint(x) || fabs(x) > WHOLE_MOST))
        return handle_status(errmsg_set(&s->em, ERR_INVALID,
                                        STR_FMT ": " STR_FMT " is no whole number",
                                        STR_ARG(v.param->name), STR_ARG(option_json(&v))));
    *value = (int64_t)x;
    return TUNEFARM_OK;
}

int32_t tunefarm_study_get_text(struct tunefarm_study *s, int64_t trial, const char *name,
                                const char **value)
{
    struct value v;
    int32_t status = get(s, trial, name, value, &v);
    if (status)
        return status;
    buf_clear(&s->text);
    param_value_text(v.param, v.v, &s->text);
    *value = buf_z(&s->text);
    return TUNEFARM_OK;
}

int32_t tunefarm_study_get_option(struct tunefarm_study *s, int64_t trial, const char *name,
                                  int64_t *index)
{
    struct value v;
    int32_t status = get(s, trial, name, index, &v);
    if (status)
        return status;
    if (v.param->kind != PARAM_CHOICE)
        return handle_status(
            errmsg_set(&s->em, ERR_INVALID, STR_FMT ": is no choice", STR_ARG(v.param->name)));
    *index = (int64_t)v.v;
    return TUNEFARM_OK;
}
