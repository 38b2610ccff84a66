/* HTTP by libcurl, whose multi interface tells which descriptors and which time it waits for; libuv
 * waits for them. Called by lookout.c. It must not know what is asked.
 *
 * Nothing of the environment counts (no proxy, no netrc), no redirection is followed, nothing but
 * http is spoken, and an answer ends at 16 KiB or when its time is over. */
#include "metadata.h"

#include <stdlib.h>

#include "alloc.h"
#include "buf.h"
#include "clock.h"
#include "curlapi.h"

#define CONNECT_MS 2000L

struct metadata {
    struct curlapi api;
    CURLM *multi;
    CURL *easy; /* the question under way; NULL = none */
    struct curl_slist *headers;
    uv_loop_t *loop;
    uv_timer_t timer;
    metadata_answer *fn;
    void *self;
    struct buf body;
    bool too_long, closed;
    int handles;
    char text[CURL_ERROR_SIZE];
};
struct watch { /* a descriptor of curl's */
    uv_poll_t poll;
    curl_socket_t fd;
    struct metadata *m;
};

static void release(struct metadata *m)
{
    if (--m->handles > 0)
        return;
    m->api.global_cleanup();
    free(m);
}

static size_t on_bytes(char *p, size_t size, size_t n, void *self)
{
    struct metadata *m = self;
    if (m->body.n + size * n > METADATA_ANSWER) {
        m->too_long = true;
        return 0; /* ends the transfer */
    }
    buf_add(&m->body, p, size * n);
    return size * n;
}

static void finish(struct metadata *m, CURLcode code)
{
    long status = 0;
    if (code == CURLE_OK)
        m->api.easy_getinfo(m->easy, CURLINFO_RESPONSE_CODE, &status);
    else if (m->too_long)
        snprintf(m->text, sizeof m->text, "the answer has more than %d bytes", METADATA_ANSWER);
    else if (!m->text[0])
        snprintf(m->text, sizeof m->text, "%s", m->api.easy_strerror(code));
    m->api.multi_remove_handle(m->multi, m->easy);
    m->api.easy_cleanup(m->easy);
    m->api.slist_free_all(m->headers);
    m->easy = NULL;
    m->headers = NULL;
    m->fn(m->self, status, buf_str(&m->body), m->text);
}

static void look(struct metadata *m)
{
    int left;
    CURLMsg *msg;
    while (!m->closed && (msg = m->api.multi_info_read(m->multi, &left)) != NULL)
        if (msg->msg == CURLMSG_DONE)
            finish(m, msg->data.result);
}

static void on_time(uv_timer_t *t)
{
    struct metadata *m = t->data;
    int running;
    m->api.multi_socket_action(m->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    look(m);
}

static int set_time(CURLM *multi, long ms, void *self)
{
    struct metadata *m = self;
    (void)multi;
    if (ms < 0)
        uv_timer_stop(&m->timer);
    else if (!m->closed)
        uv_timer_start(&m->timer, on_time, (uint64_t)ms, 0);
    return 0;
}

static void on_ready(uv_poll_t *p, int status, int events)
{
    struct watch *w = p->data;
    struct metadata *m = w->m;
    int running, flags = 0;
    if (status < 0)
        flags = CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    m->api.multi_socket_action(m->multi, w->fd, flags, &running);
    look(m);
}

static void on_watch_closed(uv_handle_t *h)
{
    struct watch *w = h->data;
    release(w->m);
    free(w);
}

static struct watch *watch_new(struct metadata *m, curl_socket_t fd)
{
    struct watch *w = alloc_zero(sizeof *w);
    w->m = m;
    w->fd = fd;
    w->poll.data = w;
    if (uv_poll_init_socket(m->loop, &w->poll, fd) != 0) {
        free(w); /* the question ends by its time */
        return NULL;
    }
    m->handles++;
    m->api.multi_assign(m->multi, fd, w);
    return w;
}

static int set_watch(CURL *easy, curl_socket_t fd, int what, void *self, void *mine)
{
    struct metadata *m = self;
    struct watch *w = mine;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            uv_poll_stop(&w->poll);
            uv_close((uv_handle_t *)&w->poll, on_watch_closed);
            m->api.multi_assign(m->multi, fd, NULL);
        }
        return 0;
    }
    if (!w)
        w = watch_new(m, fd);
    int events = what == CURL_POLL_IN    ? UV_READABLE
                 : what == CURL_POLL_OUT ? UV_WRITABLE
                                         : UV_READABLE | UV_WRITABLE;
    if (w)
        uv_poll_start(&w->poll, events, on_ready);
    return 0;
}

void metadata_ask(struct metadata *m, const struct metadata_request *r)
{
    REQUIRE(!m->easy && !m->closed);
    CURL *c = m->easy = m->api.easy_init();
    REQUIRE(c != NULL);
    buf_clear(&m->body);
    m->too_long = false;
    m->text[0] = 0;
    for (size_t i = 0; i < r->n_headers; i++)
        m->headers = m->api.slist_append(m->headers, r->headers[i]);
    m->api.easy_setopt(c, CURLOPT_URL, r->url);
    m->api.easy_setopt(c, CURLOPT_HTTPHEADER, m->headers);
    if (r->put)
        m->api.easy_setopt(c, CURLOPT_CUSTOMREQUEST, "PUT");
    m->api.easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http");
    m->api.easy_setopt(c, CURLOPT_PROXY, "");
    m->api.easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    m->api.easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
    m->api.easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    m->api.easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(r->patience_ns / NS_PER_MS));
    m->api.easy_setopt(c, CURLOPT_USERAGENT, "tunefarm-worker");
    m->api.easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
    m->api.easy_setopt(c, CURLOPT_WRITEDATA, m);
    m->api.easy_setopt(c, CURLOPT_ERRORBUFFER, m->text);
    m->api.multi_add_handle(m->multi, c); /* sets the time, so it begins from the loop */
}

err_t metadata_open(struct metadata **out, uv_loop_t *loop, metadata_answer *fn, void *self,
                    struct errmsg *em)
{
    struct curlapi api;
    err_t e = curlapi_open(&api, em);
    if (e)
        return e;
    if (api.global_init(CURL_GLOBAL_NOTHING) != CURLE_OK)
        return errmsg_set(em, ERR_NOMEM, "libcurl cannot begin");
    CURLM *multi = api.multi_init();
    if (!multi) {
        api.global_cleanup();
        return errmsg_set(em, ERR_NOMEM, "libcurl cannot begin");
    }
    struct metadata *m = alloc_zero(sizeof *m);
    *m = (struct metadata){
        .api = api, .multi = multi, .loop = loop, .fn = fn, .self = self, .handles = 1};
    buf_init(&m->body, METADATA_ANSWER + 1);
    REQUIRE(uv_timer_init(loop, &m->timer) == 0);
    m->timer.data = m;
    api.multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, set_watch);
    api.multi_setopt(multi, CURLMOPT_SOCKETDATA, m);
    api.multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_time);
    api.multi_setopt(multi, CURLMOPT_TIMERDATA, m);
    *out = m;
    return ERR_OK;
}

static void on_timer_closed(uv_handle_t *h)
{
    release(h->data);
}

void metadata_close(struct metadata *m)
{
    if (!m)
        return;
    m->closed = true;
    if (m->easy) {
        m->api.multi_remove_handle(m->multi, m->easy);
        m->api.easy_cleanup(m->easy);
        m->api.slist_free_all(m->headers);
    }
    m->api.multi_cleanup(m->multi); /* takes its watches back */
    buf_fini(&m->body);
    uv_close((uv_handle_t *)&m->timer, on_timer_closed);
}
