/* The program tunefarm-broker: options, log, background, pid file, exit code. Everything else is
 * broker.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker.h"
#include "examine.h"
#include "log.h"
#include "openfiles.h"

#define FILES_NEEDED 256 /* 23 of its own, and some peers */

struct process {
    const struct broker_options *o;
    int tell; /* to the process that waits in the foreground; -1 = none */
};

static int print(struct opts *opts)
{
    struct buf out = {0};
    if (opts->version)
        buf_printf(&out, "tunefarm-broker %s\n", TUNEFARM_VERSION);
    else if (opts->man)
        opt_print_man(&broker_options_table, &out);
    else
        opt_print_help(&broker_options_table, &out);
    fwrite(out.p, 1, out.n, stdout);
    buf_fini(&out);
    return fflush(stdout) == 0 ? 0 : 1;
}

static int fail(err_t e, const struct errmsg *em)
{
    fprintf(stderr, "tunefarm broker: %s\n", em->text[0] ? em->text : err_text(e));
    return err_exit_code(e);
}

/* The parent stays in the foreground until the child serves or fails; the child returns with the
 * pipe's end. */
static err_t to_background(struct process *p, struct errmsg *em)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errmsg_set(em, ERR_FAILED, "--daemon: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0)
        return errmsg_set(em, ERR_FAILED, "--daemon: %s", strerror(errno));
    if (child > 0) {
        char ready = 0;
        close(ends[1]);
        ssize_t n = read(ends[0], &ready, 1);
        _exit(n == 1 ? ready : 1);
    }
    close(ends[0]);
    setsid();
    p->tell = ends[1];
    return ERR_OK;
}

static err_t write_pid(const char *path, struct errmsg *em)
{
    FILE *f = path ? fopen(path, "we") : NULL;
    if (!path)
        return ERR_OK;
    if (!f || fprintf(f, "%ld\n", (long)getpid()) < 0 || fclose(f) != 0)
        return errmsg_set(em, ERR_IO, "--pid-file: %s: %s", path, strerror(errno));
    return ERR_OK;
}

static void tell(struct process *p, int status)
{
    char c = (char)status;
    if (p->tell < 0)
        return;
    ssize_t n = write(p->tell, &c, 1);
    (void)n;
    close(p->tell);
    p->tell = -1;
}

static void on_ready(void *self)
{
    struct process *p = self;
    if (p->tell < 0)
        return;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    tell(p, 0);
}

static err_t serve(struct process *p, struct errmsg *em)
{
    struct broker *b = NULL;
    err_t e = broker_open(&b, p->o, em);
    if (e == ERR_OK)
        e = write_pid(p->o->pid_file, em);
    if (e == ERR_OK)
        e = broker_run(b, on_ready, p, em);
    broker_close(b);
    if (p->o->pid_file && e == ERR_OK)
        unlink(p->o->pid_file);
    return e;
}

int main(int argc, char **argv)
{
    struct broker_options o;
    struct opts opts;
    struct errmsg em = {{0}};
    struct process p = {.o = &o, .tell = -1};
    err_t e = opt_parse(&broker_options_table, &o, argc, argv, &opts, &em);
    if (e != ERR_OK)
        return fail(e, &em);
    if (opts.help || opts.version || opts.man) {
        int status = print(&opts);
        opt_fini(&opts);
        return status;
    }
    umask(077);
    if (opts.n_operands)
        e = errmsg_set(&em, ERR_INVALID, "\"%s\" is not expected: the broker takes options only",
                       opts.operands[0]);
    if (e == ERR_OK)
        e = broker_options_check(&o, &em);
    if (e == ERR_OK && o.examine) {
        int status = examine(o.db);
        opt_fini(&opts);
        return status;
    }
    if (e == ERR_OK)
        e = openfiles_raise(FILES_NEEDED, NULL, &em);
    if (e == ERR_OK)
        e = daemonopt_open_log(&o.common, "broker", &em);
    if (e == ERR_OK && o.daemon)
        e = to_background(&p, &em);
    if (e == ERR_OK)
        e = serve(&p, &em);
    int status = e == ERR_OK ? 0 : fail(e, &em);
    tell(&p, status);
    log_close();
    opt_fini(&opts);
    return status;
}
