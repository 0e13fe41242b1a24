/* SPDX-License-Identifier: Apache-2.0
 *
 * See addr.h. Any thread.
 */
#include "core/net/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sockaddr_in *as_v4(struct addr *a)
{
    return (struct sockaddr_in *)(void *)&a->u.storage;
}

static struct sockaddr_in6 *as_v6(struct addr *a)
{
    return (struct sockaddr_in6 *)(void *)&a->u.storage;
}

static struct addr make_v4(struct in_addr ip, uint16_t port)
{
    struct addr a = {.len = sizeof(struct sockaddr_in)};
    *as_v4(&a) =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = ip};
    return a;
}

static struct addr make_v6(struct in6_addr ip, uint16_t port)
{
    struct addr a = {.len = sizeof(struct sockaddr_in6)};
    *as_v6(&a) =
        (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = ip};
    return a;
}

bool addr_literal(struct slice host, uint16_t port, struct addr *ret_addr)
{
    char text[INET6_ADDRSTRLEN + 1];
    if (host.len == 0 || host.len >= sizeof text) {
        return false;
    }
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, text, &v4) == 1) {
        *ret_addr = make_v4(v4, port);
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6) == 1) {
        *ret_addr = make_v6(v6, port);
        return true;
    }
    return false;
}

static int parse_unix(struct slice path, struct addr *ret_addr, struct err *reterr)
{
    struct addr a = {0};
    if (path.len == 0 || path.len >= sizeof a.u.un.sun_path || slice_find(path, '\0') != path.len) {
        return err_set(reterr, ERR_SYNTAX, "unix:PATH needs a path of 1 to %zu bytes",
                       sizeof a.u.un.sun_path - 1);
    }
    a.u.un.sun_family = AF_UNIX;
    memcpy(a.u.un.sun_path, path.ptr, path.len);
    a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    *ret_addr = a;
    return 0;
}

int addr_parse(struct slice text, struct addr *ret_addr, struct err *reterr)
{
    assert(ret_addr != NULL);
    if (slice_starts(text, SLICE("unix:"))) {
        return parse_unix(slice_sub(text, 5, text.len), ret_addr, reterr);
    }
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':') {
        colon--;
    }
    uint64_t port = 0;
    if (colon == 0 || !slice_to_u64(slice_sub(text, colon, text.len), &port) || port > 65535) {
        return err_set(reterr, ERR_SYNTAX,
                       "address '" SLICE_FMT "': expected HOST:PORT with a port of 0 to 65535, "
                       "[IPV6]:PORT or unix:PATH",
                       SLICE_ARG(text));
    }
    struct slice host = slice_sub(text, 0, colon - 1);
    if (host.len == 0 || slice_eq(host, SLICE("*"))) {
        *ret_addr = make_v6(in6addr_any, (uint16_t)port);
        ret_addr->any = true;
        return 0;
    }
    bool bracket = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    struct slice bare = bracket ? slice_sub(host, 1, host.len - 1) : host;
    if (slice_eq_nocase(bare, SLICE("localhost"))) {
        bare = SLICE("127.0.0.1");
    }
    bool v6 = slice_find(bare, ':') != bare.len;
    if (v6 != bracket || !addr_literal(bare, (uint16_t)port, ret_addr)) {
        return err_set(reterr, ERR_SYNTAX,
                       "address '" SLICE_FMT "': '" SLICE_FMT "' is not an IPv4 address, an IPv6 "
                       "address in brackets, 'localhost' or '*'",
                       SLICE_ARG(text), SLICE_ARG(host));
    }
    return 0;
}

const char *addr_text(const struct addr *a, char out[ADDR_TEXT_BYTES])
{
    char ip[INET6_ADDRSTRLEN] = "?";
    struct addr copy = *a;
    switch (a->u.sa.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &as_v4(&copy)->sin_addr, ip, sizeof ip);
        snprintf(out, ADDR_TEXT_BYTES, "%s:%u", ip, addr_port(a));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &as_v6(&copy)->sin6_addr, ip, sizeof ip);
        snprintf(out, ADDR_TEXT_BYTES, "[%s]:%u", ip, addr_port(a));
        break;
    case AF_UNIX: snprintf(out, ADDR_TEXT_BYTES, "unix:%s", a->u.un.sun_path); break;
    default: snprintf(out, ADDR_TEXT_BYTES, "?"); break;
    }
    return out;
}

uint16_t addr_port(const struct addr *a)
{
    struct addr copy = *a;
    switch (a->u.sa.sa_family) {
    case AF_INET: return ntohs(as_v4(&copy)->sin_port);
    case AF_INET6: return ntohs(as_v6(&copy)->sin6_port);
    default: return 0;
    }
}

struct addr addr_of_fd(int fd)
{
    struct addr a = {.len = sizeof a.u};
    if (getsockname(fd, &a.u.sa, &a.len) != 0) {
        a = (struct addr){0};
    }
    return a;
}

/* A socket file stays behind when its process dies. It is removed only if it is a socket and
 * nobody accepts on it. */
static void remove_stale(const struct addr *a)
{
    struct stat st;
    if (lstat(a->u.un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        return;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        if (connect(fd, &a->u.sa, a->len) != 0 && errno == ECONNREFUSED) {
            unlink(a->u.un.sun_path);
        }
        close(fd);
    }
}

static void set_flag(int fd, int level, int name, int value)
{
    int rc = setsockopt(fd, level, name, &value, sizeof value);
    (void)rc; /* a socket without the option works as well, only less well */
}

static int open_socket(struct addr *a, struct err *reterr)
{
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 && a->any && errno == EAFNOSUPPORT) {
        *a = make_v4((struct in_addr){.s_addr = htonl(INADDR_ANY)}, addr_port(a));
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    return fd >= 0 ? fd : err_set(reterr, ERR_IO, "socket: %s", strerror(errno));
}

int addr_listen(const struct addr *where, const struct addr_listen_opts *opts, int *ret_fd,
                struct err *reterr)
{
    assert(where != NULL && ret_fd != NULL);
    struct addr_listen_opts o = opts != NULL ? *opts : (struct addr_listen_opts){0};
    struct addr a = *where;
    char text[ADDR_TEXT_BYTES];
    int fd = open_socket(&a, reterr);
    if (fd < 0) {
        return fd;
    }
    bool local = a.u.sa.sa_family == AF_UNIX;
    if (local) {
        remove_stale(&a);
    } else {
        set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        set_flag(fd, SOL_SOCKET, SO_REUSEPORT, o.reuseport);
        set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted sockets inherit it */
    }
    if (a.u.sa.sa_family == AF_INET6) {
        set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !a.any);
    }
    if (bind(fd, &a.u.sa, a.len) != 0 ||
        (local && chmod(a.u.un.sun_path, o.unix_mode != 0 ? (mode_t)o.unix_mode : 0600) != 0) ||
        listen(fd, o.backlog > 0 ? o.backlog : 1024) != 0) {
        int saved = errno;
        close(fd);
        return err_set(
            reterr, saved == EADDRINUSE ? ERR_EXISTS : ERR_IO, "listen on %s: %s%s",
            addr_text(where, text), strerror(saved),
            saved == EADDRINUSE ? ": somebody listens there already; take another address" : "");
    }
    *ret_fd = fd;
    return 0;
}
