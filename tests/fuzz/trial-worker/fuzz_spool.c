/* Any bytes as the spool of an ended worker: read, handed to a worker's core, and offered to a
 * broker. The input is taken twice: as the file itself, and as a list of messages (kind, length in
 * two bytes, body) of which a sound file is made, because no mutation gets past the checksums. */
#include <stdlib.h>

#include "fuzz.h"
#include "spool_form.h"
#include "worker_core.h"

#define FARM 7u

static void require(bool ok)
{
    if (!ok)
        abort();
}

struct taker {
    struct worker *w;
    size_t n;
};

static bool take(void *self, unsigned kind, const union message *m)
{
    struct taker *t = self;
    require(message_known(kind));
    require(t->n > 0 || kind == MSG_HELLO);
    t->n++;
    return worker_restore(t->w, kind, m);
}

/* The worker goes on with what it found: says HELLO, and is told to forget everything. */
static void go_on(struct worker *w)
{
    struct worker_out fx;
    worker_out_init(&fx);
    size_t n = worker_restored(w, 1, &fx);
    require(n == worker_attempts(w) && n <= WORKER_MAX_SLOTS);
    worker_check(w);
    worker_on_connected(w, 2, &fx);
    (void)worker_tick(w, 3, &fx);
    worker_respool(w, 4, &fx);
    worker_release_all(w, 5, &fx);
    (void)worker_tick(w, 6, &fx);
    worker_check(w);
    worker_out_fini(&fx);
}

static enum spool_form_found read_spool(struct str bytes, size_t piece, size_t *taken)
{
    struct worker_config c = {
        .host = "h", .name = "", .software = "", .slots = 1, .cpus = 1, .spool = true, .seed = 1};
    struct taker t = {.w = worker_new(&c, 0)};
    struct spool_form_reader r;
    spool_form_begin(&r, FARM, FARM, take, &t);
    for (size_t i = 0; i < bytes.n; i += piece)
        if (!spool_form_feed(&r, str_make(bytes.p + i, bytes.n - i < piece ? bytes.n - i : piece)))
            break;
    enum spool_form_found found = spool_form_end(&r);
    require((found == SPOOL_FORM_WHOLE) == (r.em.text[0] == 0));
    require(str_utf8_valid(str_of(r.em.text)));
    require(found != SPOOL_FORM_BAD || t.n == 0);
    require(found != SPOOL_FORM_FOREIGN || t.n == 0);
    go_on(t.w);
    worker_free(t.w);
    *taken = t.n;
    return found;
}

static void add(struct buf *out, struct spool_chain *c, unsigned kind, const void *msg)
{
    struct buf body;
    buf_init(&body, 0);
    message_encode(&body, kind, msg);
    spool_form_add(out, c, kind, buf_str(&body));
    buf_fini(&body);
}

/* A sound file of the messages in the input, behind the two that begin one. */
static size_t make(struct buf *out, const uint8_t *data, size_t size)
{
    struct spool_chain c = {0};
    struct msg_hello h = {.role = ROLE_WORKER, .peer = {{5}}};
    struct msg_welcome w = {.farm = FARM, .timeline = FARM};
    size_t n = 2;
    add(out, &c, MSG_HELLO, &h);
    add(out, &c, MSG_WELCOME, &w);
    while (size >= 3) {
        size_t body = (size_t)data[1] << 8 | data[2];
        body = body < size - 3 ? body : size - 3;
        spool_form_add(out, &c, data[0], str_make(data + 3, body));
        data += 3 + body;
        size -= 3 + body;
        n++;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t taken, n;
    struct buf b;
    (void)read_spool(str_make(data, size), size ? 1 + data[0] : 1, &taken);
    buf_init(&b, 0);
    n = make(&b, data, size);
    enum spool_form_found found = read_spool(buf_str(&b), 4096, &taken);
    require(found != SPOOL_FORM_BAD && taken <= n);
    buf_fini(&b);
    return 0;
}
