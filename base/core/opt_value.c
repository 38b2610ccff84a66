/* Reading numbers, durations, byte counts, choices and switches of the option table, with bounds.
 *
 * Called by opt.c for every source, and through opt_duration() and opt_bytes() by the reader of
 * study files. */
#include "opt_value.h"

#include <math.h>
#include <stdio.h>

struct unit {
    const char *name;
    double factor;
};

struct str opt_trim(struct str s)
{
    while (s.n > 0 && strchr(" \t\r\n", s.p[0]) && s.p[0])
        s = str_make(s.p + 1, s.n - 1);
    while (s.n > 0 && strchr(" \t\r\n", s.p[s.n - 1]) && s.p[s.n - 1])
        s.n--;
    return s;
}

size_t opt_value_size(enum opt_type type)
{
    switch (type) {
    case OPT_FLAG:
        return sizeof(bool);
    case OPT_U64:
    case OPT_BYTES:
        return sizeof(uint64_t);
    case OPT_F64:
        return sizeof(double);
    case OPT_STR:
        return sizeof(const char *);
    case OPT_LIST:
        return sizeof(struct opt_list);
    case OPT_DURATION:
        return sizeof(int64_t);
    case OPT_CHOICE:
        return sizeof(int);
    }
    return 0;
}

/* Number and unit; the unit is the tail of letters. False unless both are known. */
static bool number_with_unit(struct str s, const struct unit *units, size_t n, double *out)
{
    size_t k = s.n;
    while (k > 0 &&
           ((s.p[k - 1] >= 'a' && s.p[k - 1] <= 'z') || (s.p[k - 1] >= 'A' && s.p[k - 1] <= 'Z')))
        k--;
    struct str unit = str_make(s.p + k, s.n - k);
    double v;
    if (k == 0 || !str_to_f64(str_make(s.p, k), &v) || !isfinite(v) || v < 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (str_is(unit, units[i].name)) {
            *out = v * units[i].factor;
            return true;
        }
    return false;
}

bool opt_duration(struct str s, int64_t *ns)
{
    static const struct unit units[] = {{"", 1e9},  {"ns", 1},   {"us", 1e3},   {"ms", 1e6},
                                        {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
    double v;
    if (!number_with_unit(s, units, sizeof units / sizeof *units, &v) || v >= 0x1p63)
        return false;
    *ns = (int64_t)(v + 0.5);
    return true;
}

bool opt_bytes(struct str s, uint64_t *bytes)
{
    static const struct unit units[] = {
        {"", 1},         {"B", 1},      {"K", 0x1p10},   {"KiB", 0x1p10}, {"M", 0x1p20},
        {"MiB", 0x1p20}, {"G", 0x1p30}, {"GiB", 0x1p30}, {"T", 0x1p40},   {"TiB", 0x1p40}};
    double v;
    if (!number_with_unit(s, units, sizeof units / sizeof *units, &v) || v >= 0x1p63 ||
        v != floor(v))
        return false;
    *bytes = (uint64_t)v;
    return true;
}

static bool flag_parse(struct str s, bool *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_is(s, words[i])) {
            *out = i % 2 == 1;
            return true;
        }
    return false;
}

static bool choice_parse(struct str s, const char *choices, int *out)
{
    int index = 0;
    for (const char *c = choices; c; index++) {
        const char *bar = strchr(c, '|');
        if (str_eq(s, str_make(c, bar ? (size_t)(bar - c) : strlen(c)))) {
            *out = index;
            return true;
        }
        c = bar ? bar + 1 : NULL;
    }
    return false;
}

static bool within(const struct opt_row *row, double v)
{
    return (row->min == 0 && row->max == 0) || (v >= row->min && v <= row->max);
}

static bool value_parse(const struct opt_row *row, void *to, struct str s)
{
    double f64;
    int64_t ns;
    uint64_t u64;
    switch (row->type) {
    case OPT_FLAG:
        return flag_parse(s, to);
    case OPT_CHOICE:
        return choice_parse(s, row->choices, to);
    case OPT_U64:
        if (!str_to_u64(s, &u64) || !within(row, (double)u64))
            return false;
        memcpy(to, &u64, sizeof u64);
        return true;
    case OPT_BYTES:
        if (!opt_bytes(s, &u64) || !within(row, (double)u64))
            return false;
        memcpy(to, &u64, sizeof u64);
        return true;
    case OPT_F64:
        if (!str_to_f64(s, &f64) || isnan(f64) || !within(row, f64))
            return false;
        memcpy(to, &f64, sizeof f64);
        return true;
    case OPT_DURATION:
        if (!opt_duration(s, &ns) || !within(row, (double)ns / 1e9))
            return false;
        memcpy(to, &ns, sizeof ns);
        return true;
    default:
        return false;
    }
}

/* What the row takes, for the sentence: "a whole number between 1 and 64". */
static void describe(const struct opt_row *row, char *out, size_t size)
{
    static const char *const kinds[] = {
        [OPT_FLAG] = "true or false",
        [OPT_U64] = "a whole number",
        [OPT_F64] = "a number",
        [OPT_DURATION] = "a duration such as 250ms, 5s, 10m, 2h or 1d",
        [OPT_BYTES] = "a number of bytes such as 512, 64K, 10M or 2G",
        [OPT_CHOICE] = "one of ",
    };
    int n =
        snprintf(out, size, "%s%s", kinds[row->type], row->type == OPT_CHOICE ? row->choices : "");
    if ((row->min != 0 || row->max != 0) && n > 0 && (size_t)n < size)
        snprintf(out + n, size - (size_t)n, " between %.15g and %.15g%s", row->min, row->max,
                 row->type == OPT_DURATION ? " seconds" : "");
}

err_t opt_value_set(const struct opt_row *row, void *to, struct str text, const char *place,
                    struct errmsg *em)
{
    char expected[256];
    if (value_parse(row, to, text))
        return ERR_OK;
    describe(row, expected, sizeof expected);
    return errmsg_set(em, ERR_INVALID, "%s: expected %s, got '" STR_FMT "'", place, expected,
                      text.n > 100 ? 100 : (int)text.n, text.p ? text.p : "");
}
