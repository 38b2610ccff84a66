/* Checks endpoints before ZeroMQ sees them, because what it says about a bad one is "Invalid
 * argument".
 *
 * Called by every program that binds or connects. Looks nothing up: whether a host exists shows on
 * connecting. */
#include "endpoint.h"

#include <ctype.h>
#include <stdio.h>

static err_t parse_ipc(struct endpoint *e, struct str path, struct errmsg *em)
{
    if (path.n == 0 || path.p[0] == '@' || path.p[0] == '*')
        return errmsg_set(em, ERR_INVALID, "%s: expected the path of a socket file behind ipc://",
                          e->text);
    if (path.n >= sizeof e->path)
        return errmsg_set(em, ERR_LIMIT,
                          "%s: the path of a socket may have %zu bytes, this one has %zu", e->text,
                          sizeof e->path - 1, path.n);
    str_copyz(e->path, sizeof e->path, path);
    return ERR_OK;
}

static bool host_ok(struct str host)
{
    bool bracketed = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (host.n == 0 || host.n > 253 || str_is(host, "*"))
        return str_is(host, "*");
    for (size_t i = bracketed ? 1 : 0; i < host.n - (bracketed ? 1 : 0); i++) {
        unsigned char c = (unsigned char)host.p[i];
        if (bracketed ? !isxdigit(c) && c != ':' && c != '.' : !isalnum(c) && !strchr(".-_", c))
            return false;
    }
    return true;
}

static err_t parse_tcp(struct endpoint *e, struct str rest, struct errmsg *em)
{
    size_t colon = rest.n;
    while (colon > 0 && rest.p[colon - 1] != ':')
        colon--;
    struct str host = str_make(rest.p, colon ? colon - 1 : 0);
    struct str digits = str_make(rest.p + colon, rest.n - colon);
    uint64_t port;
    if (colon == 0 || !str_to_u64(digits, &port) || port > 65535)
        return errmsg_set(em, ERR_INVALID,
                          "%s: expected tcp://HOST:PORT with a port between 0 and 65535", e->text);
    if (!host_ok(host))
        return errmsg_set(em, ERR_INVALID,
                          "%s: expected a host name, an address, an IPv6 address in brackets, or * "
                          "between tcp:// and the port",
                          e->text);
    str_copyz(e->host, sizeof e->host, host);
    e->port = (unsigned)port;
    e->tcp = true;
    return ERR_OK;
}

err_t endpoint_parse(struct endpoint *e, struct str text, struct errmsg *em)
{
    memset(e, 0, sizeof *e);
    if (text.n >= sizeof e->text)
        return errmsg_set(em, ERR_LIMIT, "an endpoint of %zu bytes is too long", text.n);
    if (str_has_control(text) || !str_utf8_valid(text))
        return errmsg_set(em, ERR_INVALID, "an endpoint holds control characters or no UTF-8");
    str_copyz(e->text, sizeof e->text, text);
    if (str_starts(text, "ipc://"))
        return parse_ipc(e, str_make(text.p + 6, text.n - 6), em);
    if (str_starts(text, "tcp://"))
        return parse_tcp(e, str_make(text.p + 6, text.n - 6), em);
    return errmsg_set(em, ERR_INVALID, "'%s': expected ipc://PATH or tcp://HOST:PORT", e->text);
}

err_t endpoint_feed(const struct endpoint *listen, struct endpoint *out, struct errmsg *em)
{
    char text[ENDPOINT_SIZE + 8];
    if (!listen->tcp)
        snprintf(text, sizeof text, "%s.feed", listen->text);
    else if (listen->port == 65535)
        return errmsg_set(em, ERR_INVALID,
                          "%s: the feed takes the next port, and there is none; name the feed's "
                          "endpoint",
                          listen->text);
    else
        snprintf(text, sizeof text, "tcp://%s:%u", listen->host,
                 listen->port ? listen->port + 1 : 0);
    err_t e = endpoint_parse(out, str_of(text), em);
    return e ? errmsg_wrap(em, e, "the feed's default endpoint") : ERR_OK;
}
