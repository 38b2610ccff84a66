/* Help, man page and completion list of an option table. The table is the one source, so that none
 * of them can differ from what the program takes.
 *
 * Called by programs for --help and --man, and by the build to make the man pages. */
#include <ctype.h>

#include "opt_value.h"

#define HELP_COLUMN 28
#define HELP_WIDTH  80

static const struct opt_row common_rows[] = {
    {.name = "config", .type = OPT_STR, .value = "FILE", .help = "Read settings from FILE."},
    {.name = "help", .letter = 'h', .type = OPT_FLAG, .help = "Print a summary of the options."},
    {.name = "version", .type = OPT_FLAG, .help = "Print the version."},
    {.name = "man", .type = OPT_FLAG, .help = "Print the manual page, as for man -l."},
};
#define N_COMMON (sizeof common_rows / sizeof *common_rows)

/* All rows that are shown, the common ones last. */
static const struct opt_row *row_at(const struct opt_table *t, size_t i)
{
    return i < t->n ? &t->rows[i] : &common_rows[i - t->n];
}

static const char *metavariable(const struct opt_row *row)
{
    static const char *const usual[] = {
        [OPT_FLAG] = "",     [OPT_U64] = "N",         [OPT_F64] = "X",      [OPT_STR] = "TEXT",
        [OPT_LIST] = "TEXT", [OPT_DURATION] = "TIME", [OPT_BYTES] = "SIZE", [OPT_CHOICE] = "",
    };
    if (row->type == OPT_CHOICE)
        return row->value ? row->value : row->choices;
    return row->value && row->type != OPT_FLAG ? row->value : usual[row->type];
}

static bool default_shown(const struct opt_row *row)
{
    return row->initial && *row->initial &&
           !(row->type == OPT_FLAG && strcmp(row->initial, "false") == 0);
}

/* Words of text from the column on, further lines indented to `indent`. */
static void add_wrapped(struct buf *out, size_t column, size_t indent, const char *text)
{
    bool fresh = true;
    while (*text) {
        size_t space = strspn(text, " \n");
        text += space;
        size_t n = strcspn(text, " \n");
        if (n == 0)
            break;
        if (!fresh && column + 1 + n > HELP_WIDTH) {
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
            fresh = true;
        }
        if (!fresh)
            buf_addc(out, ' ');
        buf_add(out, text, n);
        column += n + (fresh ? 0 : 1);
        fresh = false;
        text += n;
    }
    buf_addc(out, '\n');
}

static void help_row(struct buf *out, const struct opt_row *row)
{
    size_t start = out->n;
    const char *meta = metavariable(row);
    bool off = row->type == OPT_FLAG && row->initial && strcmp(row->initial, "true") == 0;
    if (row->letter)
        buf_printf(out, "  -%c, --", row->letter);
    else
        buf_addz(out, "      --");
    buf_printf(out, "%s%s%s%s", off ? "no-" : "", row->name, *meta ? " " : "", meta);
    size_t column = out->n - start;
    if (column + 2 > HELP_COLUMN) {
        buf_addc(out, '\n');
        column = 0;
    }
    buf_printf(out, "%*s", (int)(HELP_COLUMN - column), "");
    struct buf text;
    buf_init(&text, 0);
    buf_addz(&text, row->help ? row->help : "");
    if (default_shown(row) && row->type != OPT_FLAG)
        buf_printf(&text, " [default: %s]", row->initial);
    add_wrapped(out, HELP_COLUMN, HELP_COLUMN, buf_z(&text));
    buf_fini(&text);
}

/* Lines of usage, the second and later ones under the first. */
static void help_usage(struct buf *out, const char *usage)
{
    const char *head = "Usage: ";
    while (usage && *usage) {
        size_t n = strcspn(usage, "\n");
        buf_addz(out, head);
        buf_add(out, usage, n);
        buf_addc(out, '\n');
        usage += n + (usage[n] ? 1 : 0);
        head = "       ";
    }
}

void opt_print_help(const struct opt_table *t, struct buf *out)
{
    help_usage(out, t->usage);
    if (t->summary) {
        buf_addc(out, '\n');
        add_wrapped(out, 0, 0, t->summary);
    }
    buf_addz(out, "\nOptions:\n");
    for (size_t i = 0; i < t->n + N_COMMON; i++)
        if (!row_at(t, i)->hidden)
            help_row(out, row_at(t, i));
}

void opt_print_flags(const struct opt_table *t, struct buf *out)
{
    for (size_t i = 0; i < t->n + N_COMMON; i++)
        if (!row_at(t, i)->hidden)
            buf_printf(out, "--%s\n", row_at(t, i)->name);
}

/* Text for roff: a backslash and a leading dot or quote would be commands, a bare minus becomes a
 * hyphen. */
static void roff_text(struct buf *out, struct str s, bool line_start)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (line_start && (c == '.' || c == '\''))
            buf_addz(out, "\\&");
        if (c == '\\')
            buf_addz(out, "\\e");
        else if (c == '-')
            buf_addz(out, "\\-");
        else
            buf_addc(out, c);
        line_start = c == '\n';
    }
}

static void roff_textz(struct buf *out, const char *z, bool line_start)
{
    roff_text(out, str_of(z), line_start);
}

static bool is_title(struct str line)
{
    if (line.n == 0)
        return false;
    for (size_t i = 0; i < line.n; i++)
        if (!isupper((unsigned char)line.p[i]) && line.p[i] != ' ')
            return false;
    return true;
}

/* Lines that begin with a space are shown as they are. */
static void roff_lines(struct buf *out, struct str text)
{
    bool example = false;
    while (text.n > 0) {
        const char *end = memchr(text.p, '\n', text.n);
        struct str line = str_make(text.p, end ? (size_t)(end - text.p) : text.n);
        bool indented = line.n > 0 && line.p[0] == ' ';
        if (indented != example)
            buf_addz(out, indented ? ".nf\n" : ".fi\n");
        example = indented;
        roff_text(out, line, true);
        buf_addc(out, '\n');
        size_t n = line.n + (end ? 1 : 0);
        text = str_make(text.p + n, text.n - n);
    }
    if (example)
        buf_addz(out, ".fi\n");
}

/* Paragraphs between blank lines; with_titles: a line in capitals begins a section. */
static void roff_paragraphs(struct buf *out, const char *text, bool with_titles)
{
    bool first = true;
    while (text && *text) {
        while (*text == '\n')
            text++;
        const char *end = strstr(text, "\n\n");
        struct str part = str_make(text, end ? (size_t)(end - text) : strlen(text));
        text += part.n;
        size_t n = strcspn(part.p, "\n");
        struct str line = str_make(part.p, n < part.n ? n : part.n);
        if (part.n == 0)
            continue;
        bool title = with_titles && is_title(line);
        if (title) {
            buf_printf(out, ".SH " STR_FMT "\n", STR_ARG(line));
            n = line.n + (line.n < part.n ? 1 : 0);
            part = str_make(part.p + n, part.n - n);
        } else if (!first) {
            buf_addz(out, ".PP\n");
        }
        roff_lines(out, part);
        first = title && part.n == 0;
    }
}

static void roff_row(struct buf *out, const struct opt_row *row)
{
    const char *meta = metavariable(row);
    buf_addz(out, ".TP\n");
    if (row->letter)
        buf_printf(out, "\\fB\\-%c\\fR, ", row->letter);
    buf_addz(out, "\\fB\\-\\-");
    roff_textz(out, row->name, false);
    buf_addz(out, "\\fR");
    if (*meta) {
        buf_addz(out, " \\fI");
        roff_textz(out, meta, false);
        buf_addz(out, "\\fR");
    }
    if (row->type == OPT_FLAG && default_shown(row)) {
        buf_addz(out, ", \\fB\\-\\-no\\-");
        roff_textz(out, row->name, false);
        buf_addz(out, "\\fR");
    }
    buf_addc(out, '\n');
    roff_textz(out, row->help ? row->help : "", true);
    buf_addc(out, '\n');
    if (default_shown(row)) {
        buf_addz(out, "Default: ");
        roff_textz(out, row->type == OPT_FLAG ? "on" : row->initial, false);
        buf_addz(out, ".\n");
    }
}

/* TITLE and file name of a page: "tunefarm run" has the page tunefarm-run. */
static void roff_name(struct buf *out, const char *program, bool upper)
{
    for (; *program; program++) {
        if (*program == ' ' || *program == '-')
            buf_addz(out, "\\-");
        else
            buf_addc(out, upper ? (char)toupper((unsigned char)*program) : *program);
    }
}

static void roff_sources(const struct opt_table *t, struct buf *out)
{
    buf_addz(out,
             ".SH SETTINGS\nEach option but the last four above may stand in the file given with\n"
             ".B \\-\\-config\nas a line\n.IR name \" = \" value ,\nwhere a # begins a comment");
    if (t->env) {
        buf_addz(out, ", or in the environment as\n.BI ");
        roff_textz(out, t->env, false);
        buf_addz(out, "_ NAME\nwith the name in capitals and _ for each dash");
    }
    buf_addz(out, ". The command line wins over the environment, the environment over the file,\n"
                  "and the file over the defaults.\n");
}

void opt_print_man(const struct opt_table *t, struct buf *out)
{
    buf_addz(out, ".TH ");
    roff_name(out, t->program, true);
    buf_addz(out, " 1 \"\" \"tunefarm " TUNEFARM_VERSION "\" \"tunefarm manual\"\n.SH NAME\n");
    roff_name(out, t->program, false);
    buf_addz(out, " \\- ");
    roff_textz(out, t->summary ? t->summary : "", false);
    buf_addz(out, "\n.SH SYNOPSIS\n.nf\n");
    roff_textz(out, t->usage ? t->usage : t->program, true);
    buf_addz(out, "\n.fi\n.SH DESCRIPTION\n");
    roff_paragraphs(out, t->text, false);
    buf_addz(out, ".SH OPTIONS\n");
    for (size_t i = 0; i < t->n + N_COMMON; i++)
        if (!row_at(t, i)->hidden)
            roff_row(out, row_at(t, i));
    roff_sources(t, out);
    roff_paragraphs(out, t->more, true);
}
