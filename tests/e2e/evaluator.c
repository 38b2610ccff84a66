/* The evaluator of the end-to-end tests and of the farm's benchmark: a program with no dependency
 * that behaves as its arguments say. It minimises (x - 0.3)^2 over the parameter x (0 if there is
 * none), plain or served.
 *
 *   evaluator [--served] [--steps N] [--sleep-ms M] [--fail-over F] [--touch DIR] [--stamp FILE]
 * [--ignore-term]
 *
 * --steps N      reports N intermediate losses, M milliseconds apart
 * --fail-over F  exits with status 3 when x > F
 * --touch DIR    appends a line "trial attempt pid" to DIR/runs, so that a test can count
 * executions
 * --stamp FILE   appends a line "start final" of CLOCK_MONOTONIC nanoseconds for each trial to FILE
 * --ignore-term  ignores SIGTERM */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct settings {
    bool served, ignore_term;
    int steps, sleep_ms;
    double fail_over;
    const char *touch;
    const char *stamp;
};

static double number_after(const char *line, const char *key, double otherwise)
{
    const char *p = strstr(line, key);
    return p ? strtod(p + strlen(key), NULL) : otherwise;
}

static void put(int fd, const char *line)
{
    size_t n = strlen(line);
    while (n > 0) {
        ssize_t k = write(fd, line, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            exit(4);
        line += k;
        n -= (size_t)k;
    }
}

static void rest(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000L};
    while (ms > 0 && nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

static long long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void append(const char *path, const char *text, int n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        exit(5);
    close(fd);
}

static void note_run(const char *dir, const char *line)
{
    char path[4096], text[128];
    snprintf(path, sizeof path, "%s/runs", dir);
    int n = snprintf(text, sizeof text, "%.0f %.0f %ld\n", number_after(line, "\"trial\":", -1),
                     number_after(line, "\"attempt\":", -1), (long)getpid());
    append(path, text, n);
}

static void run_trial(const struct settings *s, int fd, const char *line)
{
    double x = number_after(line, "\"x\":", 0);
    double loss = (x - 0.3) * (x - 0.3);
    char out[160];
    long long start = now_ns();
    if (s->touch)
        note_run(s->touch, line);
    for (int i = 1; i <= s->steps; i++) {
        rest(s->sleep_ms);
        snprintf(out, sizeof out, "{\"step\":%d,\"loss\":%.17g}\n", i, loss + 1.0 / i);
        put(fd, out);
    }
    if (x > s->fail_over) {
        fprintf(stderr, "x is too large: %g\n", x);
        exit(3);
    }
    snprintf(out, sizeof out, "{\"loss\":%.17g}\n", loss);
    long long final = now_ns();
    put(fd, out);
    if (s->stamp)
        append(s->stamp, out, snprintf(out, sizeof out, "%lld %lld\n", start, final));
}

static struct settings read_arguments(int argc, char **argv)
{
    struct settings s = {.fail_over = 1e300};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--served") == 0)
            s.served = true;
        else if (strcmp(argv[i], "--ignore-term") == 0)
            s.ignore_term = true;
        else if (strcmp(argv[i], "--steps") == 0 && i + 1 < argc)
            s.steps = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--sleep-ms") == 0 && i + 1 < argc)
            s.sleep_ms = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--fail-over") == 0 && i + 1 < argc)
            s.fail_over = strtod(argv[++i], NULL);
        else if (strcmp(argv[i], "--touch") == 0 && i + 1 < argc)
            s.touch = argv[++i];
        else if (strcmp(argv[i], "--stamp") == 0 && i + 1 < argc)
            s.stamp = argv[++i];
        else
            exit(2);
    }
    return s;
}

int main(int argc, char **argv)
{
    struct settings s = read_arguments(argc, argv);
    const char *number = getenv("TUNEFARM_FD");
    if (!number)
        return 2;
    int fd = (int)strtol(number, NULL, 10);
    if (s.ignore_term)
        signal(SIGTERM, SIG_IGN);
    FILE *in = fdopen(dup(fd), "r");
    char *line = NULL;
    size_t cap = 0;
    while (in && getline(&line, &cap, in) > 0) {
        if (strstr(line, "\"exit\":true"))
            break;
        if (!strstr(line, "\"params\":"))
            continue;
        run_trial(&s, fd, line);
        if (!s.served)
            break;
    }
    free(line);
    return 0;
}
