/* One way to print rows for every command that lists. A table is laid out in pieces of some
 * thousand rows, so that an answer of any length needs little memory; the other forms are written
 * row by row.
 *
 * Called by the commands. Knows columns by name only where a text is JSON itself. */
#include "listing.h"

#include <json-c/json.h>
#include <unistd.h>

#include "cell.h"
#include "csv.h"
#include "json.h"

#define PIECE_ROWS  4000
#define PIECE_BYTES 65536

void listing_init(struct listing *l, enum listing_form form)
{
    *l = (struct listing){.form = form};
    buf_init(&l->out, 0);
}

void listing_fini(struct listing *l)
{
    if (l->begun)
        table_fini(&l->table);
    buf_fini(&l->out);
}

static err_t flush(struct listing *l, struct errmsg *em)
{
    err_t e = client_print(&l->out, em);
    buf_clear(&l->out);
    return e;
}

static void begin(struct listing *l, const struct row *row)
{
    l->begun = true;
    size_t n = row->n < TABLE_MAX_COLUMNS ? row->n : TABLE_MAX_COLUMNS;
    table_init_names(&l->table, row->columns, n);
    if (l->form != LISTING_CSV)
        return;
    for (size_t i = 0; i < row->n; i++) {
        if (i)
            buf_addc(&l->out, ',');
        csv_field(&l->out, row->columns[i]);
    }
    buf_addc(&l->out, '\n');
}

static bool holds_json(struct str column)
{
    static const char *const names[] = {"params", "metrics", "spec", "why", "software", "labels"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_is(column, names[i]))
            return true;
    return false;
}

static void json_member(struct listing *l, struct jsonw *w, const struct row *row, size_t i)
{
    struct json_object *v = json_object_array_get_idx(row->values, i), *inner = NULL;
    struct buf text;
    buf_init(&text, 0);
    if (l->unpack && holds_json(row->columns[i]) && json_object_is_type(v, json_type_string) &&
        json_parse(str_of(json_object_get_string(v)), JSON_NONFINITE, &inner, NULL) == ERR_OK)
        v = inner;
    jsonw_key(w, row->columns[i]);
    if (v) {
        json_write(&text, v);
        jsonw_raw(w, buf_str(&text));
    } else {
        jsonw_null(w);
    }
    json_object_put(inner);
    buf_fini(&text);
}

static void add_json(struct listing *l, const struct row *row)
{
    struct jsonw w;
    jsonw_init(&w, &l->out);
    jsonw_object(&w);
    for (size_t i = 0; i < row->n; i++)
        json_member(l, &w, row, i);
    jsonw_end(&w);
    buf_addc(&l->out, '\n');
}

static void add_csv(struct listing *l, const struct row *row)
{
    for (size_t i = 0; i < row->n; i++) {
        if (i)
            buf_addc(&l->out, ',');
        csv_value(&l->out, json_object_array_get_idx(row->values, i));
    }
    buf_addc(&l->out, '\n');
}

static void add_cells(struct listing *l, const struct row *row)
{
    struct buf text;
    buf_init(&text, 0);
    for (size_t i = 0; i < l->table.columns; i++) {
        struct json_object *v = json_object_array_get_idx(row->values, i);
        buf_clear(&text);
        if (holds_json(row->columns[i]) && json_object_is_type(v, json_type_string) &&
            json_object_get_string(v)[0] == '{')
            cell_params(&text, str_of(json_object_get_string(v)), 400, true);
        else if (l->brief && str_is(row->columns[i], "error") && v)
            cell_error(&text, str_of(json_object_get_string(v)));
        else if (str_is(row->columns[i], "memory") && v)
            cell_bytes(&text, json_object_get_double(v));
        else if (!holds_json(row->columns[i]) || !v || strcmp(json_object_get_string(v), "[]") != 0)
            cell_json(&text, v, 6);
        table_add(&l->table, buf_str(&text));
    }
    buf_fini(&text);
}

static void lay_out(struct listing *l)
{
    struct screen s = client_screen(STDOUT_FILENO);
    table_print(&l->table, &l->out, s.width, s.utf8 || !s.tty);
}

err_t listing_row(void *self, const struct row *row, struct errmsg *em)
{
    struct listing *l = self;
    if (!l->begun)
        begin(l, row);
    if (!row->values)
        return ERR_OK;
    l->rows++;
    if (l->form == LISTING_TABLE) {
        add_cells(l, row);
        if (table_rows(&l->table) >= PIECE_ROWS) {
            lay_out(l);
            table_fini(&l->table);
            table_init_names(&l->table, row->columns,
                             row->n < TABLE_MAX_COLUMNS ? row->n : TABLE_MAX_COLUMNS);
        }
    } else if (l->form == LISTING_JSON) {
        add_json(l, row);
    } else {
        add_csv(l, row);
    }
    return l->out.n >= PIECE_BYTES || !buf_ok(&l->out) ? flush(l, em) : ERR_OK;
}

err_t listing_end(struct listing *l, struct errmsg *em)
{
    if (l->form == LISTING_TABLE && l->begun) {
        if (l->rows == 0 && l->empty)
            buf_printf(&l->out, "%s\n", l->empty);
        else if (table_rows(&l->table) || l->rows == 0)
            lay_out(l);
    }
    return flush(l, em);
}
