/* The members that samplers agree on, each with its sentence; docs/samplers.md lists them. What a
 * newer sampler adds is shown by name.
 *
 * Called by the command why. Knows no sampler. */
#include "reason.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>

#include "cell.h"
#include "json.h"

/* Its own text for anything that the table does not know. */
static const char *phrase_of(struct json_object *how)
{
    static const struct {
        const char *how, *phrase;
    } phrases[] = {
        {"startup", "one of the first points, spread over the space before the model knows enough"},
        {"model", "by its model of the results so far"},
        {"prior", "drawn from the prior, whatever the results so far"},
    };
    const char *text = json_object_get_string(how);
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (strcmp(text, phrases[i].how) == 0)
            return phrases[i].phrase;
    return text;
}

static void add_text(struct buf *out, struct json_object *v)
{
    cell_text(out, str_of(json_object_get_string(v)), 400, true);
}

static void add_number(struct buf *out, struct json_object *v)
{
    double number;
    if (json_number(v, &number))
        cell_number(out, number, 6);
    else
        cell_json(out, v, 6);
}

static bool is_one(struct json_object *v)
{
    return json_object_get_double(v) == 1;
}

static void explain_source(struct json_object *why, struct buf *out)
{
    struct json_object *sampler = json_get(why, "sampler"), *preset = json_get(why, "preset");
    struct json_object *how = json_get(why, "how"), *part = json_get(why, "part");
    if (sampler) {
        buf_addz(out, "  It was chosen by the sampler ");
        add_text(out, sampler);
        if (preset) {
            buf_addz(out, " (preset ");
            add_text(out, preset);
            buf_addc(out, ')');
        }
    }
    if (how) {
        buf_addz(out, sampler ? ": " : "  It is ");
        cell_text(out, str_of(phrase_of(how)), 400, true);
    }
    buf_addz(out, sampler || how ? ".\n" : "");
    if (part) {
        buf_addz(out, "  The part of the sampler that gave it: ");
        add_text(out, part);
        buf_addz(out, ".\n");
    }
}

static void explain_basis(struct json_object *why, struct buf *out)
{
    struct json_object *trials = json_get(why, "trials"), *pending = json_get(why, "pending");
    struct json_object *good = json_get(why, "good"), *good_to = json_get(why, "good_to");
    if (trials) {
        buf_addz(out, "  The model counted ");
        add_number(out, trials);
        buf_addz(out, is_one(trials) ? " trial" : " trials");
        if (pending) {
            buf_addz(out, " and knew of ");
            add_number(out, pending);
            buf_addz(out, " without a result yet");
        }
        buf_addz(out, ".\n");
    }
    if (good) {
        buf_addz(out, "  The best ");
        add_number(out, good);
        buf_addz(out, " of them it calls good");
        if (good_to) {
            buf_addz(out, "; the last of these has a loss of ");
            add_number(out, good_to);
        }
        buf_addz(out, ".\n");
    }
}

static void explain_around(struct json_object *why, struct buf *out)
{
    struct json_object *around = json_get(why, "around");
    if (!around)
        return;
    buf_addz(out, "  It was drawn around trial ");
    add_number(out, around);
    buf_addz(out, ".\n");
}

static void explain_ratio(struct json_object *why, struct buf *out)
{
    double ratio;
    struct json_object *v = json_get(why, "ratio");
    if (!v || !json_number(v, &ratio))
        return;
    buf_addz(out, "  Points like it are ");
    cell_number(out, exp(fabs(ratio)), 3);
    buf_printf(out, " times as %s among the good ones as among the others (log ratio ",
               ratio < 0 ? "rare" : "dense");
    cell_number(out, ratio, 4);
    buf_addz(out, ").\n");
}

static void explain_rest(struct json_object *why, struct buf *out)
{
    static const char *const known[] = {"sampler", "preset", "how",     "part",   "trials",
                                        "pending", "good",   "good_to", "around", "ratio"};
    json_object_object_foreach(why, key, value)
    {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], key) != 0)
            i++;
        if (i < sizeof known / sizeof *known)
            continue;
        buf_addz(out, "  ");
        cell_text(out, str_of(key), 40, true);
        buf_addz(out, ": ");
        cell_json(out, value, 6);
        buf_addc(out, '\n');
    }
}

void reason_explain(struct json_object *why, struct buf *out)
{
    if (!json_object_is_type(why, json_type_object)) {
        buf_addz(out, "  Its optimizer gave no reason.\n");
        return;
    }
    explain_source(why, out);
    explain_basis(why, out);
    explain_around(why, out);
    explain_ratio(why, out);
    explain_rest(why, out);
}
