/* The spool on a disk: written by one process, found by the next; limits, a disk that fails, and
 * files that are no spool. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "frame.h"
#include "orphans.h"
#include "spool.h"
#include "tempdir.h"

#define FARM 7u

struct bed {
    struct tempdir dir;
    uv_loop_t loop;
    size_t taken; /* messages */
    uint64_t sum; /* of the trials of finals */
    size_t room;
};

static int setup(void **state)
{
    static struct bed b;
    b = (struct bed){.room = SIZE_MAX};
    tempdir_make(&b.dir);
    assert_int_equal(uv_loop_init(&b.loop), 0);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;
    assert_int_equal(uv_loop_close(&b->loop), 0);
    tempdir_remove(&b->dir);
    return 0;
}

static struct spool *open_spool(struct bed *b, unsigned peer, uint64_t limit)
{
    struct spool *s;
    struct errmsg em;
    struct spool_config c = {.loop = &b->loop,
                             .root = b->dir.path,
                             .peer = {{(uint8_t)peer}},
                             .limit = limit,
                             .retry_ns = NS_PER_MS};
    if (spool_open(&s, &c, &em))
        fail_msg("%s", em.text);
    return s;
}

static void add(struct spool *s, unsigned kind, const void *msg)
{
    struct buf body;
    buf_init(&body, 0);
    message_encode(&body, kind, msg);
    spool_add(s, kind, buf_str(&body));
    buf_fini(&body);
}

static void begin(struct spool *s, unsigned peer)
{
    struct msg_hello h = {.role = ROLE_WORKER, .peer = {{(uint8_t)peer}}};
    struct msg_welcome w = {.farm = FARM, .timeline = FARM};
    spool_new(s);
    add(s, MSG_HELLO, &h);
    add(s, MSG_WELCOME, &w);
}

static void add_final(struct spool *s, uint64_t trial)
{
    struct msg_final m = {.study = 1, .trial = trial, .attempt = 1, .has_value = true};
    add(s, MSG_FINAL, &m);
}

static void run(struct bed *b, struct spool *s)
{
    spool_flush(s, clock_now());
    while (spool_busy(s)) {
        uv_run(&b->loop, UV_RUN_ONCE);
        spool_flush(s, clock_now());
    }
}

static bool on_taken(void *self, unsigned kind, const union message *m)
{
    struct bed *b = self;
    if (b->taken == b->room)
        return false;
    b->taken++;
    b->sum += kind == MSG_FINAL ? m->final.trial : 0;
    return true;
}

static void take(struct bed *b, struct spool *s)
{
    b->taken = 0;
    b->sum = 0;
    spool_take(s, FARM, FARM, on_taken, b);
}

/* Files of the spool directory with this ending. */
static size_t files(const struct bed *b, const char *ending)
{
    char command[300];
    size_t n = 0;
    snprintf(command, sizeof command, "ls %s/spool | grep -c '%s$'", b->dir.path, ending);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%zu", &n), 1);
    (void)pclose(f);
    return n;
}

static const char *path_of(const struct bed *b, unsigned peer, const char *ending)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/spool/%02x%030d%s", b->dir.path, peer, 0, ending);
    return path;
}

/* The process ends as by SIGKILL: its lock goes, its file stays. */
static void spool_of_the_dead(struct bed *b, unsigned peer, unsigned finals)
{
    char copy[800];
    struct spool *s = open_spool(b, peer, 1u << 20);
    begin(s, peer);
    for (unsigned i = 1; i <= finals; i++)
        add_final(s, i);
    run(b, s);
    snprintf(copy, sizeof copy, "cp %s %s/kept", path_of(b, peer, ".spool"), b->dir.path);
    assert_int_equal(system(copy), 0);
    spool_new(s);
    spool_close(s);
    snprintf(copy, sizeof copy, "mv %s/kept %s", b->dir.path, path_of(b, peer, ".spool"));
    assert_int_equal(system(copy), 0);
}

static void nothing_costs_nothing(void **state)
{
    struct bed *b = *state;
    struct spool *s = open_spool(b, 1, 1u << 20);
    spool_new(s);
    spool_flush(s, 0);
    assert_false(spool_busy(s));
    begin(s, 1);
    add_final(s, 1);
    spool_new(s); /* acknowledged before it was written */
    spool_flush(s, 0);
    assert_false(spool_busy(s));
    assert_int_equal(spool_counts(s).writes, 0);
    spool_close(s);
    assert_int_equal(files(b, "spool"), 0);
}

static void the_file_is_private_and_goes_when_empty(void **state)
{
    struct bed *b = *state;
    struct stat st;
    struct spool *s = open_spool(b, 1, 1u << 20);
    begin(s, 1);
    add_final(s, 1);
    run(b, s);
    assert_int_equal(stat(path_of(b, 1, ".spool"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(st.st_size > 0);
    assert_int_equal(spool_counts(s).syncs, 1);
    spool_new(s);
    run(b, s);
    assert_int_equal(stat(path_of(b, 1, ".spool"), &st), 0);
    assert_int_equal(st.st_size, 0);
    spool_close(s);
    assert_int_equal(files(b, "spool"), 0);
}

static void what_is_left_is_found_by_the_next(void **state)
{
    struct bed *b = *state;
    struct spool *s = open_spool(b, 1, 1u << 20);
    begin(s, 1);
    add_final(s, 3);
    run(b, s);
    add_final(s, 4);
    spool_close(s); /* writes what is left */
    struct spool *next = open_spool(b, 2, 1u << 20);
    take(b, next);
    assert_int_equal(b->taken, 4);
    assert_int_equal(b->sum, 7);
    assert_int_equal(files(b, "spool"), 1); /* until it is its own */
    begin(next, 2);
    add_final(next, 3);
    run(b, next);
    assert_int_equal(files(b, "spool"), 1);
    assert_int_equal(access(path_of(b, 1, ".spool"), F_OK), -1);
    assert_int_equal(spool_counts(next).taken, 1);
    spool_close(next);
}

static void the_living_are_left_alone(void **state)
{
    struct bed *b = *state;
    struct spool *s = open_spool(b, 1, 1u << 20);
    begin(s, 1);
    add_final(s, 3);
    run(b, s);
    struct spool *other = open_spool(b, 2, 1u << 20);
    take(b, other);
    assert_int_equal(b->taken, 0);
    spool_settle(other);
    assert_int_equal(files(b, "spool"), 1);
    spool_close(other);
    spool_close(s);
}

static void two_never_take_the_same(void **state)
{
    struct bed *b = *state;
    spool_of_the_dead(b, 1, 2);
    struct spool *one = open_spool(b, 2, 1u << 20), *two = open_spool(b, 3, 1u << 20);
    take(b, one);
    assert_int_equal(b->sum, 3);
    take(b, two);
    assert_int_equal(b->taken, 0);
    spool_close(one); /* it ended before it had made it its own */
    take(b, two);
    assert_int_equal(b->sum, 3);
    spool_settle(two);
    assert_int_equal(files(b, "spool"), 0);
    spool_close(two);
}

static void what_is_no_spool_is_set_aside(void **state)
{
    struct bed *b = *state;
    char text[4096];
    spool_of_the_dead(b, 1, 2);
    FILE *f = fopen(path_of(b, 1, ".spool"), "rb");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    (void)fclose(f);
    tempdir_write(path_of(b, 4, ".spool"), str_make(text, n - 1));
    tempdir_write(path_of(b, 5, ".spool"),
                  STR("no spool at all, but long enough for a header of it"));
    assert_int_equal(symlink("/etc/passwd", path_of(b, 6, ".spool")), 0);
    tempdir_write(path_of(b, 7, ".spool"), STR(""));
    tempdir_write(path_of(b, 8, ".next"), str_make(text, n));
    struct spool *s = open_spool(b, 2, 1u << 20);
    take(b, s);
    assert_int_equal(b->sum, 3 + 1); /* the torn one had one whole final */
    assert_int_equal(spool_counts(s).taken, 2);
    assert_int_equal(spool_counts(s).set_aside, 3);
    spool_settle(s);
    assert_int_equal(files(b, "spool") + files(b, "next"), 0);
    assert_int_equal(files(b, "bad"), 2);
    assert_int_equal(files(b, "torn"), 1);
    spool_close(s);
}

static void another_farms_is_set_aside(void **state)
{
    struct bed *b = *state;
    spool_of_the_dead(b, 1, 2);
    struct spool *s = open_spool(b, 2, 1u << 20);
    spool_take(s, FARM + 1, FARM, on_taken, b);
    assert_int_equal(b->taken, 0);
    assert_int_equal(files(b, "foreign"), 1);
    spool_close(s);
}

static void few_are_kept_aside(void **state)
{
    struct bed *b = *state;
    struct spool *s = open_spool(b, 1, 1u << 20);
    for (unsigned i = 10; i < 30; i++) {
        tempdir_write(path_of(b, i, ".spool"), STR("nothing"));
        take(b, s);
    }
    assert_int_equal(spool_counts(s).set_aside, 20);
    assert_int_equal(files(b, "bad"), 8);
    assert_int_equal(access(path_of(b, 29, ".bad"), F_OK), 0);
    spool_close(s);
}

static void without_room_it_stays_where_it_is(void **state)
{
    struct bed *b = *state;
    spool_of_the_dead(b, 1, 5);
    struct spool *s = open_spool(b, 2, 1u << 20);
    b->room = 4;
    take(b, s);
    spool_settle(s);
    assert_int_equal(files(b, "spool"), 1);
    spool_close(s);
}

static void results_have_room_when_others_have_none(void **state)
{
    struct bed *b = *state;
    struct spool *s = open_spool(b, 1, 8000);
    static char blanks[3000];
    memset(blanks, ' ', sizeof blanks);
    memcpy(blanks, "{}", 2);
    struct point p = {.step = 1, .metrics = str_make(blanks, sizeof blanks)};
    struct msg_report m = {.study = 1, .attempt = 1, .points = {&p, 1}};
    begin(s, 1);
    add(s, MSG_REPORT, &m);
    assert_int_equal(spool_counts(s).left_out, 0);
    add(s, MSG_REPORT, &m); /* beyond three quarters */
    assert_int_equal(spool_counts(s).left_out, 1);
    run(b, s);
    for (unsigned i = 0; i < 20; i++)
        add_final(s, 100 + i);
    assert_int_equal(spool_counts(s).left_out, 1);
    run(b, s);
    for (unsigned i = 0; i < 100; i++)
        add_final(s, i);
    assert_true(spool_counts(s).left_out > 1);
    run(b, s);
    struct stat st;
    assert_int_equal(stat(path_of(b, 1, ".spool"), &st), 0);
    assert_in_range(st.st_size, 4000, 8000);
    spool_close(s);
    struct spool *next = open_spool(b, 2, 1u << 20);
    take(b, next);
    assert_true(b->taken > 20);
    spool_settle(next);
    spool_close(next);
}

static void one_that_grows_is_written_anew(void **state)
{
    struct bed *b = *state;
    struct spool *s = open_spool(b, 1, 16u << 20);
    int64_t next;
    begin(s, 1);
    bool wanted = false;
    for (uint64_t i = 0; !wanted && i < 100000; i++) {
        add_final(s, i);
        if (i % 1000 == 0)
            run(b, s);
        wanted = spool_wants_all(s, clock_now(), &next);
    }
    assert_true(wanted);
    assert_false(spool_wants_all(s, clock_now(), &next)); /* said once */
    begin(s, 1);
    add_final(s, 5);
    run(b, s);
    struct stat st;
    assert_int_equal(stat(path_of(b, 1, ".spool"), &st), 0);
    assert_in_range(st.st_size, 1, 500);
    assert_int_equal(files(b, "next"), 0);
    add_final(s, 6);
    spool_close(s);
    struct spool *after = open_spool(b, 2, 1u << 20);
    take(b, after);
    assert_int_equal(b->sum, 11);
    spool_settle(after);
    spool_close(after);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit r;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
    r.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/* A write that is cut short and then refused, as by a disk that is full. */
static void a_disk_that_refuses_loses_nothing_before(void **state)
{
    struct bed *b = *state;
    struct spool *s = open_spool(b, 1, 1u << 20);
    int64_t next;
    signal(SIGXFSZ, SIG_IGN);
    begin(s, 1);
    add_final(s, 3);
    run(b, s);
    limit_files(350);
    for (unsigned i = 0; i < 10; i++)
        add_final(s, 100);
    run(b, s);
    assert_int_equal(spool_counts(s).failed, 1);
    add_final(s, 100); /* thrown away */
    run(b, s);
    assert_int_equal(spool_counts(s).failed, 1);
    assert_false(spool_wants_all(s, 0, &next));
    assert_true(next > 0 && next < CLOCK_NEVER);
    assert_true(spool_wants_all(s, next, &next));
    begin(s, 1);
    for (unsigned i = 0; i < 10; i++)
        add_final(s, 100);
    run(b, s);
    assert_int_equal(spool_counts(s).failed, 2);
    assert_int_equal(files(b, "next"), 0);
    limit_files(RLIM_INFINITY);
    struct spool *other = open_spool(b, 2, 1u << 20);
    spool_close(s);
    take(b, other); /* what was written before the disk was full */
    assert_int_equal(b->sum, 3);
    assert_int_equal(spool_counts(other).set_aside, 0);
    spool_settle(other);
    spool_close(other);
}

static void after_a_failure_it_is_written_again(void **state)
{
    struct bed *b = *state;
    struct spool *s = open_spool(b, 1, 1u << 20);
    int64_t next;
    signal(SIGXFSZ, SIG_IGN);
    limit_files(0);
    begin(s, 1);
    add_final(s, 3);
    run(b, s);
    assert_int_equal(spool_counts(s).failed, 1);
    assert_int_equal(files(b, "spool"), 0);
    limit_files(RLIM_INFINITY);
    assert_true(spool_wants_all(s, INT64_MAX - 1, &next));
    begin(s, 1);
    add_final(s, 3);
    run(b, s);
    assert_int_equal(spool_counts(s).writes, 1);
    assert_int_equal(files(b, "spool"), 1);
    spool_close(s);
}

static void a_root_that_is_no_directory_is_refused(void **state)
{
    struct bed *b = *state;
    struct spool *s;
    struct errmsg em = {""};
    struct spool_config c = {.loop = &b->loop, .root = "/dev/null", .limit = 1};
    assert_int_not_equal(spool_open(&s, &c, &em), ERR_OK);
    assert_non_null(strstr(em.text, "/dev/null/spool"));
}

static void orphans_are_bounded(void **state)
{
    struct bed *b = *state;
    struct errmsg em;
    struct stat st;
    char path[200];
    static char object[8192];
    memset(object, ' ', sizeof object - 1);
    memcpy(object, "{\"value\":1", 10);
    object[sizeof object - 2] = '}';
    for (unsigned i = 0; i < 2 * ORPHANS_FILE_MAX / sizeof object + 10; i++)
        assert_int_equal(orphans_add(b->dir.path, str_of(object), &em), ERR_OK);
    snprintf(path, sizeof path, "%s/orphans/results.jsonl", b->dir.path);
    assert_int_equal(stat(path, &st), 0);
    assert_in_range(st.st_size, 1, ORPHANS_FILE_MAX);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(path, sizeof path, "%s/orphans/results.1.jsonl", b->dir.path);
    assert_int_equal(stat(path, &st), 0);
    assert_in_range(st.st_size, ORPHANS_FILE_MAX, ORPHANS_FILE_MAX + 2 * sizeof object);
}

static void orphans_that_cannot_be_written_are_told(void **state)
{
    struct bed *b = *state;
    struct errmsg em = {""};
    char path[200];
    snprintf(path, sizeof path, "%s/orphans", b->dir.path);
    tempdir_write(path, STR(""));
    assert_int_not_equal(orphans_add(b->dir.path, STR("{\"a\":1}"), &em), ERR_OK);
    assert_non_null(strstr(em.text, "orphans"));
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_costs_nothing),
        TEST(the_file_is_private_and_goes_when_empty),
        TEST(what_is_left_is_found_by_the_next),
        TEST(the_living_are_left_alone),
        TEST(two_never_take_the_same),
        TEST(what_is_no_spool_is_set_aside),
        TEST(another_farms_is_set_aside),
        TEST(few_are_kept_aside),
        TEST(without_room_it_stays_where_it_is),
        TEST(results_have_room_when_others_have_none),
        TEST(one_that_grows_is_written_anew),
        TEST(a_disk_that_refuses_loses_nothing_before),
        TEST(after_a_failure_it_is_written_again),
        TEST(a_root_that_is_no_directory_is_refused),
        TEST(orphans_are_bounded),
        TEST(orphans_that_cannot_be_written_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
