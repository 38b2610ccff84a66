/* Saved studies as anybody could hand them to the library: an input is one, and once more with its
 * head and check sum put right, so that what is behind them is reached. What is refused has a
 * sentence and leaves the handle empty; what is loaded is a study: it is saved as it was loaded,
 * and goes on. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "tunefarm.h"

#define HEAD_SIZE 40
#define SUM_SIZE  4
#define ASKS      3

static void check(int fine)
{
    if (!fine)
        abort();
}

static void same(struct tunefarm_study *s)
{
    const void *one, *two;
    int64_t n, m;
    struct tunefarm_study *again = tunefarm_study_new();
    check(tunefarm_study_save(s, &one, &n) == TUNEFARM_OK);
    check(tunefarm_study_load(again, one, n) == TUNEFARM_OK);
    check(tunefarm_study_save(again, &two, &m) == TUNEFARM_OK);
    check(n == m && memcmp(one, two, (size_t)n) == 0);
    tunefarm_study_free(again);
}

static void use(struct tunefarm_study *s)
{
    const char *text;
    double loss;
    int64_t n = tunefarm_study_count(s), trial;
    for (int64_t i = 0; i < n && i < 64; i++) {
        check(tunefarm_study_params(s, i, &text) == TUNEFARM_OK && text[0] == '{');
        check(tunefarm_study_why(s, i, &text) >= 0 && tunefarm_study_loss(s, i, &loss) >= 0);
        check(tunefarm_study_state(s, i) >= 0);
    }
    check(tunefarm_study_pending(s) <= n && tunefarm_study_best(s, &trial, &loss) >= 0);
    for (int i = 0; i < ASKS && tunefarm_study_ask(s, &trial) == TUNEFARM_OK; i++) {
        check(trial == n + i && tunefarm_study_params(s, trial, &text) == TUNEFARM_OK);
        check(tunefarm_study_tell(s, trial, i) == TUNEFARM_OK);
    }
}

static void load(const uint8_t *data, size_t size)
{
    struct tunefarm_study *s = tunefarm_study_new();
    if (tunefarm_study_load(s, data, (int64_t)size) == TUNEFARM_OK) {
        same(s);
        use(s);
        same(s);
    } else {
        check(tunefarm_study_error(s)[0] && tunefarm_study_count(s) == -1);
        check(tunefarm_study_define(s, "space: {x: {float: [0, 1]}}") == TUNEFARM_OK);
    }
    tunefarm_study_free(s);
}

static void put(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* The spec's size is kept where it can be; the rest is the trail. */
static void put_right(uint8_t *p, size_t size)
{
    uint64_t body = size - HEAD_SIZE - SUM_SIZE, spec = 0;
    for (unsigned i = 0; i < 8; i++)
        spec |= (uint64_t)p[24 + i] << 8 * i;
    spec = spec < body ? spec : body;
    memcpy(p, "tunefarm", 8);
    put(p + 8, 1, 4);
    put(p + 12, 0, 4);
    put(p + 24, spec, 8);
    put(p + 32, body - spec, 8);
    put(p + size - SUM_SIZE, crc32c(0, p, size - SUM_SIZE), SUM_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    load(data, size);
    if (size >= HEAD_SIZE + SUM_SIZE) {
        uint8_t *copy = malloc(size);
        check(copy != NULL);
        memcpy(copy, data, size);
        put_right(copy, size);
        load(copy, size);
        free(copy);
    }
    return 0;
}
