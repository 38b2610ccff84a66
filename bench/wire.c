/* bench-wire: nanoseconds to encode, decode and frame a message, by kind. The first lines are
 * messages as a farm sends them, with ten parameters; the rest are random samples of every kind.
 * Run it from a Release build. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "codec.h"
#include "frame.h"

#define BUDGET_NS 40000000 /* for each figure */
#define SAMPLES   64

static const char params[] =
    "{\"lr\":0.0031622776601683794,\"momentum\":0.9,\"layers\":3,\"units\":128,\"act\":\"relu\","
    "\"opt\":\"sgd\","
    "\"opt.sgd.momentum\":0.85,\"dropout\":0.25,\"decay\":0.0001,\"batch\":64}";
static const char why[] =
    "{\"sampler\":\"tpe\",\"good\":14,\"below\":-2.31,\"above\":-4.02,\"candidates\":24}";

struct figure {
    double encode, decode, frame;
    double bytes;
};

static double now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double bench_encode(unsigned kind, const union message *m, size_t n, struct buf *b)
{
    double begin = now_ns(), used = 0;
    double rounds = 0;
    while ((used = now_ns() - begin) < BUDGET_NS) {
        for (size_t i = 0; i < n; i++) {
            buf_clear(b);
            message_encode(b, kind, &m[i]);
        }
        rounds += (double)n;
    }
    return used / rounds;
}

static double bench_decode(unsigned kind, const struct buf *bodies, size_t n, struct arena *a)
{
    double begin = now_ns(), used = 0;
    double rounds = 0;
    while ((used = now_ns() - begin) < BUDGET_NS) {
        for (size_t i = 0; i < n; i++) {
            union message m;
            arena_clear(a);
            if (message_decode(&m, kind, buf_str(&bodies[i]), a, NULL))
                abort();
        }
        rounds += (double)n;
    }
    return used / rounds;
}

/* Writing the header with its checksum, and checking both. */
static double bench_frame(unsigned kind, const struct buf *bodies, size_t n, struct buf *b)
{
    double begin = now_ns(), used = 0;
    double rounds = 0;
    while ((used = now_ns() - begin) < BUDGET_NS) {
        for (size_t i = 0; i < n; i++) {
            struct frame f = {
                .major = PROTO_MAJOR, .kind = (uint8_t)kind, .body = buf_str(&bodies[i])};
            buf_clear(b);
            frame_write(b, &f);
            if (frame_read(&f, buf_str(b), FRAME_LIMIT, NULL))
                abort();
        }
        rounds += (double)n;
    }
    return used / rounds;
}

static struct figure measure(unsigned kind, const union message *m, size_t n)
{
    struct buf bodies[SAMPLES], b;
    struct arena a;
    struct figure f = {0};
    arena_init(&a, 0);
    buf_init(&b, 0);
    for (size_t i = 0; i < n; i++) {
        buf_init(&bodies[i], 0);
        message_encode(&bodies[i], kind, &m[i]);
        f.bytes += (double)bodies[i].n / (double)n;
    }
    f.encode = bench_encode(kind, m, n, &b);
    f.decode = bench_decode(kind, bodies, n, &a);
    f.frame = bench_frame(kind, bodies, n, &b);
    for (size_t i = 0; i < n; i++)
        buf_fini(&bodies[i]);
    buf_fini(&b);
    arena_fini(&a);
    return f;
}

static void show(const char *name, struct figure f, double per)
{
    printf("%-28s %9.0f %10.0f %10.0f %10.0f\n", name, f.bytes / per, f.encode / per,
           f.decode / per, f.frame / per);
}

static void typical_messages(void)
{
    union message m = {.assign = {.study = 3,
                                  .trial = 1234,
                                  .attempt = 1,
                                  .spec = {{1, 2, 3}},
                                  .params = STR(params),
                                  .seed = UINT64_C(0x123456789abcdef),
                                  .study_name = STR("digits-mlp")}};
    show("ASSIGN, 10 parameters", measure(MSG_ASSIGN, &m, 1), 1);
    m = (union message){.final = {.study = 3,
                                  .trial = 1234,
                                  .attempt = 1,
                                  .has_value = true,
                                  .value = 0.123456789,
                                  .metrics = STR("{\"acc\":0.97}"),
                                  .last_step = 30,
                                  .has_step = true,
                                  .runtime_ms = 5123}};
    show("FINAL", measure(MSG_FINAL, &m, 1), 1);
    struct point point = {.step = 3, .has_value = true, .value = 0.41};
    m = (union message){.report = {.study = 3, .trial = 1234, .attempt = 1, .points = {&point, 1}}};
    show("REPORT, 1 point", measure(MSG_REPORT, &m, 1), 1);
    m = (union message){.ack = {.study = 3, .trial = 1234, .attempt = 1, .of = MSG_FINAL}};
    show("ACK", measure(MSG_ACK, &m, 1), 1);
}

/* As part of EVENTS, divided by their number. */
static void typical_records(void)
{
    struct record v[100];
    for (size_t i = 0; i < 100; i++)
        v[i] = (struct record){.seq = 100000 + i,
                               .study = 3,
                               .study_seq = 5000 + i,
                               .kind = REC_PROPOSED,
                               .wall_ms = INT64_C(1760000000000),
                               .trial = 1234,
                               .text = STR(params),
                               .note = STR(why),
                               .number = 1234,
                               .based_on = 4990,
                               .behind = 4};
    union message m = {.events = {.study = 3, .epoch = 1, .upto = 5100, .records = {v, 100}}};
    show("a record PROPOSED", measure(MSG_EVENTS, &m, 1), 100);
    for (size_t i = 0; i < 100; i++)
        v[i] = (struct record){.seq = 100000 + i,
                               .study = 3,
                               .study_seq = 5000 + i,
                               .kind = REC_FINISHED,
                               .wall_ms = INT64_C(1760000000000),
                               .trial = 1234,
                               .attempt = 1,
                               .has_value = true,
                               .value = 0.123456789,
                               .code = TRIAL_COMPLETE,
                               .runtime_ms = 5123,
                               .step = 30,
                               .has_step = true};
    show("a record FINISHED", measure(MSG_EVENTS, &m, 1), 100);
}

static void random_samples(void)
{
    struct arena a;
    arena_init(&a, 0);
    for (unsigned kind = 0; kind < 256; kind++) {
        if (!message_known(kind))
            continue;
        struct rng r;
        rng_seed(&r, kind);
        union message m[SAMPLES];
        for (size_t i = 0; i < SAMPLES; i++)
            message_sample(&m[i], kind, &r, &a);
        show(message_name(kind), measure(kind, m, SAMPLES), 1);
        arena_clear(&a);
    }
    arena_fini(&a);
}

int main(void)
{
    printf("%-28s %9s %10s %10s %10s\n", "message", "bytes", "encode ns", "decode ns", "frame ns");
    typical_messages();
    typical_records();
    random_samples();
    return EXIT_SUCCESS;
}
