/* SPDX-License-Identifier: Apache-2.0
 *
 * Socket addresses as people write them, and listening on them:
 *
 *     127.0.0.1:8080   [::1]:8080   localhost:8080   unix:/run/kaiju.sock
 *     *:8080 or :8080  every interface, IPv6 and IPv4 on one socket
 *     127.0.0.1:0      any free port; addr_of_fd tells which
 *
 * Other names are not resolved here: what a server listens on must not depend on a name server,
 * and a client resolves through core/net/resolve.h, off the loop.
 */
#ifndef CORE_NET_ADDR_H
#define CORE_NET_ADDR_H

#include "core/base/err.h"
#include "core/base/slice.h"

#include <sys/socket.h>
#include <sys/un.h>

struct addr {
    union {
        struct sockaddr sa;
        struct sockaddr_storage storage;
        struct sockaddr_un un;
    } u;
    socklen_t len;
    bool any; /* every interface: falls back to IPv4 where there is no IPv6 */
};

enum { ADDR_TEXT_BYTES = 128 };

struct addr_listen_opts {
    bool reuseport; /* several loops, each with its own socket: the kernel spreads connections */
    int backlog;    /* 0 = 1024 */
    unsigned unix_mode; /* permissions of a unix socket; 0 = 0600 */
};

int addr_parse(struct slice text, struct addr *ret_addr, struct err *reterr) NODISCARD;
/* host without brackets: an address literal. False if it is a name. */
bool addr_literal(struct slice host, uint16_t port, struct addr *ret_addr);
const char *addr_text(const struct addr *a, char out[ADDR_TEXT_BYTES]);
uint16_t addr_port(const struct addr *a); /* 0 for unix */
/* Non-blocking, close-on-exec. A stale unix socket that nobody answers on is replaced. */
int addr_listen(const struct addr *a, const struct addr_listen_opts *opts, int *ret_fd,
                struct err *reterr) NODISCARD;
struct addr addr_of_fd(int fd); /* the local end */

#endif
