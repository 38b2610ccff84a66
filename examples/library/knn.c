/* Tunes a nearest-neighbour classifier of handwritten digits (8x8 pixels, 10 classes) in its own
 * process, with tunefarm as a library: no farm, no files but the data, no second program.
 *
 *     knn DATA.csv [TRIALS [SAVED]]
 *
 * Each trial classifies the rows "valid" by their neighbours among the rows "train"; its loss is
 * the mean of -ln p(right digit). With SAVED the study is kept in that file after every trial, and
 * goes on from there the next time. Build it against an installed tunefarm with
 *
 *     cc -o knn knn.c $(pkg-config --cflags --libs tunefarm) -lm */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tunefarm.h>

#define PIXELS   64
#define LEVELS   17
#define CLASSES  10
#define MAX_ROWS 4096
#define MAX_K    40

static const char study_text[] =
    "space:\n"
    "  k:      {int: [1, 40], log: true}          # neighbours\n"
    "  ink:    {float: [0.2, 5], log: true}       # pixels are raised to this power first\n"
    "  p:      {float: [0.5, 6], log: true}       # exponent of the distance\n"
    "  smooth: {float: [1e-4, 1], log: true}      # votes that every digit has beforehand\n"
    "  votes:\n"
    "    choice:\n"
    "      - equal\n"
    "      - near: {power: {float: [0.2, 12], log: true}}   # nearer neighbours count more\n"
    "sampler: {seed: 1}\n";

struct rows {
    uint8_t x[MAX_ROWS][PIXELS]; /* 0 to 16 */
    uint8_t label[MAX_ROWS];
    size_t n;
};
struct settings {
    int64_t k;
    double ink, p, smooth, power;
};
struct neighbour {
    double distance;
    uint8_t label;
};

static struct rows train, valid;

static _Noreturn void die(const char *what, const char *detail)
{
    fprintf(stderr, "knn: %s%s\n", what, detail);
    exit(2);
}

static void read_row(char *line)
{
    struct rows *rows = !strncmp(line, "train,", 6)   ? &train
                        : !strncmp(line, "valid,", 6) ? &valid
                                                      : NULL;
    if (!rows)
        return;
    if (rows->n == MAX_ROWS)
        die("too many rows", "");
    char *p = line + 6;
    rows->label[rows->n] = (uint8_t)(strtoul(p, &p, 10) % CLASSES);
    for (int i = 0; i < PIXELS; i++) {
        if (*p != ',')
            die("a row has too few columns: ", line);
        rows->x[rows->n][i] = (uint8_t)(strtoul(p + 1, &p, 10) % LEVELS);
    }
    rows->n++;
}

static void read_data(const char *path)
{
    char line[1024];
    FILE *f = fopen(path, "r");
    if (!f)
        die("cannot open ", path);
    while (fgets(line, sizeof line, f))
        read_row(line);
    fclose(f);
    if (train.n == 0 || valid.n == 0)
        die("no rows in ", path);
}

/* Keeps the k nearest, nearest first. */
static void keep_nearest(struct neighbour *best, int64_t *n, int64_t k, struct neighbour candidate)
{
    int64_t i = *n < k ? (*n)++ : k - 1;
    if (i == k - 1 && *n == k && best[i].distance < candidate.distance)
        return;
    for (; i > 0 && best[i - 1].distance > candidate.distance; i--)
        best[i] = best[i - 1];
    best[i] = candidate;
}

static double loss_of_row(const struct settings *s, double term[LEVELS][LEVELS], size_t row)
{
    struct neighbour best[MAX_K];
    double votes[CLASSES], sum = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < MAX_K; i++)
        best[i] = (struct neighbour){INFINITY, 0};
    for (size_t t = 0; t < train.n; t++) {
        double d = 0;
        for (int i = 0; i < PIXELS; i++)
            d += term[valid.x[row][i]][train.x[t][i]];
        keep_nearest(best, &n, s->k, (struct neighbour){d, train.label[t]});
    }
    for (int c = 0; c < CLASSES; c++)
        sum += votes[c] = s->smooth;
    for (int64_t i = 0; i < n; i++) {
        double near = (best[0].distance + 1e-9) / (best[i].distance + 1e-9);
        double vote = s->power > 0 ? pow(near, s->power) : 1;
        votes[best[i].label] += vote;
        sum += vote;
    }
    return -log(votes[valid.label[row]] / sum);
}

static double evaluate(const struct settings *s)
{
    double term[LEVELS][LEVELS], sum = 0;
    for (int a = 0; a < LEVELS; a++)
        for (int b = 0; b < LEVELS; b++)
            term[a][b] = pow(fabs(pow(a / 16.0, s->ink) - pow(b / 16.0, s->ink)), s->p);
    for (size_t row = 0; row < valid.n; row++)
        sum += loss_of_row(s, term, row);
    return sum / (double)valid.n;
}

/* A fault of the library ends this program; positive statuses are answers. */
static int32_t sure(struct tunefarm_study *s, int32_t status)
{
    if (status < 0)
        die("", tunefarm_study_error(s));
    return status;
}

static struct settings settings_of(struct tunefarm_study *s, int64_t trial)
{
    struct settings set;
    sure(s, tunefarm_study_get_int(s, trial, "k", &set.k));
    sure(s, tunefarm_study_get_double(s, trial, "ink", &set.ink));
    sure(s, tunefarm_study_get_double(s, trial, "p", &set.p));
    sure(s, tunefarm_study_get_double(s, trial, "smooth", &set.smooth));
    if (sure(s, tunefarm_study_get_double(s, trial, "power", &set.power)) == TUNEFARM_NONE)
        set.power = 0; /* not active: the votes are equal */
    return set;
}

static void show(struct tunefarm_study *s, const char *what, int64_t trial, double loss)
{
    const char *params;
    sure(s, tunefarm_study_params(s, trial, &params));
    printf("%s %lld  loss %.5f  %s\n", what, (long long)trial, loss, params);
}

/* The study in the file, or a new one. What was running when the program ended is given up. */
static void open_study(struct tunefarm_study *s, const char *saved)
{
    int32_t status = saved ? tunefarm_study_load_file(s, saved) : TUNEFARM_NOT_FOUND;
    if (status == TUNEFARM_NOT_FOUND)
        status = tunefarm_study_define(s, study_text);
    sure(s, status);
    for (int64_t i = 0; i < tunefarm_study_count(s); i++)
        if (tunefarm_study_state(s, i) == TUNEFARM_TRIAL_PENDING)
            sure(s, tunefarm_study_cancel(s, i));
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4)
        die("usage: knn DATA.csv [TRIALS [SAVED]]", "");
    long trials = argc > 2 ? strtol(argv[2], NULL, 10) : 40;
    const char *saved = argc > 3 ? argv[3] : NULL;
    struct tunefarm_study *s = tunefarm_study_new();
    int64_t trial;
    double loss;
    read_data(argv[1]);
    open_study(s, saved);
    for (long i = 0; i < trials && sure(s, tunefarm_study_ask(s, &trial)) == TUNEFARM_OK; i++) {
        struct settings set = settings_of(s, trial);
        loss = evaluate(&set);
        sure(s, tunefarm_study_tell(s, trial, loss));
        show(s, "trial", trial, loss);
        if (saved)
            sure(s, tunefarm_study_save_file(s, saved));
    }
    if (sure(s, tunefarm_study_best(s, &trial, &loss)) == TUNEFARM_OK)
        show(s, "best trial", trial, loss);
    tunefarm_study_free(s);
    return 0;
}
