/* The sentences and exit codes of err.h, the message buffer, and the end of a process whose own
 * contract is broken.
 *
 * Everything calls this; it calls nothing of ours but the UTF-8 cut of str.h, and it allocates
 * nothing, so that it works when memory is what failed. */
#include "err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"

struct err_row {
    const char *name;
    const char *text;
    int exit_code;
};

static const struct err_row err_rows[ERR_COUNT] = {
#define ERR_ROW(name, code, text) [ERR_##name] = {#name, text, code},
    ERR_LIST(ERR_ROW)
#undef ERR_ROW
};

static const struct err_row *err_row(err_t e)
{
    return &err_rows[(unsigned)e < ERR_COUNT ? e : ERR_FAILED];
}

const char *err_name(err_t e)
{
    return err_row(e)->name;
}

const char *err_text(err_t e)
{
    return err_row(e)->text;
}

int err_exit_code(err_t e)
{
    return err_row(e)->exit_code;
}

/* What snprintf had to cut may end inside a UTF-8 sequence: shorten it to the last whole one. */
static void errmsg_trim(struct errmsg *em, int wanted)
{
    if (wanted < 0) {
        em->text[0] = 0;
    } else if ((size_t)wanted >= sizeof em->text) {
        size_t n = strlen(em->text);
        size_t k = n;
        while (k > 0 && n - k < 3 && ((unsigned char)em->text[k - 1] & 0xc0) == 0x80)
            k--;
        if (k > 0 && !str_utf8_valid(str_make(em->text + k - 1, n - k + 1)))
            em->text[k - 1] = 0;
    }
}

err_t errmsg_set(struct errmsg *em, err_t e, const char *fmt, ...)
{
    if (em) {
        struct errmsg fresh; /* what is there may be among the arguments */
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(fresh.text, sizeof fresh.text, fmt, ap);
        va_end(ap);
        errmsg_trim(&fresh, n);
        memcpy(em->text, fresh.text, strlen(fresh.text) + 1);
    }
    return e;
}

err_t errmsg_wrap(struct errmsg *em, err_t e, const char *fmt, ...)
{
    if (em) {
        struct errmsg old = {""};
        str_copyz(old.text, sizeof old.text, str_of(em->text));
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(em->text, sizeof em->text, fmt, ap);
        va_end(ap);
        errmsg_trim(em, n);
        size_t have = strlen(em->text);
        n = snprintf(em->text + have, sizeof em->text - have, ": %s", old.text);
        errmsg_trim(em, n < 0 ? n : n + (int)have);
    }
    return e;
}

_Noreturn void err_contract_broken(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: this program broke its own contract: %s\n", file, line, what);
    fflush(stderr);
    abort();
}
