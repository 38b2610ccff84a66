/* Reads options from defaults, settings file, environment and command line into a settings struct,
 * by one table.
 *
 * Every program calls opt_parse() first. Sources are applied from the weakest to the strongest,
 * each value through one setter; a fault therefore names the place where the value stood, whichever
 * source it was. Printing is in opt_print.c. */
#include "opt.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "nearest.h"
#include "opt_value.h"

#define SETTINGS_FILE_MAX ((long)1 << 20)

/* Sources in order of strength. */
enum source { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_COMMAND_LINE };

struct given { /* one option on the command line, not applied yet */
    const struct opt_row *row;
    struct str value;
    bool with_letter;
};
struct parse {
    const struct opt_table *t;
    void *settings;
    struct opts *out;
    struct errmsg *em;
    enum source source;
    unsigned char *list_source; /* a row: who filled its list; a stronger source begins anew */
    struct given *given;
    size_t n_given;
    int argc, at;
    char **argv;
};

static const char *keep_text(struct opts *o, struct str s)
{
    o->owned = alloc_grow(o->owned, o->n_owned + 1, sizeof *o->owned);
    o->owned[o->n_owned] = str_dupz(s);
    return o->owned[o->n_owned++];
}

static void list_add(struct parse *p, size_t row, struct opt_list *list, struct str s)
{
    struct opts *o = p->out;
    if (p->list_source[row] != p->source) {
        p->list_source[row] = (unsigned char)p->source;
        list->n = 0;
    }
    o->lists[row] = alloc_grow(o->lists[row], list->n + 1, sizeof **o->lists);
    o->lists[row][list->n++] = keep_text(o, s);
    list->v = o->lists[row];
}

static void list_add_split(struct parse *p, size_t row, struct opt_list *list, struct str s)
{
    while (s.n > 0) {
        const char *comma = memchr(s.p, ',', s.n);
        size_t n = comma ? (size_t)(comma - s.p) : s.n;
        struct str item = opt_trim(str_make(s.p, n));
        if (item.n)
            list_add(p, row, list, item);
        n += comma ? 1 : 0;
        s = str_make(s.p + n, s.n - n);
    }
}

/* Sets one row. `place` says where the text stood. */
static err_t set_row(struct parse *p, const struct opt_row *row, struct str value,
                     const char *place)
{
    void *to = (char *)p->settings + row->offset;
    size_t index = (size_t)(row - p->t->rows);
    if (memchr(value.p ? value.p : "", 0, value.n))
        return errmsg_set(p->em, ERR_INVALID, "%s: the value holds a NUL byte", place);
    if (row->type == OPT_STR) {
        const char *text = keep_text(p->out, value);
        memcpy(to, &text, sizeof text);
        return ERR_OK;
    }
    if (row->type == OPT_LIST) {
        struct opt_list list;
        memcpy(&list, to, sizeof list);
        if (p->source == FROM_COMMAND_LINE)
            list_add(p, index, &list, value);
        else
            list_add_split(p, index, &list, value);
        memcpy(to, &list, sizeof list);
        return ERR_OK;
    }
    return opt_value_set(row, to, value, place, p->em);
}

static err_t apply_defaults(struct parse *p)
{
    for (size_t i = 0; i < p->t->n; i++) {
        const struct opt_row *row = &p->t->rows[i];
        char place[96];
        snprintf(place, sizeof place, "the default of --%s", row->name);
        err_t e = row->initial ? set_row(p, row, str_of(row->initial), place) : ERR_OK;
        if (e)
            return e;
    }
    return ERR_OK;
}

static const struct opt_row *row_by_name(const struct opt_table *t, struct str name)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_is(name, t->rows[i].name))
            return &t->rows[i];
    return NULL;
}

/* The table's own names and those that every table has. */
static const char *suggestion(const struct opt_table *t, struct str name, bool in_file)
{
    static const char *const common[] = {"help", "version", "man", "config"};
    const char **names = alloc_array(t->n + 5, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        if (!t->rows[i].hidden)
            names[n++] = t->rows[i].name;
    for (size_t i = 0; i < 4 && !in_file; i++)
        names[n++] = common[i];
    const char *best = nearest_name(name, names);
    free(names);
    return best;
}

static err_t file_line(struct parse *p, struct str line, const char *path, unsigned number)
{
    char place[1200];
    line = opt_trim(line);
    if (line.n == 0 || line.p[0] == '#')
        return ERR_OK;
    const char *eq = memchr(line.p, '=', line.n);
    if (!eq)
        return errmsg_set(p->em, ERR_INVALID, "%s:%u: expected `name = value`", path, number);
    struct str name = opt_trim(str_make(line.p, (size_t)(eq - line.p)));
    struct str value = opt_trim(str_make(eq + 1, line.n - (size_t)(eq - line.p) - 1));
    for (size_t i = 1; i < value.n; i++)
        if (value.p[i] == '#' && (value.p[i - 1] == ' ' || value.p[i - 1] == '\t')) {
            value = opt_trim(str_make(value.p, i));
            break;
        }
    const struct opt_row *row = row_by_name(p->t, name);
    if (!row || row->hidden) {
        const char *near = suggestion(p->t, name, true);
        return errmsg_set(p->em, ERR_INVALID, "%s:%u: unknown setting " STR_FMT "%s%s%s", path,
                          number, STR_ARG(name), near ? "; did you mean " : "", near ? near : "",
                          near ? "?" : "");
    }
    snprintf(place, sizeof place, "%.1000s:%u: %s", path, number, row->name);
    return set_row(p, row, value, place);
}

static err_t file_read(const char *path, struct buf *text, struct errmsg *em)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return errmsg_set(em, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
                          "--config: the settings file %s cannot be opened: %s", path,
                          strerror(errno));
    size_t n;
    do {
        char *to = buf_reserve(text, 4096);
        n = to ? fread(to, 1, 4096, f) : 0;
        text->n += n;
    } while (n > 0);
    bool bad = ferror(f) != 0;
    fclose(f);
    if (bad)
        return errmsg_set(em, ERR_IO, "--config: the settings file %s cannot be read", path);
    if (!buf_ok(text))
        return errmsg_set(em, ERR_LIMIT, "--config: the settings file %s is larger than 1 MiB",
                          path);
    return ERR_OK;
}

static err_t apply_file(struct parse *p, const char *path)
{
    struct buf text;
    buf_init(&text, SETTINGS_FILE_MAX + 4096);
    err_t e = file_read(path, &text, p->em);
    struct str rest = buf_str(&text);
    for (unsigned number = 1; !e && rest.n > 0; number++) {
        const char *end = memchr(rest.p, '\n', rest.n);
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        e = file_line(p, str_make(rest.p, n), path, number);
        n += end ? 1 : 0;
        rest = str_make(rest.p + n, rest.n - n);
    }
    buf_fini(&text);
    return e;
}

static err_t apply_environment(struct parse *p)
{
    for (size_t i = 0; p->t->env && i < p->t->n; i++) {
        const struct opt_row *row = &p->t->rows[i];
        char name[128];
        if (row->hidden)
            continue; /* a child must not take its parent's descriptors for its own */
        int n = snprintf(name, sizeof name, "%s_%s", p->t->env, row->name);
        REQUIRE(n > 0 && (size_t)n < sizeof name);
        for (char *c = name; *c; c++)
            *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
        const char *value = getenv(name);
        err_t e = value && *value ? set_row(p, row, str_of(value), name) : ERR_OK;
        if (e)
            return e;
    }
    return ERR_OK;
}

static void remember(struct parse *p, const struct opt_row *row, struct str value, bool with_letter)
{
    p->given = alloc_grow(p->given, p->n_given + 1, sizeof *p->given);
    p->given[p->n_given++] = (struct given){row, value, with_letter};
}

static err_t apply_given(struct parse *p)
{
    for (size_t i = 0; i < p->n_given; i++) {
        const struct given *g = &p->given[i];
        char place[96];
        if (g->with_letter)
            snprintf(place, sizeof place, "-%c", g->row->letter);
        else
            snprintf(place, sizeof place, "--%s", g->row->name);
        err_t e = set_row(p, g->row, g->value, place);
        if (e)
            return e;
    }
    return ERR_OK;
}

/* The next word of argv as the value of an option. */
static err_t next_word(struct parse *p, const char *option, const char *kind, struct str *out)
{
    if (p->at + 1 >= p->argc)
        return errmsg_set(p->em, ERR_INVALID, "%s needs a value%s%s", option, kind ? ": " : "",
                          kind ? kind : "");
    *out = str_of(p->argv[++p->at]);
    return ERR_OK;
}

static bool common_option(struct parse *p, struct str name)
{
    struct opts *o = p->out;
    bool *flag = str_is(name, "help")      ? &o->help
                 : str_is(name, "version") ? &o->version
                 : str_is(name, "man")     ? &o->man
                                           : NULL;
    if (flag)
        *flag = true;
    return flag != NULL;
}

static err_t unknown_option(struct parse *p, struct str name)
{
    const char *near = suggestion(p->t, name, false);
    return errmsg_set(p->em, ERR_INVALID, "unknown option --" STR_FMT "%s%s%s", STR_ARG(name),
                      near ? "; did you mean --" : "", near ? near : "",
                      near ? "?" : "; see --help");
}

static err_t long_option(struct parse *p, const char *word)
{
    const char *eq = strchr(word, '=');
    struct str name = str_make(word + 2, (eq ? (size_t)(eq - word) : strlen(word)) - 2);
    struct str value = str_of(eq ? eq + 1 : NULL);
    const struct opt_row *row = row_by_name(p->t, name);
    const struct opt_row *negated =
        str_starts(name, "no-") ? row_by_name(p->t, str_make(name.p + 3, name.n - 3)) : NULL;
    if (!row && !eq && common_option(p, name))
        return ERR_OK;
    if (!row && str_is(name, "config")) {
        err_t e = eq ? ERR_OK : next_word(p, "--config", "FILE", &value);
        p->out->file = e ? NULL : keep_text(p->out, value);
        return e;
    }
    if (!row && negated && negated->type == OPT_FLAG && !eq) {
        remember(p, negated, STR("false"), false);
        return ERR_OK;
    }
    if (!row)
        return unknown_option(p, name);
    if (!eq && row->type == OPT_FLAG)
        value = STR("true");
    err_t e = !eq && row->type != OPT_FLAG ? next_word(p, word, row->value, &value) : ERR_OK;
    if (!e)
        remember(p, row, value, false);
    return e;
}

/* "-v", "-vx" for flags, "-n5" or "-n 5" for values. */
static err_t letter_options(struct parse *p, const char *word)
{
    for (const char *c = word + 1; *c; c++) {
        const struct opt_row *row = NULL;
        char option[3] = {'-', *c, 0};
        struct str value = STR("true");
        for (size_t i = 0; i < p->t->n && !row; i++)
            row = p->t->rows[i].letter == *c ? &p->t->rows[i] : NULL;
        if (!row && *c == 'h') {
            p->out->help = true;
            continue;
        }
        if (!row)
            return errmsg_set(p->em, ERR_INVALID, "unknown option %s; see --help", option);
        if (row->type == OPT_FLAG) {
            remember(p, row, value, true);
            continue;
        }
        value = str_of(c + 1);
        err_t e = c[1] ? ERR_OK : next_word(p, option, row->value, &value);
        if (!e)
            remember(p, row, value, true);
        return e;
    }
    return ERR_OK;
}

/* Sorts argv into options that are remembered and operands. */
static err_t scan_words(struct parse *p)
{
    struct opts *o = p->out;
    bool operands_only = false;
    for (p->at = 1; p->at < p->argc; p->at++) {
        const char *word = p->argv[p->at];
        err_t e = ERR_OK;
        if (operands_only || word[0] != '-' || word[1] == 0) {
            o->operands[o->n_operands++] = word;
            operands_only = operands_only || p->t->stop_at_operand;
        } else if (strcmp(word, "--") == 0) {
            operands_only = true;
        } else {
            e = word[1] == '-' ? long_option(p, word) : letter_options(p, word);
        }
        if (e || o->help || o->version || o->man)
            return e;
    }
    return ERR_OK;
}

static err_t parse_sources(struct parse *p)
{
    err_t e = scan_words(p);
    p->source = FROM_DEFAULT;
    if (!e)
        e = apply_defaults(p);
    if (e || p->out->help || p->out->version || p->out->man)
        return e;
    p->source = FROM_FILE;
    if (p->out->file)
        e = apply_file(p, p->out->file);
    p->source = FROM_ENVIRONMENT;
    if (!e)
        e = apply_environment(p);
    p->source = FROM_COMMAND_LINE;
    return e ? e : apply_given(p);
}

err_t opt_parse(const struct opt_table *t, void *settings, int argc, char **argv, struct opts *out,
                struct errmsg *em)
{
    *out = (struct opts){.settings = settings, .n_lists = t->n};
    out->lists = alloc_array(t->n, sizeof *out->lists);
    out->operands = alloc_array((size_t)(argc > 0 ? argc : 0), sizeof *out->operands);
    struct parse p = {
        .t = t, .settings = settings, .out = out, .em = em, .argc = argc, .argv = argv};
    p.list_source = alloc_zero(t->n);
    for (size_t i = 0; i < t->n; i++)
        memset((char *)settings + t->rows[i].offset, 0, opt_value_size(t->rows[i].type));
    err_t e = parse_sources(&p);
    free(p.given);
    free(p.list_source);
    return e;
}

void opt_fini(struct opts *o)
{
    for (size_t i = 0; i < o->n_owned; i++)
        free(o->owned[i]);
    for (size_t i = 0; i < o->n_lists; i++)
        free(o->lists[i]);
    free(o->owned);
    free(o->lists);
    free(o->operands);
    *o = (struct opts){0};
}
