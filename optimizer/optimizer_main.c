/* tunefarm-optimizer: options, then the daemon (optimizer.c), the filter (stdio_mode.c) or the
 * replay of a journal (replay_mode.c). */
#include <stdio.h>
#include <unistd.h>

#include "optimizer.h"
#include "replay_mode.h"
#include "stdio_mode.h"

static int print(const struct opts *o)
{
    struct buf out;
    buf_init(&out, 0);
    if (o->version)
        buf_addz(&out, "tunefarm-optimizer " TUNEFARM_VERSION "\n");
    else if (o->man)
        opt_print_man(&optimizer_options, &out);
    else
        opt_print_help(&optimizer_options, &out);
    bool fine = fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    buf_fini(&out);
    return fine ? 0 : err_exit_code(ERR_IO);
}

static err_t check(const struct optimizer_options *s, const struct opts *o, struct errmsg *em)
{
    if (o->n_operands)
        return errmsg_set(em, ERR_INVALID, "unexpected argument \"%.200s\"", o->operands[0]);
    if (s->replay)
        return s->broker || s->stdio
                   ? errmsg_set(em, ERR_INVALID, "--replay excludes --broker and --stdio")
                   : ERR_OK;
    if (!s->broker && !s->stdio)
        return errmsg_set(em, ERR_INVALID,
                          "--broker ENDPOINT is needed (or --stdio STUDY, to work without a farm)");
    if (s->broker && s->stdio)
        return errmsg_set(em, ERR_INVALID, "--broker and --stdio exclude each other");
    return ERR_OK;
}

int main(int argc, char **argv)
{
    struct optimizer_options s;
    struct opts o;
    struct errmsg em = {""};
    int code;
    err_t e = opt_parse(&optimizer_options, &s, argc, argv, &o, &em);
    if (!e && (o.help || o.version || o.man)) {
        code = print(&o);
        opt_fini(&o);
        return code;
    }
    if (!e)
        e = check(&s, &o, &em);
    if (e) {
        fprintf(stderr, "tunefarm optimizer: %s\n", em.text);
        code = err_exit_code(e);
    } else if (s.replay) {
        code = replay_mode();
    } else if (s.stdio) {
        code = stdio_mode(s.stdio, daemonopt_fd(s.common.ready_fd));
    } else {
        code = optimizer_run(&s);
    }
    opt_fini(&o);
    return code;
}
