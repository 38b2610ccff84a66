/* Study files: schema of scalars, what is refused and where, bounds, and where a path stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "study_fixture.h"
#include "yaml.h"

static void expect(const char *yaml, const char *json)
{
    struct buf b;
    struct errmsg em = {{0}};
    buf_init(&b, 0);
    if (yaml_to_json(str_of(yaml), "f", &b, NULL, &em) != ERR_OK)
        fail_msg("%s", em.text);
    assert_string_equal(buf_z(&b), json);
    buf_fini(&b);
}

static void refuse(const char *yaml, const char *sentence)
{
    struct buf b;
    struct errmsg em = {{0}};
    struct yaml_map *map = NULL;
    buf_init(&b, 0);
    err_t e = yaml_to_json(str_of(yaml), "f", &b, &map, &em);
    if (e == ERR_OK)
        fail_msg("accepted: %s", yaml);
    assert_null(map);
    assert_int_equal(b.n, 0);
    fixture_sentence(em.text, sentence);
    buf_fini(&b);
}

static void scalars(void **state)
{
    (void)state;
    expect("[1e-5, .5, 5., +3, -0.50, 007, 1E+3, -7, 0]", "[1e-5,0.5,5.0,3,-0.50,7,1E+3,-7,0]");
    expect("[0x10, 0o17, 0xg, 0x]", "[16,15,\"0xg\",\"0x\"]");
    expect("[~, null, Null, NULL, ]", "[null,null,null,null]");
    expect("[true, True, FALSE, yes, no, on, off, y, n]",
           "[true,true,false,\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\"]");
    expect("[.inf, -.INF, .nan, nan, inf]", "[\"Infinity\",\"-Infinity\",\"NaN\",\"nan\",\"inf\"]");
    expect("['1', \"true\", '', \"a\\n\\u00e4\"]", "[\"1\",\"true\",\"\",\"a\\n\xc3\xa4\"]");
    expect(
        "[1.2.3, 1e, e5, -, +, ., 1_000, 12:30, 2026-01-01, 1 2]",
        "[\"1.2.3\",\"1e\",\"e5\",\"-\",\"+\",\".\",\"1_000\",\"12:30\",\"2026-01-01\",\"1 2\"]");
    expect("a: |\n  x\n  y\nb: >\n  p\n  q\n", "{\"a\":\"x\\ny\\n\",\"b\":\"p q\\n\"}");
    expect("18446744073709551615", "18446744073709551615");
}

static void structure(void **state)
{
    (void)state;
    expect("a:\n  b: [1, {c: 2}]\n  d: {}\ne: []\n",
           "{\"a\":{\"b\":[1,{\"c\":2}],\"d\":{}},\"e\":[]}");
    expect("# only\n---\na: 1 # one\n...\n", "{\"a\":1}");
    expect("x: &a {p: 1}\ny: *a\nz: [*a, *a]\n",
           "{\"x\":{\"p\":1},\"y\":{\"p\":1},\"z\":[{\"p\":1},{\"p\":1}]}");
    expect("a: &k 1\nb: &k 2\nc: *k\n", "{\"a\":1,\"b\":2,\"c\":2}");
    expect("\xef\xbb\xbf{a: 1}", "{\"a\":1}");
    expect("---\n", "null");
}

static void json_is_yaml(void **state)
{
    (void)state;
    expect("{\"a\":[1,2.5e-3,\"x\\/y\\u0041\"],\n\t\"b\":{\"c\":null,\"d\":false}}\n",
           "{\"a\":[1,2.5e-3,\"x/yA\"],\"b\":{\"c\":null,\"d\":false}}");
    expect("{\"a\": \"\\ud83d\\ude00\"}", "{\"a\":\"\xf0\x9f\x98\x80\"}");
}

static void refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "f: the file is empty"},
        {"# nothing\n", "f: the file is empty"},
        {"a: 1\na: 2\n", "f:2:1: the key \"a\" stands twice, first in line 1"},
        {"x: {b: 1, c: 2, \"b\": 3}", "f:1:17: the key \"b\" stands twice, first in line 1"},
        {"a: 1\n---\nb: 2\n", "f:2:1: a second document begins here; expected one study in a file"},
        {"a: !!str 1", "f:1:4: tags (\"!\") are not supported"},
        {"a: !x [1]", "f:1:4: tags (\"!\") are not supported"},
        {"a: *b", "f:1:4: an alias without its anchor"},
        {"a: &b [*b]", "f:1:8: an alias to something it is part of"},
        {"? [1]\n: 2", "f:1:3: a key must be a text"},
        {"{\"a\": 1, \"a\": \"\\ud83d\\ude00\"}",
         "f:1:10: the key \"a\" stands twice, first in line 1"},
        {"a: \"\\ud83d\"", "f:1:7: found invalid Unicode character escape code, while ..."},
        {"<<: {a: 1}", "f:1:1: merge keys (<<) are not supported"},
        {"\"a\\tb\": 1", "f:1:1: a key holds a control character"},
        {"a:\n\t- 1\n",
         "f:2:1: found character that cannot start any token, while scanning for the next token "
         "(indent with spaces, not tabs)"},
        {"a: [1, 2\nb: 3\n", "f:2:2: did not find expected ',' or ']', while parsing a flow ..."},
        {"a: 'x\n", "f:2:1: found unexpected end of stream, while scanning a quoted scalar"},
        {"a: b: c", "f:1:5: mapping values are not allowed in this context"},
        {"a: \xff", "f: byte 3: invalid leading UTF-8 octet"},
        {"a: \x01", "f: byte 3: control characters are not allowed"},
        {"a: [1, 1e999]", "f:1:8: the number is too large"},
        {"a: 99999999999999999999", "f:1:1: the number is too large"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refuse(rows[i][0], rows[i][1]);
}

static void bounds(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    buf_addz(&b, "a0: &a0 [x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 20; i++)
        buf_printf(&b, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1,
                   i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    refuse(buf_z(&b), "f: more than 256 KiB as JSON, with aliases followed");
    buf_clear(&b);
    for (int i = 0; i < 33; i++)
        buf_addc(&b, '[');
    refuse(buf_z(&b), "f:1:33: nested more than 32 deep");
    buf_clear(&b);
    buf_addz(&b, "a0: &a0 [[[[[[[[[[1]]]]]]]]]]\na1: &a1 [[[[[[[[[[*a0]]]]]]]]]]\n"
                 "a2: &a2 [[[[[[[[[[[[*a1]]]]]]]]]]]]\n");
    refuse(buf_z(&b), "f:1:...");
    buf_clear(&b);
    for (int i = 0; i < 4097; i++)
        buf_printf(&b, "k%d: 1\n", i);
    refuse(buf_z(&b), "f:4097:8: more than 4096 members in one group");
    buf_clear(&b);
    for (int i = 0; i < 257; i++)
        buf_printf(&b, "- &a%d 1\n", i);
    refuse(buf_z(&b), "f:257:3: more than 256 anchors");
    buf_clear(&b);
    buf_addc(&b, '[');
    for (int i = 0; i < 70000; i++)
        buf_addz(&b, "1,");
    refuse(buf_z(&b), "f:1:...");
    buf_clear(&b);
    for (int i = 0; i < 70000; i++)
        buf_addz(&b, "# no study at all\n");
    refuse(buf_z(&b), "f: the file has 1260000 bytes; at most 1 MiB is allowed");
    buf_fini(&b);
}

static const char study[] = "study: x\n"
                            "space:\n"
                            "  lr:  {float: [1e-5, 0]}\n"
                            "  opt:\n"
                            "    choice:\n"
                            "      - sgd: {m.x: {float: [0, 1]}, m: 3}\n"
                            "      - &b adam\n"
                            "  \"a.b\": {int: [*b, 4]}\n";

static void locate(const struct yaml_map *m, const char *sentence, const char *expected)
{
    struct errmsg em;
    (void)snprintf(em.text, sizeof em.text, "%s", sentence);
    yaml_locate(m, &em);
    assert_string_equal(em.text, expected);
}

static void places(void **state)
{
    (void)state;
    struct yaml_map *m = NULL;
    struct buf b;
    buf_init(&b, 0);
    assert_int_equal(yaml_to_json(str_of(study), "s.yaml", &b, &m, NULL), ERR_OK);
    locate(m, "space.lr.float[1]: x", "s.yaml:3:23: space.lr.float[1]: x");
    locate(m, "space.lr.float: x: y", "s.yaml:3:9: space.lr.float: x: y");
    locate(m, "space.opt.choice[0].sgd.m.x.float[0]: x",
           "s.yaml:6:29: space.opt.choice[0].sgd.m.x.float[0]: x");
    locate(m, "space.opt.choice[0].sgd.m: x", "s.yaml:6:37: space.opt.choice[0].sgd.m: x");
    locate(m, "space.opt.choice[7].sgd: x", "s.yaml:5:5: space.opt.choice[7].sgd: x");
    locate(m, "space.a.b.int[0]: x", "s.yaml:8:17: space.a.b.int[0]: x");
    locate(m, "space.lr.step: missing", "s.yaml:3:3: space.lr.step: missing");
    locate(m, "stop.trials: x", "s.yaml:1:1: stop.trials: x");
    locate(m, "", "s.yaml:1:1: ");
    yaml_locate(m, NULL);
    yaml_map_free(m);
    yaml_map_free(NULL);
    buf_fini(&b);
}

/* From the file to a sentence that a person can act on. */
static void whole_way(void **state)
{
    (void)state;
    struct yaml_map *m = NULL;
    struct spec *s = NULL;
    struct buf b;
    struct errmsg em = {{0}};
    buf_init(&b, 0);
    assert_int_equal(yaml_to_json(STR("study: x\nspace:\n  a: {int: [1, 2]}\nobjective:\n"
                                      "  comand: [x]\n"),
                                  "s.yaml", &b, &m, &em),
                     ERR_OK);
    assert_int_equal(spec_parse(buf_str(&b), &s, &em), ERR_INVALID);
    yaml_locate(m, &em);
    assert_string_equal(em.text, "s.yaml:5:3: objective.comand: unknown member; did you mean "
                                 "\"command\"?");
    yaml_map_free(m);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars),   cmocka_unit_test(structure), cmocka_unit_test(json_is_yaml),
        cmocka_unit_test(refused),   cmocka_unit_test(bounds),    cmocka_unit_test(places),
        cmocka_unit_test(whole_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
