/* SPDX-License-Identifier: Apache-2.0
 *
 * Host names to addresses without blocking the loop: each lookup is a short-lived thread that calls
 * getaddrinfo, so that /etc/hosts, search domains and whatever else the machine is configured for
 * hold here as everywhere. At most 64 at a time in the process.
 */
#ifndef CORE_NET_RESOLVE_H
#define CORE_NET_RESOLVE_H

#include "core/base/err.h"
#include "core/net/addr.h"

struct loop;
struct resolve;

enum { RESOLVE_ADDRS_MAX = 8, RESOLVE_AT_ONCE = 64 };

/* fn(arg, addrs, n, NULL) or fn(arg, NULL, 0, err), once, from the loop, never from within this. */
int resolve_start(struct loop *l, const char *host, uint16_t port,
                  void (*fn)(void *arg, const struct addr *addrs, size_t n, const struct err *err),
                  void *arg, struct resolve **ret_resolve, struct err *reterr) NODISCARD;
/* Before fn was called: it never will be. NULL is fine. */
void resolve_cancel(struct resolve *r);

#endif
