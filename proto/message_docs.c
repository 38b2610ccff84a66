/* The generated part of docs/protocol.md: one table for all messages, one for the fields of each
 * message and struct, and the small enumerations. Called by the program proto-docs. Must not know a
 * field. */
#include "codec.h"

#include "schema.h"

/* Table cells must not hold the separator. */
static void add_cell(struct buf *b, const char *z)
{
    for (; *z; z++) {
        if (*z == '|')
            buf_addc(b, '\\');
        buf_addc(b, *z);
    }
}

static void add_type(struct buf *b, const struct field *f)
{
    static const char *const names[] = {
        [FIELD_U8] = "u8",     [FIELD_U32] = "u32",   [FIELD_U64] = "u64", [FIELD_I64] = "i64",
        [FIELD_F64] = "f64",   [FIELD_BOOL] = "bool", [FIELD_STR] = "str", [FIELD_BIN] = "bin",
        [FIELD_ID16] = "id16", [FIELD_D32] = "d32"};
    if (f->type != FIELD_LIST) {
        buf_addz(b, names[f->type]);
        if (f->limit)
            buf_printf(b, " <= %u", f->limit);
        return;
    }
    if (f->elem == FIELD_STRUCT)
        buf_printf(b, "list of [%s](#%s) <= %u", f->sub()->name, f->sub()->name, f->limit);
    else
        buf_printf(b, "list of %s <= %u", names[f->elem], f->limit);
}

static void add_fields(struct buf *b, const struct schema *s)
{
    buf_addz(b, "| key | field | type | meaning |\n|---:|---|---|---|\n");
    for (uint32_t i = 0; i < s->n; i++) {
        const struct field *f = &s->fields[i];
        buf_printf(b, "| %u | `%s` | ", f->key, f->name);
        add_type(b, f);
        buf_addz(b, " | ");
        add_cell(b, f->doc);
        buf_addz(b, " |\n");
    }
    buf_addc(b, '\n');
}

static void add_anchor(struct buf *b, const char *name)
{
    for (; *name; name++)
        buf_addc(b, (char)(*name >= 'A' && *name <= 'Z' ? *name - 'A' + 'a' : *name));
}

static void add_overview(struct buf *b)
{
    buf_addz(b, "## All messages\n\nB broker, W worker, O optimizer, C client, * anyone.\n\n"
                "| kind | name | direction | purpose |\n|---:|---|---|---|\n");
    for (unsigned kind = 0; kind < 256; kind++) {
        const struct schema *s = schema_message(kind);
        if (!s)
            continue;
        buf_printf(b, "| %u | [%s](#", kind, s->name);
        add_anchor(b, s->name);
        buf_addz(b, ") | ");
        add_cell(b, s->direction);
        buf_addz(b, " | ");
        add_cell(b, s->doc);
        buf_addz(b, " |\n");
    }
    buf_addc(b, '\n');
}

static void add_code(struct buf *b, unsigned value, const char *name)
{
    buf_printf(b, "| %u | `%s` |\n", value, name);
}

#define ADD_CODE(n, v, t) add_code(b, (v), (t));
#define ADD_CODES(title, LIST)                                                                     \
    buf_addz(b, "### " title "\n\n| value | name |\n|---:|---|\n");                                \
    LIST(ADD_CODE)                                                                                 \
    buf_addc(b, '\n');

static void add_reasons(struct buf *b)
{
    ADD_CODES("Verdict", VERDICT_LIST)
    ADD_CODES("Stop and kill reason", STOP_WHY_LIST)
    ADD_CODES("Final status", FINAL_STATUS_LIST)
    ADD_CODES("Release reason", RELEASE_WHY_LIST)
    ADD_CODES("Resume outcome", RESUME_OUTCOME_LIST)
    ADD_CODES("Close reason", CLOSE_WHY_LIST)
    ADD_CODES("NAK code", NAK_CODE_LIST)
}

static void add_codes(struct buf *b)
{
    buf_addz(b, "## Codes\n\n");
    ADD_CODES("Role", ROLE_LIST)
    ADD_CODES("Trial state", TRIAL_STATE_LIST)
    ADD_CODES("Study state", STUDY_STATE_LIST)
    add_reasons(b);
    ADD_CODES("Record kind", RECORD_LIST)
}

void message_docs(struct buf *out)
{
    add_overview(out);
    buf_addz(out, "## Fields of each message\n\n");
    for (unsigned kind = 0; kind < 256; kind++) {
        const struct schema *s = schema_message(kind);
        if (!s)
            continue;
        buf_printf(out, "### %s\n\nKind %u, %s: %s.\n\n", s->name, kind, s->direction, s->doc);
        add_fields(out, s);
    }
    buf_addz(out, "## Structs inside messages\n\n");
    for (unsigned i = 0; schema_struct(i); i++) {
        const struct schema *s = schema_struct(i);
        buf_printf(out, "### %s\n\n%s.\n\n", s->name, s->doc);
        add_fields(out, s);
    }
    add_codes(out);
}
