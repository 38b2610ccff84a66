/* Trains a multilayer perceptron on the digits data (8x8 pixels, 10 classes) with minibatch SGD and
 * reports its validation cross-entropy after every epoch. It stands for any training program of
 * yours: it knows nothing of tunefarm but that a report is one JSON line, written to the descriptor
 * that TUNEFARM_FD names, or to stdout without one:
 *
 *     {"step": 3, "loss": 0.41, "accuracy": 0.93}     after epoch 3
 *     {"loss": 0.38, "accuracy": 0.95}                the result: the last epoch's
 *
 * Deterministic: the same arguments and data give the same numbers on the same machine and build.
 * Training that diverges ends early and reports the finite loss LOSS_CAP, so that the optimizer
 * learns that the point is bad; guessing blindly would give ln 10 = 2.30. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIXELS     64
#define CLASSES    10
#define MAX_ROWS   4096
#define MAX_LAYERS 8
#define MAX_UNITS  1024
#define MAX_BATCH  1024
#define LOSS_CAP   10.0

enum activation { ACT_RELU, ACT_TANH, ACT_GELU, ACT_SIGMOID };

struct settings {
    double lr, init, momentum, l2, dropout;
    long layers, units, batch, epochs, seed;
    enum activation act;
    const char *data;
};
struct rows {
    float (*x)[PIXELS]; /* 0 to 1 */
    int *label;
    size_t n;
};
/* One layer: out = in * w + b, w stored a row for each input. */
struct layer {
    size_t in, out;
    float *w, *grad, *speed; /* (in + 1) x out; the last row is the bias */
    float *z, *a,
        *delta;  /* out: before and behind the activation, and the loss's derivative by z */
    float *keep; /* out: dropout's factor of each unit for the present row */
};
struct network {
    struct layer layer[MAX_LAYERS + 1];
    size_t n;
    enum activation act;
    double dropout;
};

static void die(const char *what, const char *detail)
{
    fprintf(stderr, "mlp: %s%s\n", what, detail);
    exit(2);
}

static void *zeroed(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        die("out of memory", "");
    return p;
}

/* splitmix64: the only source of chance. */
static double uniform(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static double gauss(uint64_t *state)
{
    double u = 1.0 - uniform(state);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * uniform(state));
}

/* --- data: CSV with a header; columns split (train, valid, test), target, then the pixels from 0
 * to 16 --- */

static void rows_add(struct rows *r, char *line, const char *file)
{
    if (r->n == MAX_ROWS)
        die("too many rows in ", file);
    char *end;
    long label = strtol(line, &end, 10);
    if (end == line || label < 0 || label >= CLASSES)
        die("a row without a class from 0 to 9 in ", file);
    for (size_t i = 0; i < PIXELS; i++) {
        if (*end != ',')
            die("a row with fewer than 64 pixels in ", file);
        r->x[r->n][i] = strtof(end + 1, &end) / 16.0f;
    }
    r->label[r->n++] = (int)label;
}

static void rows_init(struct rows *r)
{
    r->x = zeroed(MAX_ROWS, sizeof *r->x);
    r->label = zeroed(MAX_ROWS, sizeof *r->label);
    r->n = 0;
}

static void load(const char *file, struct rows *train, struct rows *valid)
{
    FILE *f = fopen(file, "r");
    if (!f) {
        fprintf(stderr, "mlp: cannot open %s: %s\n", file, strerror(errno));
        exit(2);
    }
    rows_init(train);
    rows_init(valid);
    char line[4096];
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "train,", 6) == 0)
            rows_add(train, line + 6, file);
        else if (strncmp(line, "valid,", 6) == 0)
            rows_add(valid, line + 6, file);
    }
    fclose(f);
    if (train->n == 0 || valid->n == 0)
        die("no train or no valid rows in ", file);
}

/* --- network --- */

/* scale: the deviation of a unit's sum at first, when its inputs have deviation 1 */
static void layer_init(struct layer *l, size_t in, size_t out, double scale, uint64_t *chance)
{
    size_t n = (in + 1) * out;
    l->in = in;
    l->out = out;
    l->w = zeroed(n, sizeof *l->w);
    l->grad = zeroed(n, sizeof *l->grad);
    l->speed = zeroed(n, sizeof *l->speed);
    l->z = zeroed(out, sizeof *l->z);
    l->a = zeroed(out, sizeof *l->a);
    l->delta = zeroed(out, sizeof *l->delta);
    l->keep = zeroed(out, sizeof *l->keep);
    for (size_t i = 0; i < in * out; i++)
        l->w[i] = (float)(scale * gauss(chance) / sqrt((double)in));
}

static void network_init(struct network *net, const struct settings *s, uint64_t *chance)
{
    net->n = (size_t)s->layers + 1;
    net->act = s->act;
    net->dropout = s->dropout;
    for (size_t i = 0; i < net->n; i++) {
        size_t in = i == 0 ? PIXELS : (size_t)s->units;
        size_t out = i + 1 == net->n ? CLASSES : (size_t)s->units;
        layer_init(&net->layer[i], in, out, s->init, chance);
    }
}

static void network_free(struct network *net)
{
    for (size_t i = 0; i < net->n; i++) {
        struct layer *l = &net->layer[i];
        free(l->w), free(l->grad), free(l->speed), free(l->z), free(l->a), free(l->delta),
            free(l->keep);
    }
}

static float activate(enum activation act, float z)
{
    switch (act) {
    case ACT_RELU:
        return z > 0 ? z : 0;
    case ACT_TANH:
        return tanhf(z);
    case ACT_GELU:
        return z / (1.0f + expf(-1.702f * z)); /* the usual sigmoid approximation */
    case ACT_SIGMOID:
        return 1.0f / (1.0f + expf(-z));
    }
    return z;
}

static float slope(enum activation act, float z, float a)
{
    switch (act) {
    case ACT_RELU:
        return z > 0 ? 1 : 0;
    case ACT_TANH:
        return 1 - a * a;
    case ACT_GELU: {
        float s = 1.0f / (1.0f + expf(-1.702f * z));
        return s + 1.702f * z * s * (1 - s);
    }
    case ACT_SIGMOID:
        return a * (1 - a);
    }
    return 1;
}

/* Forward through one layer's sums: z = x * w + b. */
static void sums(struct layer *l, const float *x)
{
    memcpy(l->z, l->w + l->in * l->out, l->out * sizeof *l->z);
    for (size_t i = 0; i < l->in; i++) {
        const float *w = l->w + i * l->out;
        float xi = x[i];
        for (size_t j = 0; j < l->out; j++)
            l->z[j] += xi * w[j];
    }
}

/* Turns the last layer's sums into probabilities (its a); returns -ln of the label's. */
static double softmax(struct layer *l, int label)
{
    float top = l->z[0];
    for (size_t j = 1; j < l->out; j++)
        top = l->z[j] > top ? l->z[j] : top;
    double total = 0;
    for (size_t j = 0; j < l->out; j++)
        total += exp((double)(l->z[j] - top));
    for (size_t j = 0; j < l->out; j++)
        l->a[j] = (float)(exp((double)(l->z[j] - top)) / total);
    return log(total) - (double)(l->z[label] - top);
}

/* One row through the network; chance is NULL outside training, where nothing drops out. */
static double forward(struct network *net, const float *x, int label, uint64_t *chance)
{
    for (size_t i = 0; i + 1 < net->n; i++) {
        struct layer *l = &net->layer[i];
        sums(l, x);
        for (size_t j = 0; j < l->out; j++) {
            bool drop = chance && net->dropout > 0 && uniform(chance) < net->dropout;
            l->keep[j] = drop ? 0 : chance ? (float)(1 / (1 - net->dropout)) : 1;
            l->a[j] = activate(net->act, l->z[j]);
        }
        for (size_t j = 0; j < l->out; j++)
            l->delta[j] =
                l->a[j] * l->keep[j]; /* what the next layer sees; overwritten on the way back */
        x = l->delta;
    }
    struct layer *last = &net->layer[net->n - 1];
    sums(last, x);
    return softmax(last, label);
}

/* Adds the row's gradient by w, given delta; writes the loss's derivative by the layer's input to
 * back, if wanted. */
static void layer_back(struct layer *l, const float *x, float *back)
{
    for (size_t i = 0; i < l->in; i++) {
        const float *w = l->w + i * l->out;
        float *g = l->grad + i * l->out, part[4] = {0};
        for (size_t j = 0; j < l->out; j++)
            g[j] += x[i] * l->delta[j];
        if (!back)
            continue;
        size_t j = 0;
        for (; j + 4 <= l->out; j += 4)
            for (size_t k = 0; k < 4; k++)
                part[k] += w[j + k] * l->delta[j + k];
        for (; j < l->out; j++)
            part[0] += w[j] * l->delta[j];
        back[i] = (part[0] + part[1]) + (part[2] + part[3]);
    }
    float *bias = l->grad + l->in * l->out;
    for (size_t j = 0; j < l->out; j++)
        bias[j] += l->delta[j];
}

static void backward(struct network *net, const float *x, int label)
{
    struct layer *last = &net->layer[net->n - 1];
    for (size_t j = 0; j < last->out; j++)
        last->delta[j] = last->a[j] - (j == (size_t)label ? 1.0f : 0.0f);
    for (size_t i = net->n; i-- > 0;) {
        struct layer *l = &net->layer[i];
        if (i == 0) {
            layer_back(l, x, NULL);
            break;
        }
        struct layer *below = &net->layer[i - 1];
        float seen[MAX_UNITS];
        memcpy(seen, below->delta, below->out * sizeof *seen);
        layer_back(l, seen, below->delta);
        for (size_t j = 0; j < below->out; j++)
            below->delta[j] *= below->keep[j] * slope(net->act, below->z[j], below->a[j]);
    }
}

/* One step of SGD along a running mean of the gradients (so momentum changes how far it looks back,
 * not how far it goes). L2 pulls at weights, not at biases. Clears the gradient. */
static void step(struct network *net, const struct settings *s, double lr, size_t batch)
{
    float mean = 1.0f / (float)batch, rate = (float)lr, keep = (float)s->momentum,
          pull = (float)s->l2;
    for (size_t i = 0; i < net->n; i++) {
        struct layer *l = &net->layer[i];
        size_t weights = l->in * l->out, all = weights + l->out;
        for (size_t k = 0; k < all; k++) {
            float g = l->grad[k] * mean + (k < weights ? pull * l->w[k] : 0);
            l->speed[k] = keep * l->speed[k] + (1 - keep) * g;
            l->w[k] -= rate * l->speed[k];
        }
        memset(l->grad, 0, all * sizeof *l->grad);
    }
}

static void train_epoch(struct network *net, const struct settings *s, const struct rows *r,
                        size_t *order, double lr, uint64_t *chance)
{
    for (size_t i = r->n; i-- > 1;) {
        size_t j = (size_t)(uniform(chance) * (double)(i + 1)), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (size_t at = 0; at < r->n;) {
        size_t n = r->n - at < (size_t)s->batch ? r->n - at : (size_t)s->batch;
        for (size_t k = 0; k < n; k++, at++) {
            size_t row = order[at];
            forward(net, r->x[row], r->label[row], chance);
            backward(net, r->x[row], r->label[row]);
        }
        step(net, s, lr, n);
    }
}

static double evaluate(struct network *net, const struct rows *r, double *accuracy)
{
    const struct layer *last = &net->layer[net->n - 1];
    double loss = 0;
    size_t right = 0;
    for (size_t i = 0; i < r->n; i++) {
        loss += forward(net, r->x[i], r->label[i], NULL);
        size_t best = 0;
        for (size_t j = 1; j < CLASSES; j++)
            best = last->a[j] > last->a[best] ? j : best;
        right += best == (size_t)r->label[i];
    }
    *accuracy = (double)right / (double)r->n;
    return loss / (double)r->n;
}

/* --- arguments --- */

static double number(const char *name, const char *text, double low, double high)
{
    char *end;
    if (*text == '\0')
        return 0; /* the placeholder of a parameter that is not active */
    double v = strtod(text, &end);
    if (*end != '\0' || !(v >= low && v <= high)) {
        fprintf(stderr, "mlp: %s %s: expected a number from %g to %g\n", name, text, low, high);
        exit(2);
    }
    return v;
}

static enum activation activation(const char *text)
{
    static const char *const names[] = {"relu", "tanh", "gelu", "sigmoid"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0)
            return (enum activation)i;
    die("--act: expected relu, tanh, gelu or sigmoid, not ", text);
    return ACT_RELU;
}

static void set(struct settings *s, const char *name, const char *text)
{
    if (strcmp(name, "--lr") == 0)
        s->lr = number(name, text, 0, 1e3);
    else if (strcmp(name, "--init") == 0)
        s->init = number(name, text, 0, 1e3);
    else if (strcmp(name, "--momentum") == 0)
        s->momentum = number(name, text, 0, 0.99999);
    else if (strcmp(name, "--l2") == 0)
        s->l2 = number(name, text, 0, 1e3);
    else if (strcmp(name, "--dropout") == 0)
        s->dropout = number(name, text, 0, 0.99);
    else if (strcmp(name, "--layers") == 0)
        s->layers = (long)number(name, text, 0, MAX_LAYERS);
    else if (strcmp(name, "--units") == 0)
        s->units = (long)number(name, text, 1, MAX_UNITS);
    else if (strcmp(name, "--batch") == 0)
        s->batch = (long)number(name, text, 1, MAX_BATCH);
    else if (strcmp(name, "--epochs") == 0)
        s->epochs = (long)number(name, text, 1, 10000);
    else if (strcmp(name, "--seed") == 0)
        s->seed = (long)number(name, text, 0, 0x1p53);
    else if (strcmp(name, "--act") == 0)
        s->act = activation(text);
    else if (strcmp(name, "--data") == 0)
        s->data = text;
    else
        die("unknown option ", name);
}

static FILE *report_channel(void)
{
    const char *fd = getenv("TUNEFARM_FD");
    FILE *f = fd ? fdopen((int)strtol(fd, NULL, 10), "w") : stdout;
    if (!f)
        die("TUNEFARM_FD is not an open descriptor: ", fd);
    setvbuf(f, NULL, _IOLBF, 0);
    return f;
}

int main(int argc, char **argv)
{
    struct settings s = {.lr = 0.3,
                         .init = 1,
                         .momentum = 0.9,
                         .layers = 1,
                         .units = 32,
                         .batch = 32,
                         .epochs = 10,
                         .seed = 1,
                         .data = "digits.csv"};
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            die("an option without a value: ", argv[i]);
        set(&s, argv[i], argv[i + 1]);
    }
    struct rows train, valid;
    load(s.data, &train, &valid);
    uint64_t chance = (uint64_t)s.seed;
    struct network net;
    network_init(&net, &s, &chance);
    size_t *order = zeroed(train.n, sizeof *order);
    for (size_t i = 0; i < train.n; i++)
        order[i] = i;

    FILE *out = report_channel();
    double loss = LOSS_CAP, accuracy = 0;
    for (long epoch = 1; epoch <= s.epochs; epoch++) {
        double left = 1 - (double)(epoch - 1) / (double)s.epochs; /* the rate falls linearly */
        train_epoch(&net, &s, &train, order, s.lr * left, &chance);
        loss = evaluate(&net, &valid, &accuracy);
        if (!(loss < LOSS_CAP)) {
            loss = LOSS_CAP;
            break;
        }
        fprintf(out, "{\"step\": %ld, \"loss\": %.6f, \"accuracy\": %.4f}\n", epoch, loss,
                accuracy);
    }
    fprintf(out, "{\"loss\": %.6f, \"accuracy\": %.4f}\n", loss, accuracy);
    fclose(out);
    network_free(&net);
    free(order), free(train.x), free(train.label), free(valid.x), free(valid.label);
    return 0;
}
