/* The lines of the live view, of improvements and of the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cell.h"
#include "render.h"

static struct progress p;
static struct buf out;

static void feed(struct record r)
{
    struct progress_news news = progress_on_record(&p, &r);
    progress_news_fini(&news);
}

static int setup(void **state)
{
    (void)state;
    buf_init(&out, 0);
    progress_init(&p, "digits-mlp", false, 60);
    for (uint64_t i = 0; i < 12; i++) {
        feed((struct record){
            .kind = REC_PROPOSED, .trial = i, .text = STR("{\"lr\":0.0123456,\"act\":\"relu\"}")});
        feed((struct record){.kind = REC_GRANTED, .trial = i, .attempt = 1});
        feed((struct record){.kind = REC_STARTED, .trial = i, .attempt = 1, .wall_ms = 1000});
        if (i == 0)
            progress_mark(&p, 1000);
    }
    for (uint64_t i = 0; i < 6; i++)
        feed((struct record){
            .kind = REC_FINISHED,
            .trial = i,
            .code = i == 5 ? TRIAL_FAILED : TRIAL_COMPLETE,
            .has_value = i != 5,
            .note = i == 5 ? STR("exit status 1; last output: Traceback:\n  in f\n  E: bad\n")
                           : STR(""),
            .value = 100.0 / (double)(1 + i)});
    feed((struct record){
        .kind = REC_REPORTED, .trial = 7, .step = 12, .has_value = true, .value = 0.2137});
    p.workers = 2;
    p.slots = 8;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    progress_fini(&p);
    buf_fini(&out);
    return 0;
}

static void test_live_view(void **state)
{
    (void)state;
    struct render_style s = {.width = 100, .utf8 = false, .color = false};
    assert_int_equal(render_live(&p, &s, 7000, &out), 6);
    assert_string_equal(
        buf_z(&out), "digits-mlp  ##----------------------  6/60  6.0 s, about 54 s left\n"
                     "  6 running  5 complete  1 failed  on 8 slots of 2 workers\n"
                     "  best 20  trial 4  lr=0.01235 act=relu\n"
                     "  #-.___\n"
                     "  last error  trial 5  exit status 1: E: bad\n"
                     "  #6 6.0 s  #7 step 12 0.2137  #8 6.0 s  #9 6.0 s  #10 6.0 s  #11 6.0 s\n");
}

/* Whatever the width, no line is wider; and a narrow view says how many it leaves out. */
static void test_width_is_never_exceeded(void **state)
{
    (void)state;
    for (size_t width = 20; width < 130; width += 7) {
        for (int utf8 = 0; utf8 < 2; utf8++) {
            struct render_style s = {.width = width, .utf8 = utf8 != 0};
            buf_clear(&out);
            size_t lines = render_live(&p, &s, 7000, &out), seen = 0;
            const char *line = buf_z(&out);
            for (; *line; seen++) {
                size_t n = strcspn(line, "\n");
                assert_true(cell_width(str_make(line, n)) <= width);
                line += n + 1;
            }
            assert_int_equal(seen, lines);
            assert_true(lines <= RENDER_LINES);
        }
    }
    struct render_style narrow = {.width = 34};
    buf_clear(&out);
    render_live(&p, &narrow, 7000, &out);
    assert_non_null(strstr(buf_z(&out), " more\n"));
}

static void test_no_color_no_escape(void **state)
{
    (void)state;
    struct render_style s = {.width = 80, .utf8 = true, .color = false};
    render_live(&p, &s, 7000, &out);
    assert_null(strchr(buf_z(&out), '\x1b'));
    assert_non_null(strstr(buf_z(&out), "\xe2\x96\x88"));
    s.color = true;
    buf_clear(&out);
    render_live(&p, &s, 7000, &out);
    assert_non_null(strstr(buf_z(&out), "\x1b[32m"));
}

static void test_improvement(void **state)
{
    (void)state;
    struct render_style s = {.width = 160};
    char params[] = "{\"lr\":0.5}";
    struct progress_news news = {.change = PROGRESS_IMPROVED,
                                 .trial = 21,
                                 .has_loss = true,
                                 .loss = 0.07129,
                                 .params = params};
    render_improvement(&p, &news, &s, &out);
    assert_string_equal(buf_z(&out), "trial 21  loss 0.07129  (6 of 60)  lr=0.5\n");
}

static void test_summary_and_json(void **state)
{
    (void)state;
    feed((struct record){.kind = REC_STUDY_CLOSED, .note = STR("trials")});
    feed((struct record){.kind = REC_STUDY_ENDED});
    render_summary(&p, 72, &out);
    assert_string_equal(buf_z(&out),
                        "digits-mlp: 6 trials: 6 running, 5 complete, 1 failed in 1:12\n"
                        "best trial 4: loss 20\n"
                        "  lr   0.0123456\n"
                        "  act  relu\n");
    buf_clear(&out);
    render_json(&p, 1.5, &out);
    assert_string_equal(
        buf_z(&out),
        "{\"study\":\"digits-mlp\",\"trials\":{\"running\":6,\"complete\":5,\"pruned\":0,"
        "\"failed\":1,\"cancelled\":0},\"best\":{\"trial\":4,\"loss\":20,\"params\":"
        "{\"lr\":0.0123456,\"act\":\"relu\"}},\"ended\":true,\"why\":\"trials\",\"seconds\":1.5}"
        "\n");
}

static void test_nothing_yet(void **state)
{
    (void)state;
    struct progress empty;
    struct render_style s = {.width = 80};
    progress_init(&empty, "x", false, 0);
    assert_int_equal(render_live(&empty, &s, 0, &out), 2);
    buf_clear(&out);
    render_json(&empty, 0, &out);
    assert_non_null(strstr(buf_z(&out), "\"best\":null"));
    progress_fini(&empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_live_view, setup, teardown),
        cmocka_unit_test_setup_teardown(test_width_is_never_exceeded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_color_no_escape, setup, teardown),
        cmocka_unit_test_setup_teardown(test_improvement, setup, teardown),
        cmocka_unit_test_setup_teardown(test_summary_and_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_yet, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
