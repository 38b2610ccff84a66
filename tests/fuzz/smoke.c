/* Runs a fuzz target without a fuzzer: every file of the corpus, then a number of deterministic
 * mutations of them, ended early after ten seconds. So each test run exercises every target a
 * little, with any compiler. The mutations are those of common fuzzers (flips, edges, cuts,
 * repeats, splices), drawn from a fixed seed.
 *
 * Usage: NAME_smoke RUNS INPUT DIRECTORY... The input under test is kept in the file INPUT, so that
 * one that crashes can be looked at and run again: NAME_smoke 0 INPUT DIRECTORY-WITH-A-COPY. Knows
 * nothing of the project. */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX 65536
#define SECONDS   10

struct input {
    uint8_t *p;
    size_t n;
};

struct smoke {
    struct input *corpus;
    size_t n, cap;
    uint64_t random; /* state of the generator */
    int fd;          /* where the input under test is kept */
};

/* SplitMix64 */
static uint64_t next(struct smoke *s)
{
    uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static size_t below(struct smoke *s, size_t n)
{
    return n ? (size_t)(next(s) % n) : 0;
}

static void *need(void *p)
{
    if (!p) {
        perror("smoke");
        exit(2);
    }
    return p;
}

static void run(struct smoke *s, const uint8_t *p, size_t n)
{
    if (ftruncate(s->fd, 0) != 0 || pwrite(s->fd, p, n, 0) != (ssize_t)n) {
        perror("smoke: keeping the input");
        exit(2);
    }
    /* In memory of exactly its size, so that a sanitizer sees a read behind it. */
    uint8_t *copy = need(malloc(n ? n : 1));
    memcpy(copy, p, n);
    (void)LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void load_file(struct smoke *s, const char *path)
{
    FILE *f = need(fopen(path, "rb"));
    struct input in = {.p = need(malloc(INPUT_MAX))};
    in.n = fread(in.p, 1, INPUT_MAX, f);
    (void)fclose(f);
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->corpus = need(realloc(s->corpus, s->cap * sizeof *s->corpus));
    }
    in.p = need(realloc(in.p, in.n ? in.n : 1));
    s->corpus[s->n++] = in;
}

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void load_directory(struct smoke *s, const char *path)
{
    struct dirent **names = NULL;
    int n = scandir(path, &names, visible, alphasort);
    if (n < 0) {
        perror(path);
        exit(2);
    }
    for (int i = 0; i < n; i++) {
        char file[4096];
        (void)snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        load_file(s, file);
        free(names[i]);
    }
    free(names);
}

static void overwrite(struct smoke *s, uint8_t *p, size_t n)
{
    static const uint32_t edges[] = {0,      1,      0x7f,       0x80,       0xff,      0x7fff,
                                     0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
    size_t width = (size_t)1 << below(s, 3);
    if (n < width)
        return;
    uint32_t v = edges[below(s, sizeof edges / sizeof edges[0])];
    size_t at = below(s, n - width + 1);
    for (size_t i = 0; i < width; i++)
        p[at + i] = (uint8_t)(v >> 8 * (width - 1 - i));
}

/* Moves the tail of p so that `take` bytes at `at` become `put` free ones; returns the new size. */
static size_t make_gap(uint8_t *p, size_t n, size_t at, size_t take, size_t put)
{
    if (at > n || take > n - at || n - take + put > INPUT_MAX)
        return n;
    memmove(p + at + put, p + at + take, n - at - take);
    return n - take + put;
}

static size_t insert_piece(struct smoke *s, uint8_t *p, size_t n)
{
    const struct input *from = &s->corpus[below(s, s->n)];
    size_t begin = below(s, from->n);
    size_t length = below(s, from->n - begin + 1);
    size_t at = below(s, n + 1);
    size_t made = make_gap(p, n, at, 0, length);
    if (made != n)
        memcpy(p + at, from->p + begin, length);
    return made;
}

static size_t insert_copy(struct smoke *s, uint8_t *p, size_t n)
{
    size_t at = below(s, n);
    size_t length = below(s, n - at + 1);
    size_t made = make_gap(p, n, at, 0, length);
    if (made != n)
        memmove(p + at, p + at + length, length);
    return made;
}

static size_t mutate_once(struct smoke *s, uint8_t *p, size_t n)
{
    size_t at = below(s, n);
    switch (below(s, 8)) {
    case 0:
    case 1:
        if (n)
            p[at] = (uint8_t)(p[at] ^ 1u << below(s, 8));
        return n;
    case 2:
        if (n)
            p[at] = (uint8_t)next(s);
        return n;
    case 3:
        overwrite(s, p, n);
        return n;
    case 4:
        return make_gap(p, n, at, below(s, n - at + 1), 0);
    case 5:
        return insert_piece(s, p, n);
    case 6:
        return insert_copy(s, p, n);
    default:
        return at; /* cut */
    }
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long mutations(struct smoke *s, long runs)
{
    uint8_t *p = need(malloc(INPUT_MAX));
    double end = seconds() + SECONDS;
    long i = 0;
    for (; i < runs && (i % 64 != 0 || seconds() < end); i++) {
        const struct input *in = &s->corpus[below(s, s->n)];
        size_t n = in->n;
        memcpy(p, in->p, n);
        for (size_t k = 1 + below(s, 6); k > 0; k--)
            n = mutate_once(s, p, n);
        run(s, p, n);
    }
    free(p);
    return i;
}

int main(int argc, char **argv)
{
    struct smoke s = {.random = 1};
    if (argc < 4) {
        (void)fprintf(stderr, "usage: %s RUNS INPUT DIRECTORY...\n", argv[0]);
        return 2;
    }
    for (int i = 3; i < argc; i++)
        load_directory(&s, argv[i]);
    s.fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (s.fd < 0 || s.n == 0) {
        (void)fprintf(stderr, "%s: no corpus, or %s cannot be written\n", argv[0], argv[2]);
        exit(2);
    }
    run(&s, (const uint8_t *)"", 0);
    for (size_t i = 0; i < s.n; i++)
        run(&s, s.corpus[i].p, s.corpus[i].n);
    long made = mutations(&s, strtol(argv[1], NULL, 10));
    (void)printf("%zu inputs and %ld mutations of them\n", s.n, made);
    for (size_t i = 0; i < s.n; i++)
        free(s.corpus[i].p);
    free(s.corpus);
    (void)close(s.fd);
    (void)unlink(argv[2]);
    return 0;
}
