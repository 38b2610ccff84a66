/* The evaluator of the chaos campaigns: it minimises (x - 0.3)^2, and keeps a record of its own of
 * every run and every result, so that the journal can be compared with what really happened.
 *
 *   chaos-trial --evidence FILE [--served] [--steps N] [--sleep-ms M] [--checkpoint K] [--crash
 * P]
 *
 * Each line of FILE is one write(2): "run STUDY TRIAL ATTEMPT PID RESUME" when a trial begins,
 * "result STUDY TRIAL ATTEMPT LOSS" before the result is sent. --checkpoint K: says after every
 * K-th step that a checkpoint stands at mem:STUDY/TRIAL/ATTEMPT/STEP. --crash P: exits with status
 * 3 in P of 1000 attempts. The loss of an attempt differs from that of any other of its trial by
 * 1e-6 times its number. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct settings {
    bool served;
    int steps, sleep_ms, checkpoint, crash;
    const char *evidence;
};

struct run {
    const char *study;
    long trial, attempt;
    double x;
    char resume[256];
};

static void put(int fd, const char *line, int n)
{
    for (int at = 0; at < n;) {
        ssize_t k = write(fd, line + at, (size_t)(n - at));
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            exit(4);
        at += (int)k;
    }
}

static void note(const struct settings *s, const char *line, int n)
{
    int fd = open(s->evidence, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, (size_t)n) != n)
        exit(5);
    close(fd);
}

static double number_after(const char *line, const char *key, double otherwise)
{
    const char *p = strstr(line, key);
    return p ? strtod(p + strlen(key), NULL) : otherwise;
}

/* The URI of the line's "resume", or "-". */
static void read_resume(const char *line, char out[256])
{
    const char *p = strstr(line, "mem:");
    size_t n = p ? strcspn(p, "\"") : 0;
    snprintf(out, 256, "%.*s", p ? (int)n : 1, p ? p : "-");
}

static struct run read_line(const char *line)
{
    struct run r = {.study = getenv("TUNEFARM_STUDY"),
                    .trial = (long)number_after(line, "\"trial\":", -1),
                    .attempt = (long)number_after(line, "\"attempt\":", -1),
                    .x = number_after(line, "\"x\":", 0)};
    read_resume(line, r.resume);
    return r;
}

static void rest(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000L};
    while (ms > 0 && nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

static bool crashes(const struct settings *s, const struct run *r)
{
    unsigned long draw = (unsigned long)r->trial * 2654435761u + (unsigned long)r->attempt * 40503u;
    return (int)((draw >> 7) % 1000) < s->crash;
}

static void run_trial(const struct settings *s, int fd, const struct run *r)
{
    char line[512];
    double loss = (r->x - 0.3) * (r->x - 0.3) + 1e-6 * (double)r->attempt;
    note(s, line,
         snprintf(line, sizeof line, "run %s %ld %ld %ld %s\n", r->study, r->trial, r->attempt,
                  (long)getpid(), r->resume));
    for (int i = 1; i <= s->steps; i++) {
        rest(s->sleep_ms);
        put(fd, line,
            snprintf(line, sizeof line, "{\"step\":%d,\"loss\":%.17g}\n", i, loss + 1.0 / i));
        if (s->checkpoint && i % s->checkpoint == 0)
            put(fd, line,
                snprintf(line, sizeof line, "{\"checkpoint\":\"mem:%s/%ld/%ld/%d\",\"step\":%d}\n",
                         r->study, r->trial, r->attempt, i, i));
    }
    if (crashes(s, r))
        exit(3);
    note(s, line,
         snprintf(line, sizeof line, "result %s %ld %ld %.17g\n", r->study, r->trial, r->attempt,
                  loss));
    put(fd, line, snprintf(line, sizeof line, "{\"loss\":%.17g}\n", loss));
}

static struct settings read_arguments(int argc, char **argv)
{
    struct settings s = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--served") == 0)
            s.served = true;
        else if (strcmp(argv[i], "--evidence") == 0 && i + 1 < argc)
            s.evidence = argv[++i];
        else if (strcmp(argv[i], "--steps") == 0 && i + 1 < argc)
            s.steps = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--sleep-ms") == 0 && i + 1 < argc)
            s.sleep_ms = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--checkpoint") == 0 && i + 1 < argc)
            s.checkpoint = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--crash") == 0 && i + 1 < argc)
            s.crash = (int)strtol(argv[++i], NULL, 10);
        else
            exit(2);
    }
    if (!s.evidence)
        exit(2);
    return s;
}

int main(int argc, char **argv)
{
    struct settings s = read_arguments(argc, argv);
    const char *number = getenv("TUNEFARM_FD");
    if (!number || !getenv("TUNEFARM_STUDY"))
        return 2;
    int fd = (int)strtol(number, NULL, 10);
    FILE *in = fdopen(dup(fd), "r");
    char *line = NULL;
    size_t cap = 0;
    while (in && getline(&line, &cap, in) > 0) {
        if (strstr(line, "\"exit\":true"))
            break;
        if (!strstr(line, "\"params\":"))
            continue;
        struct run r = read_line(line);
        run_trial(&s, fd, &r);
        if (!s.served)
            break;
    }
    free(line);
    return 0;
}
