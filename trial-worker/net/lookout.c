/* Asks the metadata service of a cloud in rounds. Called by agent.c, only if --cloud names one. It
 * must not know what a worker does with a notice.
 *
 * A round is a few questions at most, as a token or the machine's name may be needed first.
 * Whatever goes wrong ends the round; the next one begins at its time. */
#include "lookout.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "clock.h"
#include "metadata.h"

#define QUESTIONS_MAX 4 /* in a round */
#define ADDRESS_MAX   256

struct lookout {
    struct lookout_config c;
    struct lookout_events e;
    struct cloud cloud;
    struct metadata *metadata;
    uv_timer_t timer;
    char address[ADDRESS_MAX];
    int questions;
    bool failing, over;
    uint64_t failures;
    int64_t began;
};

static void ask(struct lookout *l)
{
    struct cloud_request r;
    char url[ADDRESS_MAX + 256];
    const char *headers[2];
    size_t n = 0;
    cloud_next(&l->cloud, &r);
    for (size_t i = 0; i < 2; i++)
        if (r.headers[i][0])
            headers[n++] = r.headers[i];
    snprintf(url, sizeof url, "%s%s", l->address, r.path);
    struct metadata_request q = {r.put, url, headers, n, r.patience_ns};
    l->questions++;
    metadata_ask(l->metadata, &q);
}

static void on_timer(uv_timer_t *t)
{
    struct lookout *l = t->data;
    l->questions = 0;
    l->began = clock_now();
    cloud_round(&l->cloud);
    ask(l);
}

/* The next round: so long after the beginning of this one, and not at once, whatever it took. */
static void rest(struct lookout *l)
{
    int64_t wait = l->began + l->c.every_ns - clock_now();
    int64_t least = l->c.every_ns / 10;
    wait = wait > least ? wait : least;
    uv_timer_start(&l->timer, on_timer, (uint64_t)(wait / NS_PER_MS) + 1, 0);
}

static void failed(struct lookout *l, const char *text)
{
    l->failures++;
    if (!l->failing)
        l->e.trouble(l->e.self, text, l->failures);
    l->failing = true;
    rest(l);
}

static void worked(struct lookout *l)
{
    if (l->failing)
        l->e.trouble(l->e.self, NULL, l->failures);
    l->failing = false;
}

static void on_answer(void *self, long status, struct str body, const char *text)
{
    struct lookout *l = self;
    struct cloud_notice n;
    struct errmsg em = {""};
    if (status == 0) {
        failed(l, text);
        return;
    }
    switch (cloud_answer(&l->cloud, status, body, clock_wall_ms(), &n, &em)) {
    case CLOUD_AGAIN:
        if (l->questions < QUESTIONS_MAX)
            ask(l);
        else
            failed(l, "it does not come to an answer");
        break;
    case CLOUD_COMING:
        worked(l);
        l->e.coming(l->e.self, &n);
        break;
    case CLOUD_QUIET:
        worked(l);
        rest(l);
        break;
    case CLOUD_FAILED:
        failed(l, em.text);
        break;
    }
}

err_t lookout_check_address(const char *address, struct errmsg *em)
{
    struct str s = str_of(address);
    bool good = str_starts(s, "http://") && s.n > 7 && s.n < ADDRESS_MAX && !str_has_control(s);
    for (size_t i = 7; i < s.n && good; i++)
        good = s.p[i] != '/' && s.p[i] != '?' && s.p[i] != '#' && s.p[i] != ' ' && s.p[i] != '@';
    return good ? ERR_OK
                : errmsg_set(em, ERR_INVALID,
                             "--cloud-address: \"%.60s\": expected http://HOST or http://HOST:PORT",
                             address);
}

err_t lookout_open(struct lookout **out, const struct lookout_config *c,
                   const struct lookout_events *e, struct errmsg *em)
{
    struct lookout *l = alloc_zero(sizeof *l);
    l->c = *c;
    l->e = *e;
    cloud_init(&l->cloud, c->kind);
    const char *address = c->address ? c->address : cloud_address(c->kind);
    err_t err = lookout_check_address(address, em);
    if (!err)
        err = metadata_open(&l->metadata, c->loop, on_answer, l, em);
    if (err) {
        free(l);
        return err;
    }
    (void)str_copyz(l->address, sizeof l->address, str_of(address));
    REQUIRE(uv_timer_init(c->loop, &l->timer) == 0);
    l->timer.data = l;
    uv_timer_start(&l->timer, on_timer, 0, 0);
    *out = l;
    return ERR_OK;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void lookout_close(struct lookout *l)
{
    if (!l)
        return;
    metadata_close(l->metadata);
    uv_close((uv_handle_t *)&l->timer, on_closed);
}
