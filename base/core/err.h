/* The one list of errors: what functions return, what a person reads, what a process exits with. */
#ifndef FARM_BASE_ERR_H
#define FARM_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

/* name, process exit code, default sentence. Exit codes are part of the command line's contract
 * (docs/cli.md). */
#define ERR_LIST(X)                                                                                \
    X(OK, 0, "no error")                                                                           \
    X(FAILED, 1, "the operation failed")                                                           \
    X(NOMEM, 1, "a memory limit was reached")                                                      \
    X(IO, 1, "an input or output operation failed")                                                \
    X(FULL, 1, "no space is left")                                                                 \
    X(INVALID, 2, "the input is not valid")                                                        \
    X(LIMIT, 2, "a limit was exceeded")                                                            \
    X(VERSION, 2, "the version is not supported")                                                  \
    X(UNREACHABLE, 3, "the broker cannot be reached")                                              \
    X(TIMEOUT, 3, "no answer came in time")                                                        \
    X(NOT_FOUND, 4, "there is no such thing")                                                      \
    X(EXISTS, 4, "it exists already")                                                              \
    X(REFUSED, 4, "it was refused")                                                                \
    X(STALE, 4, "the attempt or session is no longer current")                                     \
    X(CORRUPT, 5, "stored data are damaged")                                                       \
    X(INTERRUPTED, 130, "interrupted")                                                             \
    X(UNSUPPORTED, 2, "the kind of message is not known")

enum err {
#define ERR_ENUM(name, code, text) ERR_##name,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
        ERR_COUNT
};
typedef enum err err_t;

#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

const char *err_name(err_t e); /* "NOT_FOUND"; never NULL */
const char *err_text(err_t e); /* the default sentence; never NULL */
int err_exit_code(err_t e);

/* One sentence for a person: what is wrong, where, what was expected. Filled by the function that
 * found the fault, prefixed by its callers with where they were. Every function that takes one
 * accepts NULL. */
struct errmsg {
    char text[1024];
};

/* Sets the sentence (cut at a UTF-8 boundary if too long) and returns e, so that a caller can
 * `return errmsg_set(...)`. */
err_t errmsg_set(struct errmsg *em, err_t e, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Puts "prefix: " before what is there. Returns e. */
err_t errmsg_wrap(struct errmsg *em, err_t e, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Contracts of our own code, checked in release builds too: prints the place and aborts. Never for
 * what a peer, a file or a user can cause. */
_Noreturn void err_contract_broken(const char *file, int line, const char *what);
#define REQUIRE(cond) ((cond) ? (void)0 : err_contract_broken(__FILE__, __LINE__, #cond))

#endif
