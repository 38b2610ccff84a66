/* Finds libcurl and the functions of it that metadata.c calls. It must not know what for. */
#include "curlapi.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* Debian names it by the TLS library behind it; no TLS is used here. */
static void *open_library(void)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    void *library = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    return library;
}

/* C has no cast from an object's address to a function's. */
static bool find(void *library, const char *name, void *slot)
{
    void *p = dlsym(library, name);
    memcpy(slot, &p, sizeof p);
    return p != NULL;
}

err_t curlapi_open(struct curlapi *out, struct errmsg *em)
{
    void *library = open_library();
    if (!library)
        return errmsg_set(em, ERR_NOT_FOUND,
                          "--cloud needs libcurl, which is not on this machine; install libcurl4");
    bool all = true;
#define FIND(type, name, parameters) all &= find(library, "curl_" #name, &out->name);
    CURLAPI_LIST(FIND)
#undef FIND
    return all ? ERR_OK
               : errmsg_set(em, ERR_VERSION, "the libcurl of this machine lacks a function");
}
