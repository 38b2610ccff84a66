/* The frame of bench-quality and bench-suggest. */
#include "benchframe.h"

#include <stdio.h>

static void print_help(const struct opt_table *table)
{
    struct buf out;
    buf_init(&out, 0);
    opt_print_help(table, &out);
    fwrite(out.p, 1, out.n, stdout);
    buf_fini(&out);
}

int benchframe_run(const struct opt_table *table, void *settings, int argc, char **argv,
                   err_t (*run)(const void *settings, struct errmsg *em))
{
    struct opts o;
    struct errmsg em = {""};
    err_t e = opt_parse(table, settings, argc, argv, &o, &em);
    if (!e && (o.help || o.man || o.version))
        print_help(table);
    else if (!e && o.n_operands)
        e = errmsg_set(&em, ERR_INVALID, "unexpected argument \"%.64s\"", o.operands[0]);
    else if (!e)
        e = run(settings, &em);
    if (e)
        fprintf(stderr, "%s: %s\n", table->program, em.text);
    opt_fini(&o);
    return err_exit_code(e);
}
