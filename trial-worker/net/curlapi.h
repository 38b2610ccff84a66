/* libcurl, opened when it is needed: linked, it and the twenty libraries behind it would double the
 * memory and the start of every worker, though few ask a cloud. Names are those of
 * the library without "curl_". */
#ifndef FARM_TRIAL_WORKER_CURLAPI_H
#define FARM_TRIAL_WORKER_CURLAPI_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "err.h"

/* X(type, name without "curl_", parameters) */
#define CURLAPI_LIST(X)                                                                            \
    X(CURLcode, global_init, (long flags))                                                         \
    X(void, global_cleanup, (void))                                                                \
    X(CURL *, easy_init, (void))                                                                   \
    X(void, easy_cleanup, (CURL * easy))                                                           \
    X(CURLcode, easy_setopt, (CURL * easy, CURLoption option, ...))                                \
    X(CURLcode, easy_getinfo, (CURL * easy, CURLINFO info, ...))                                   \
    X(const char *, easy_strerror, (CURLcode code))                                                \
    X(struct curl_slist *, slist_append, (struct curl_slist * list, const char *text))             \
    X(void, slist_free_all, (struct curl_slist * list))                                            \
    X(CURLM *, multi_init, (void))                                                                 \
    X(CURLMcode, multi_cleanup, (CURLM * multi))                                                   \
    X(CURLMcode, multi_setopt, (CURLM * multi, CURLMoption option, ...))                           \
    X(CURLMcode, multi_add_handle, (CURLM * multi, CURL * easy))                                   \
    X(CURLMcode, multi_remove_handle, (CURLM * multi, CURL * easy))                                \
    X(CURLMcode, multi_socket_action, (CURLM * multi, curl_socket_t fd, int what, int *running))   \
    X(CURLMsg *, multi_info_read, (CURLM * multi, int *left))                                      \
    X(CURLMcode, multi_assign, (CURLM * multi, curl_socket_t fd, void *mine))

#define CURLAPI_MEMBER(type, name, parameters) type(*name) parameters;
struct curlapi {
    CURLAPI_LIST(CURLAPI_MEMBER)
};
#undef CURLAPI_MEMBER

/* Fills it; the library stays open to the end of the process. The sentence says what to install. */
err_t curlapi_open(struct curlapi *out, struct errmsg *em) MUST_CHECK;

#endif
