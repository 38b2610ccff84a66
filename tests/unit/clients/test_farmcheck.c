/* Judging a farm: each check with rows that are fine, doubtful and bad. */
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "clock.h"
#include "farmcheck.h"
#include "json.h"

static struct diagnosis d;
static struct json_object *values;
static struct str columns[32];

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
    json_object_put(values);
    values = NULL;
    return 0;
}

/* A row of such columns ("a b c") and values ("1, 2, 3"). */
static struct row row_of(const char *names, const char *json)
{
    char text[1100];
    size_t n = 0;
    for (const char *p = names; *p;) {
        size_t k = strcspn(p, " ");
        columns[n++] = str_make(p, k);
        p += k + (p[k] != 0);
    }
    snprintf(text, sizeof text, "[%s]", json);
    json_object_put(values);
    assert_int_equal(json_parse(str_of(text), JSON_STRICT, &values, NULL), ERR_OK);
    return (struct row){.columns = columns, .n = n, .values = values};
}

static void expect(enum health h, const char *text)
{
    enum health was = d.n[HEALTH_FAIL] ? HEALTH_FAIL : d.n[HEALTH_WARN] ? HEALTH_WARN : HEALTH_OK;
    if (was != h || !strstr(buf_z(&d.out), text))
        fail_msg("%d was expected with \"%s\": %s", h, text, buf_z(&d.out));
    buf_clear(&d.out);
    memset(d.n, 0, sizeof d.n);
}

static void check_broker(const char *version, int64_t wall, int jumps, int sessions)
{
    struct farmcheck_broker b;
    char json[300];
    snprintf(json, sizeof json, "\"%s\", %lld, %d, 5000, %d, 100, 5000, \"f\"", version,
             (long long)wall, jumps, sessions);
    struct row r = row_of("version wall_ms clock_jumps clock_jump_ms sessions max_sessions beat_ms "
                          "feed",
                          json);
    farmcheck_broker(&d, &r, &b);
}

static void broker(void **state)
{
    (void)state;
    check_broker(TUNEFARM_VERSION, clock_wall_ms(), 0, 3);
    expect(HEALTH_OK, "3 peers");
    check_broker("9.9.9", clock_wall_ms(), 0, 3);
    expect(HEALTH_WARN, "tunefarm 9.9.9");
    check_broker(TUNEFARM_VERSION, clock_wall_ms() - 100000, 0, 3);
    expect(HEALTH_WARN, "from the one here");
    check_broker(TUNEFARM_VERSION, clock_wall_ms(), 2, 3);
    expect(HEALTH_WARN, "jumped 2 times since its start, last by 5000 ms");
    check_broker(TUNEFARM_VERSION, clock_wall_ms(), 0, 95);
    expect(HEALTH_WARN, "at most 100");
    check_broker(TUNEFARM_VERSION, clock_wall_ms(), 0, 100);
    expect(HEALTH_FAIL, "no more are let in");
}

static const char machine[] = "file fs free_bytes disk_bytes ballast ballast_wanted full files "
                              "files_limit rss_bytes memory_free memory_bytes log_bytes "
                              "commit_mean_us commit_max_us";

static void check_machine(const char *json)
{
    struct row r = row_of(machine, json);
    farmcheck_machine(&d, &r);
}

#define G "000000000" /* the file system's and the machine's are generous */
static void machines(void **state)
{
    (void)state;
    check_machine("\"/f\", \"ext4\", 50" G ", 90" G ", 64, 64, false, 30, 1000, 1000000, 8" G
                  ", 9" G ", 5000, 4000, 9000");
    expect(HEALTH_OK, "30 of 1000");
    check_machine("\"/f\", \"ext4\", 10, 90" G ", 64, 64, false, 30, 1000, 1000000, 8" G ", 9" G
                  ", 5000, 4000, 9000");
    expect(HEALTH_FAIL, "10 free on the disk of /f");
    check_machine("\"/f\", \"ext4\", 50" G ", 90" G ", 0, 64, true, 30, 1000, 1000000, 8" G ", 9" G
                  ", 5000, 4000, 9000");
    expect(HEALTH_FAIL, "the disk is full");
    check_machine("\"/f\", \"ext4\", 50" G ", 90" G ", 0, 64, false, 30, 1000, 1000000, 8" G ", 9" G
                  ", 5000, 4000, 9000");
    expect(HEALTH_WARN, "ballast beside the database is not whole");
    check_machine("\"/f\", \"ext4\", 50" G ", 90" G ", 64, 64, false, 850, 1000, 1000000, 8" G
                  ", 9" G ", 5000, 4000, 9000");
    expect(HEALTH_WARN, "850 of 1000 open files");
    check_machine("\"/f\", \"ext4\", 50" G ", 90" G ", 64, 64, false, 960, 1000, 1000000, 8" G
                  ", 9" G ", 5000, 4000, 9000");
    expect(HEALTH_FAIL, "960 of 1000 open files");
    check_machine("\"/f\", \"ext4\", 50" G ", 90" G ", 64, 64, false, 30, 1000, 6" G ", 3" G ", 9" G
                  ", 5000, 4000, 9000");
    expect(HEALTH_WARN, "more than half");
    check_machine("\"/f\", \"ext4\", 50" G ", 90" G ", 64, 64, false, 30, 1000, 1000000, 1000, 9" G
                  ", 5000, 4000, 9000");
    expect(HEALTH_FAIL, "memory can still be had");
    check_machine("\"/f\", \"ext4\", 50" G ", 90" G ", 64, 64, false, 30, 1000, 1000000, 8" G
                  ", 9" G ", 5" G ", 4000, 9000");
    expect(HEALTH_WARN, "log has grown");
    check_machine("\"/f\", \"ext4\", 50" G ", 90" G ", 64, 64, false, 30, 1000, 1000000, 8" G
                  ", 9" G ", 5000, 400000, 900000");
    expect(HEALTH_WARN, "400 ms in the mean");
}

static bool check_study(const char *waits)
{
    char json[200];
    snprintf(json, sizeof json, "\"s\", 2, 4, 1048576, \"big fast\", 3, \"%s\"", waits);
    struct row r = row_of("study cpu gpu memory labels workers waits", json);
    return farmcheck_study(&d, &r);
}

static void studies(void **state)
{
    (void)state;
    assert_true(check_study(""));
    assert_true(check_study("busy"));
    assert_true(check_study("parallel"));
    assert_int_equal(d.out.n, 0);
    assert_false(check_study("paused no_worker"));
    expect(HEALTH_OK, "s is paused");
    assert_false(check_study("no_worker no_optimizer"));
    expect(HEALTH_FAIL, "no optimizer");
    assert_false(check_study("no_worker"));
    expect(HEALTH_FAIL, "no worker is connected");
    assert_false(check_study("busy broken_optimizer"));
    expect(HEALTH_FAIL, "proposed what cannot be");
    assert_false(check_study("no_fit"));
    expect(HEALTH_FAIL, "none of 3 workers has what a trial needs: 2 processors 4 GPUs memory 1.0M "
                        "labels big fast");
    assert_false(check_study("proposals"));
    expect(HEALTH_WARN, "waits for proposals");
}

static struct farmcheck_peers peers_of(const char *json)
{
    static struct farmcheck_broker b = {.version = "1.0", .beat_ms = 1000};
    struct farmcheck_peers p = {.broker = &b};
    struct row r = row_of("role name version silent_ms clock_ms slots running", json);
    farmcheck_peer(&p, &r);
    return p;
}

static void peers(void **state)
{
    (void)state;
    struct farmcheck_peers p = peers_of("\"worker\", \"w\", \"1.0\", 900, 3, 4, 2");
    farmcheck_peers_end(&d, &p);
    expect(HEALTH_OK, "1 worker with 2 of 4 slots in use, 0 optimizers; all beat");
    p = peers_of("\"worker\", \"w\", \"1.0\", 2500, 3, 4, 2");
    farmcheck_peers_end(&d, &p);
    expect(HEALTH_WARN, "1 of 1 peers missed a beat, for longest w: silent for 2.5 s");
    p = peers_of("\"optimizer\", \"o\", \"0.9\", 900, null, 0, 0");
    farmcheck_peers_end(&d, &p);
    expect(HEALTH_WARN, "(1.0): o is 0.9");
    p = peers_of("\"worker\", \"w\", \"1.0\", 900, -90000, 4, 2");
    farmcheck_peers_end(&d, &p);
    expect(HEALTH_WARN, "furthest w: -90000 ms");
    p = peers_of("\"client\", \"c\", \"0.1\", 99999, 99999, 0, 0"); /* none of doctor's business */
    farmcheck_peers_end(&d, &p);
    expect(HEALTH_OK, "0 workers");
}

static void counters(void **state)
{
    (void)state;
    struct stats s = {.n_peers = 0};
    s.farm.v[COUNT_REPEATED_REPORT] = 5; /* healthy */
    farmcheck_counters(&d, &s);
    expect(HEALTH_OK, "nothing odd");
    s.farm.v[COUNT_BAD_CHECKSUM] = 2;
    s.farm.v[COUNT_SPAWN_FAILED] = 1;
    farmcheck_counters(&d, &s);
    expect(HEALTH_WARN, "bad_checksum 2, spawn_failed 1");
}

static void tables_of_counters(void **state)
{
    (void)state;
    struct buf out = {0};
    struct stats_peer peer = {.role = "worker", .name = "hands", .id = "ab"};
    struct stats s = {.peers = &peer, .n_peers = 1};
    stats_table(&s, &out, 0, true);
    assert_non_null(strstr(buf_z(&out), "nothing was refused"));
    buf_clear(&out);
    s.farm.v[COUNT_FINISHED] = peer.n.v[COUNT_FINISHED] = 3;
    stats_table(&s, &out, 0, true);
    assert_non_null(strstr(buf_z(&out), "the farm"));
    assert_non_null(strstr(buf_z(&out), "hands"));
    assert_non_null(strstr(buf_z(&out), counter_text(COUNT_FINISHED)));
    assert_null(strstr(buf_z(&out), "bad_frame"));
    buf_clear(&out);
    stats_json(&s, &out);
    assert_non_null(strstr(buf_z(&out), "{\"role\":\"farm\",\"counters\":{\"bad_frame\":0,"));
    assert_non_null(strstr(buf_z(&out), "\"name\":\"hands\",\"id\":\"ab\",\"counters\""));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(broker, setup, teardown),
        cmocka_unit_test_setup_teardown(machines, setup, teardown),
        cmocka_unit_test_setup_teardown(studies, setup, teardown),
        cmocka_unit_test_setup_teardown(peers, setup, teardown),
        cmocka_unit_test_setup_teardown(counters, setup, teardown),
        cmocka_unit_test_setup_teardown(tables_of_counters, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
