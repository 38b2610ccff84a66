/* Handles of different threads do not meet: two threads do the same work at once and come to the
 * same bytes. Under ThreadSanitizer this is the proof that nothing is shared. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tunefarm.h"

#define THREADS 2

struct work {
    struct tunefarm_study *study, *loaded;
    int faults;
};

static int32_t loop(struct tunefarm_study *s, int trials)
{
    int32_t status = TUNEFARM_OK;
    for (int i = 0; i < trials && !status; i++) {
        int64_t trial;
        double x;
        status = tunefarm_study_ask(s, &trial);
        if (!status)
            status = tunefarm_study_get_double(s, trial, "x", &x);
        if (!status)
            status = tunefarm_study_report(s, trial, 1, x);
        if (!status)
            status = tunefarm_study_tell(s, trial, x * x);
    }
    return status;
}

static void *run(void *arg)
{
    struct work *w = arg;
    const void *data;
    int64_t size;
    w->study = tunefarm_study_new();
    w->loaded = tunefarm_study_new();
    w->faults += tunefarm_study_define(w->study, "space: {x: {float: [-1, 2]}, "
                                                 "k: {choice: [{a: {y: {int: [1, 5]}}}, b]}}\n"
                                                 "sampler: {seed: 1}\n") != TUNEFARM_OK;
    w->faults += tunefarm_study_define(w->loaded, "space: {x: 1}") == TUNEFARM_OK;
    w->faults += loop(w->study, 60) != TUNEFARM_OK;
    w->faults += tunefarm_study_save(w->study, &data, &size) != TUNEFARM_OK;
    w->faults += tunefarm_study_load(w->loaded, data, size) != TUNEFARM_OK;
    w->faults += loop(w->loaded, 20) != TUNEFARM_OK;
    return NULL;
}

static void handles_are_independent(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct work work[THREADS] = {{0}};
    const void *data[THREADS];
    int64_t size[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, &work[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(work[i].faults, 0);
        assert_int_equal(tunefarm_study_count(work[i].loaded), 80);
        assert_int_equal(tunefarm_study_save(work[i].loaded, &data[i], &size[i]), TUNEFARM_OK);
    }
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(data[0], data[1], (size_t)size[0]);
    for (int i = 0; i < THREADS; i++) {
        tunefarm_study_free(work[i].study);
        tunefarm_study_free(work[i].loaded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(handles_are_independent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
