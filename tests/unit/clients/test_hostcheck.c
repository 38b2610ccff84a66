/* Each check of a machine, with figures that are fine, doubtful and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "clock.h"
#include "hostcheck.h"
#include "tempdir.h"

#define GIB ((uint64_t)1 << 30)
#define NOW INT64_C(1790000000000)

static struct diagnosis d;

static int setup(void **state)
{
    (void)state;
    diagnosis_init(&d, false, false);
    d.quiet = true;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    diagnosis_fini(&d);
    return 0;
}

/* What the last check said. */
static void expect(enum health h, const char *text)
{
    enum health was = d.n[HEALTH_FAIL] ? HEALTH_FAIL : d.n[HEALTH_WARN] ? HEALTH_WARN : HEALTH_OK;
    assert_int_equal(was, h);
    assert_non_null(strstr(buf_z(&d.out), text));
    buf_clear(&d.out);
    memset(d.n, 0, sizeof d.n);
}

static void disk(void **state)
{
    (void)state;
    struct disk_facts f = {
        .where = "/x", .fs = "ext4", .free = 50 * GIB, .all = 100 * GIB, .needed = GIB / 16};
    hostcheck_disk(&d, &f);
    expect(HEALTH_OK, "50G free on the disk of /x (ext4)");
    f.fs = "tmpfs";
    hostcheck_disk(&d, &f);
    expect(HEALTH_WARN, "in memory");
    f.free = GIB;
    hostcheck_disk(&d, &f);
    expect(HEALTH_WARN, "only 1.0G free");
    f.free = 1 << 20;
    hostcheck_disk(&d, &f);
    expect(HEALTH_FAIL, "1.0M free");
}

static void files(void **state)
{
    (void)state;
    hostcheck_files(&d, 65536);
    expect(HEALTH_OK, "65536");
    hostcheck_files(&d, 1024);
    expect(HEALTH_WARN, "at most");
    hostcheck_files(&d, 64);
    expect(HEALTH_FAIL, "needs 256");
}

static void memory(void **state)
{
    (void)state;
    hostcheck_memory(&d, "memory", 8 * GIB, 16 * GIB);
    expect(HEALTH_OK, "8.0G of 16G");
    hostcheck_memory(&d, "memory", GIB, 16 * GIB);
    expect(HEALTH_WARN, "1.0G of 16G");
    hostcheck_memory(&d, "memory", GIB / 16, 16 * GIB);
    expect(HEALTH_FAIL, "-> end");
}

static void clocks(void **state)
{
    (void)state;
    hostcheck_clock(&d, NOW, 3);
    expect(HEALTH_OK, "2026-");
    hostcheck_clock(&d, NOW, -3600000);
    expect(HEALTH_WARN, "jumped by -3600000 ms");
    hostcheck_clock(&d, 1000, 0);
    expect(HEALTH_FAIL, "1970-");
    hostcheck_timers(&d, NS_PER_MS);
    expect(HEALTH_OK, "1.0 ms late");
    hostcheck_timers(&d, 80 * NS_PER_MS);
    expect(HEALTH_WARN, "80.0 ms late");
}

static void root(void **state)
{
    (void)state;
    struct tempdir dir;
    char path[300], file[300];
    tempdir_make(&dir);
    snprintf(path, sizeof path, "%s/a/b", dir.path);
    hostcheck_root(&d, path);
    assert_non_null(strstr(buf_z(&d.out), "can write to"));
    teardown(NULL);
    setup(NULL);
    snprintf(file, sizeof file, "%s/file", dir.path);
    tempdir_write(file, STR("x"));
    snprintf(path, sizeof path, "%s/file/below", dir.path); /* no directory, for root either */
    hostcheck_root(&d, path);
    expect(HEALTH_FAIL, "cannot write");
    tempdir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(disk, setup, teardown),
        cmocka_unit_test_setup_teardown(files, setup, teardown),
        cmocka_unit_test_setup_teardown(memory, setup, teardown),
        cmocka_unit_test_setup_teardown(clocks, setup, teardown),
        cmocka_unit_test_setup_teardown(root, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
