/* A fixed story of 200 trials: up to three asked for at once, results out of order, some with
 * reports before, some failed, lost, infinite, equal, or never told. The losses depend on the
 * trial's number alone.
 *
 * A new sampler or preset is one row here; then `golden-proposals NAME >
 * tests/golden/proposals/NAME.jsonl`. */
#include "proposals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "filter.h"
#include "rng.h"

#define TRIALS 200

const struct kept_study kept_studies[] = {
    {"random", "{\"name\":\"random\",\"seed\":1}"},
    {"grid", "{\"name\":\"grid\",\"points\":4}"},
    {"tpe-hyperopt", "{\"name\":\"tpe\",\"preset\":\"hyperopt\",\"seed\":1}"},
    {"tpe-optuna", "{\"name\":\"tpe\",\"preset\":\"optuna\",\"seed\":1}"},
    {"tpe-optuna-4", "{\"name\":\"tpe\",\"preset\":\"optuna\",\"generation\":4,\"seed\":1}"},
    {"tpe-tunefarm", "{\"name\":\"tpe\",\"preset\":\"tunefarm\",\"seed\":1}"},
    {NULL, NULL},
};

/* Every kind of parameter, branches within branches, and known points, one of them in part. */
static const char study[] =
    "{\"study\":\"kept\",\"objective\":{\"metric\":\"loss\"},\"space\":{"
    "\"x\":{\"float\":[-5,5]},\"lr\":{\"float\":[1e-5,1],\"log\":true},"
    "\"beta\":{\"float\":[0.9,0.9999],\"log\":\"reverse\"},\"drop\":{\"float\":[0,0.5],\"step\":0."
    "05},"
    "\"q\":{\"float\":[1,100],\"log\":true,\"round\":5},\"layers\":{\"int\":[1,8]},"
    "\"units\":{\"int\":[16,512],\"log\":true,\"step\":16},\"seed\":{\"randint\":7},"
    "\"w\":{\"normal\":[0,2]},\"scale\":{\"lognormal\":[0,1]},"
    "\"act\":{\"choice\":[\"relu\",\"tanh\",\"gelu\"],\"weights\":[3,1,1]},"
    "\"opt\":{\"choice\":[{\"sgd\":{\"momentum\":{\"float\":[0,0.99]},\"nesterov\":{\"choice\":["
    "true,"
    "false]}}},{\"adam\":{\"eps\":{\"float\":[1e-9,1e-3],\"log\":true}}},\"lbfgs\"]}},"
    "\"enqueue\":[{\"x\":0,\"lr\":0.01,\"beta\":0.99,\"drop\":0.1,\"q\":10,\"layers\":2,\"units\":"
    "64,"
    "\"seed\":3,\"w\":0,\"scale\":1,\"act\":\"tanh\",\"opt\":\"lbfgs\"},{\"lr\":0.1,\"opt\":"
    "\"adam\"}],"
    "\"sampler\":%s}";

static void say(struct filter *f, struct buf *answer, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void say(struct filter *f, struct buf *answer, const char *fmt, ...)
{
    char line[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    buf_clear(answer);
    filter_line(f, str_of(line), 0, answer);
    if (str_starts(buf_str(answer), "{\"error\""))
        fail_msg("%s -> %s", line, buf_z(answer));
}

static void tell(struct filter *f, unsigned trial, struct buf *answer)
{
    struct rng r;
    rng_seed_at(&r, 77, trial);
    double loss = (double)rng_below(&r, 4000) / 1024; /* exact, and some are equal */
    if (trial % 5 == 0)
        say(f, answer, "{\"report\":{\"trial\":%u,\"step\":1,\"loss\":%.10g}}", trial, loss + 1);
    if (trial % 31 == 30)
        return; /* it runs for ever */
    if (trial % 17 == 16)
        say(f, answer, "{\"tell\":{\"trial\":%u,\"status\":\"failed\"}}", trial);
    else if (trial % 23 == 22)
        say(f, answer, "{\"tell\":{\"trial\":%u,\"status\":\"lost\"}}", trial);
    else if (trial % 29 == 28)
        say(f, answer, "{\"tell\":{\"trial\":%u,\"loss\":Infinity}}", trial);
    else
        say(f, answer, "{\"tell\":{\"trial\":%u,\"loss\":%.10g}}", trial, loss);
}

static void drive(struct filter *f, struct buf *out)
{
    struct buf answer;
    unsigned asked = 0, told = 0;
    buf_init(&answer, 0);
    for (unsigned turn = 0; asked < TRIALS; turn++) {
        unsigned n = 1 + turn % 3;
        say(f, &answer, "{\"ask\":%u}", n);
        buf_add_str(out, buf_str(&answer));
        asked += n;
        for (; told + 6 < asked; told += 2) { /* the later of two first */
            tell(f, told + 1, &answer);
            tell(f, told, &answer);
        }
    }
    buf_fini(&answer);
}

void proposals_drive(const struct kept_study *kept, struct buf *out)
{
    struct spec *spec = NULL;
    struct filter *f = NULL;
    struct errmsg em = {""};
    struct buf text;
    buf_init(&text, 0);
    buf_printf(&text, study, kept->sampler);
    if (spec_parse(buf_str(&text), &spec, &em) || filter_new(&f, spec, &em))
        fail_msg("%s: %s", kept->name, em.text);
    drive(f, out);
    filter_free(f);
    spec_free(spec);
    buf_fini(&text);
}
