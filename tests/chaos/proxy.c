/* chaos-proxy: a bad network between peers and a broker, in user space. It listens on N addresses
 * (links), one for each peer, connects each accepted connection to the broker, and passes bytes on
 * as badly as it is told.
 *
 *   chaos-proxy PORT N SEED        broker at 127.0.0.1:PORT; prints "link I PORT" N times, then
 *                                  "ready"; ends at the end of its input
 *
 * Commands come on standard input, one a line; LINK is a number or *:
 *
 *   LINK up|down stall             one direction (up: to the broker) stands still; nothing is lost
 *   LINK up|down drop              what comes is swallowed; a stream with a hole cannot go on, so
 * its connections are reset when the direction passes again LINK up|down pass LINK delay MS JITTER
 * every piece comes MS to MS + JITTER milliseconds later, in order LINK loss PERCENT so many pieces
 * wait for a retransmission (200 ms, doubled by chance) LINK halfopen                  the broker's
 * side is closed, the peer is not told LINK reset                     both sides get RST LINK
 * refuse on|off             new connections get RST
 *
 * The end of a connection travels like its bytes: while a direction does not pass, the other side
 * does not learn of it, as with a cut cable. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define LINKS_MAX   256
#define QUEUE_BYTES ((size_t)1 << 20)
#define PIECE_BYTES 65536
#define RTO_MS      200
#define BACKLOG     64

enum flow { PASS, STALL, DROP };
enum { UP, DOWN, WAYS };

struct piece {
    struct piece *next;
    uint64_t due;
    size_t n; /* 0 = the end of the stream */
    uv_write_t write;
    char bytes[];
};

struct way {
    struct conn *conn;
    uv_tcp_t *from, *to;
    uv_timer_t timer;
    struct piece *first, **last;
    uint64_t last_due;
    size_t queued;
    bool ended, holed; /* the end is queued; bytes were swallowed */
};

struct conn {
    struct conn *next;
    struct link *link;
    uv_tcp_t peer, broker;
    uv_connect_t connect;
    struct way ways[WAYS];
    bool broker_gone, closing, connected;
    int handles;
};

struct link {
    uv_tcp_t listener;
    struct conn *conns;
    enum flow flow[WAYS];
    unsigned delay, jitter, loss;
    bool refuses;
};

static uv_loop_t *loop;
static struct sockaddr_in broker_address;
static struct link links[LINKS_MAX];
static unsigned n_links;
static uint64_t draw;
static char shared[PIECE_BYTES];

static void must(int rc, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "chaos-proxy: %s: %s\n", what, uv_strerror(rc));
    exit(1);
}

/* Below n. */
static unsigned chance(unsigned n)
{
    draw = draw * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return n ? (unsigned)((draw >> 33) % n) : 0;
}

/* ---- connections ---- */

static void on_closed(uv_handle_t *h)
{
    struct conn *c = h->data;
    if (--c->handles > 0)
        return;
    for (int w = 0; w < WAYS; w++) {
        while (c->ways[w].first) {
            struct piece *p = c->ways[w].first;
            c->ways[w].first = p->next;
            free(p);
        }
    }
    free(c);
}

static void close_handle(uv_handle_t *h)
{
    if (!uv_is_closing(h))
        uv_close(h, on_closed);
}

static void close_tcp(uv_tcp_t *t, bool reset)
{
    if (uv_is_closing((uv_handle_t *)t))
        return;
    if (!reset || uv_tcp_close_reset(t, on_closed) != 0)
        uv_close((uv_handle_t *)t, on_closed);
}

static void conn_close(struct conn *c, bool reset)
{
    if (c->closing)
        return;
    c->closing = true;
    for (struct conn **at = &c->link->conns; *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    close_tcp(&c->peer, reset);
    close_tcp(&c->broker, reset);
    for (int w = 0; w < WAYS; w++)
        close_handle((uv_handle_t *)&c->ways[w].timer);
}

/* ---- bytes ---- */

static int way_number(const struct way *w)
{
    return w == &w->conn->ways[UP] ? UP : DOWN;
}

static enum flow flow_of(const struct way *w)
{
    return w->conn->link->flow[way_number(w)];
}

static void on_written(uv_write_t *q, int status)
{
    struct conn *c = q->data;
    free((char *)q - offsetof(struct piece, write));
    if (status < 0)
        conn_close(c, false);
}

static void way_read(struct way *w);

static void on_due(uv_timer_t *t);

/* Passes on what is due; arms the timer for the rest. */
static void deliver(struct way *w)
{
    struct conn *c = w->conn;
    uint64_t now = uv_now(loop);
    while (w->first && !c->closing && c->connected && flow_of(w) == PASS && w->first->due <= now) {
        struct piece *p = w->first;
        w->first = p->next;
        if (!w->first)
            w->last = &w->first;
        w->queued -= p->n;
        if (p->n == 0) {
            free(p);
            conn_close(c, false);
            return;
        }
        uv_buf_t b = uv_buf_init(p->bytes, (unsigned)p->n);
        p->write.data = c;
        if (uv_write(&p->write, (uv_stream_t *)w->to, &b, 1, on_written) != 0) {
            free(p);
            conn_close(c, false);
            return;
        }
    }
    if (c->closing)
        return;
    if (w->first && flow_of(w) == PASS && c->connected)
        uv_timer_start(&w->timer, on_due, w->first->due > now ? w->first->due - now : 0, 0);
    way_read(w);
}

static void on_due(uv_timer_t *t)
{
    deliver(((struct conn *)t->data)->ways + (t == &((struct conn *)t->data)->ways[DOWN].timer));
}

static uint64_t due_of(struct way *w)
{
    const struct link *l = w->conn->link;
    uint64_t due = uv_now(loop) + l->delay + chance(l->jitter + 1);
    for (unsigned wait = RTO_MS; chance(100) < l->loss; wait *= 2)
        due += wait;
    if (due < w->last_due)
        due = w->last_due;
    w->last_due = due;
    return due;
}

static void add(struct way *w, const char *bytes, size_t n)
{
    struct piece *p = malloc(sizeof *p + n);
    if (!p)
        abort();
    *p = (struct piece){.due = due_of(w), .n = n};
    memcpy(p->bytes, bytes, n);
    *w->last = p;
    w->last = &p->next;
    w->queued += n;
    deliver(w);
}

static void on_alloc(uv_handle_t *h, size_t wanted, uv_buf_t *b)
{
    (void)h;
    (void)wanted;
    *b = uv_buf_init(shared, sizeof shared);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct conn *c = s->data;
    struct way *w = &c->ways[(uv_tcp_t *)s == &c->peer ? UP : DOWN];
    if (n == 0 || c->closing)
        return;
    if (flow_of(w) == DROP && n > 0) {
        w->holed = true;
        return;
    }
    if (n > 0) {
        add(w, b->base, (size_t)n);
        return;
    }
    uv_read_stop(s);
    if (c->broker_gone) {
        conn_close(c, false);
    } else if (!w->ended) {
        w->ended = true;
        add(w, "", 0);
    }
}

/* Reads while the queue has room: a peer that sends more has to wait, as for a slow network. */
static void way_read(struct way *w)
{
    if (w->ended || uv_is_closing((uv_handle_t *)w->from))
        return;
    if (w->queued < QUEUE_BYTES)
        (void)uv_read_start((uv_stream_t *)w->from, on_alloc, on_read);
    else
        uv_read_stop((uv_stream_t *)w->from);
}

static void on_connected(uv_connect_t *q, int status)
{
    struct conn *c = q->data;
    if (c->closing)
        return;
    if (status < 0) {
        conn_close(c, true);
        return;
    }
    c->connected = true;
    way_read(&c->ways[DOWN]);
    deliver(&c->ways[UP]);
}

static void conn_init(struct conn *c, struct link *l)
{
    c->link = l;
    c->peer.data = c->broker.data = c->connect.data = c;
    must(uv_tcp_init(loop, &c->peer), "a socket");
    must(uv_tcp_init(loop, &c->broker), "a socket");
    for (int w = 0; w < WAYS; w++) {
        struct way *way = &c->ways[w];
        *way = (struct way){.conn = c, .last = &way->first};
        way->from = w == UP ? &c->peer : &c->broker;
        way->to = w == UP ? &c->broker : &c->peer;
        must(uv_timer_init(loop, &way->timer), "a timer");
        way->timer.data = c;
    }
    c->handles = 2 + WAYS;
    c->next = l->conns;
    l->conns = c;
}

static void on_connection(uv_stream_t *s, int status)
{
    struct link *l = s->data;
    struct conn *c = calloc(1, sizeof *c);
    if (status < 0 || !c) {
        free(c);
        return;
    }
    conn_init(c, l);
    if (uv_accept(s, (uv_stream_t *)&c->peer) != 0 || l->refuses) {
        conn_close(c, true);
        return;
    }
    uv_tcp_nodelay(&c->peer, 1);
    uv_tcp_nodelay(&c->broker, 1);
    way_read(&c->ways[UP]);
    if (uv_tcp_connect(&c->connect, &c->broker, (const struct sockaddr *)&broker_address,
                       on_connected) != 0)
        conn_close(c, true);
}

/* ---- commands ---- */

static void set_flow(struct link *l, int way, enum flow flow)
{
    l->flow[way] = flow;
    if (flow != PASS)
        return;
    for (struct conn *c = l->conns, *next; c; c = next) {
        next = c->next;
        if (c->ways[way].holed)
            conn_close(c, true);
        else
            deliver(&c->ways[way]);
    }
}

static void half_open(struct link *l)
{
    for (struct conn *c = l->conns; c; c = c->next) {
        c->broker_gone = true;
        c->connected = false; /* nothing is passed on any more */
        close_tcp(&c->broker, false);
    }
}

static void reset(struct link *l)
{
    while (l->conns)
        conn_close(l->conns, true);
}

static bool command(struct link *l, const char *verb, const char *a, const char *b)
{
    bool up = strcmp(verb, "up") == 0;
    if (up || strcmp(verb, "down") == 0)
        set_flow(l, up ? UP : DOWN,
                 strcmp(a, "stall") == 0  ? STALL
                 : strcmp(a, "drop") == 0 ? DROP
                                          : PASS);
    else if (strcmp(verb, "delay") == 0)
        l->delay = (unsigned)strtoul(a, NULL, 10), l->jitter = (unsigned)strtoul(b, NULL, 10);
    else if (strcmp(verb, "loss") == 0)
        l->loss = (unsigned)strtoul(a, NULL, 10) % 100;
    else if (strcmp(verb, "halfopen") == 0)
        half_open(l);
    else if (strcmp(verb, "reset") == 0)
        reset(l);
    else if (strcmp(verb, "refuse") == 0)
        l->refuses = strcmp(a, "on") == 0;
    else
        return false;
    return true;
}

static void run_line(char *line)
{
    char which[16] = "", verb[16] = "", a[16] = "", b[16] = "";
    if (sscanf(line, "%15s %15s %15s %15s", which, verb, a, b) < 2)
        return;
    unsigned from = (unsigned)strtoul(which, NULL, 10), to = from + 1;
    if (strcmp(which, "*") == 0) {
        from = 0;
        to = n_links;
    }
    for (unsigned i = from; i < to && i < n_links; i++) {
        if (!command(&links[i], verb, a, b))
            fprintf(stderr, "chaos-proxy: %s is no command\n", verb);
    }
}

static void on_command(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    static char line[256];
    static size_t used;
    if (n < 0) {
        (void)s;
        exit(0);
    }
    for (ssize_t i = 0; i < n; i++) {
        if (b->base[i] != '\n') {
            used += used + 1 < sizeof line;
            line[used - 1] = b->base[i];
            continue;
        }
        line[used] = 0;
        used = 0;
        run_line(line);
    }
}

static void open_link(unsigned i)
{
    struct sockaddr_in any;
    struct sockaddr_storage at;
    int n = sizeof at;
    must(uv_ip4_addr("127.0.0.1", 0, &any), "an address");
    must(uv_tcp_init(loop, &links[i].listener), "a socket");
    links[i].listener.data = &links[i];
    must(uv_tcp_bind(&links[i].listener, (const struct sockaddr *)&any, 0), "an address");
    must(uv_listen((uv_stream_t *)&links[i].listener, BACKLOG, on_connection), "listening");
    must(uv_tcp_getsockname(&links[i].listener, (struct sockaddr *)&at, &n), "an address");
    printf("link %u %d\n", i, ntohs(((const struct sockaddr_in *)&at)->sin_port));
}

int main(int argc, char **argv)
{
    static uv_pipe_t input;
    if (argc != 4) {
        fprintf(stderr, "usage: chaos-proxy PORT LINKS SEED\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    loop = uv_default_loop();
    n_links = (unsigned)strtoul(argv[2], NULL, 10);
    draw = strtoull(argv[3], NULL, 10);
    if (n_links > LINKS_MAX)
        n_links = LINKS_MAX;
    must(uv_ip4_addr("127.0.0.1", (int)strtol(argv[1], NULL, 10), &broker_address), argv[1]);
    for (unsigned i = 0; i < n_links; i++)
        open_link(i);
    must(uv_pipe_init(loop, &input, 0), "standard input");
    must(uv_pipe_open(&input, 0), "standard input");
    must(uv_read_start((uv_stream_t *)&input, on_alloc, on_command), "standard input");
    printf("ready\n");
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
