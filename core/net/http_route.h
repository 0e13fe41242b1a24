/* SPDX-License-Identifier: Apache-2.0
 *
 * The router: tables of routes to handlers. A path is exact ("/healthz"), or a prefix if it ends
 * in '*' ("/api/v1/" + "*"); an exact path wins over a prefix, a longer prefix over a shorter one.
 * Paths are compared byte by byte as they were sent: nothing is decoded and ".." means nothing,
 * so a route cannot be reached by a second spelling that some check in front did not know.
 *
 *     static const struct http_route routes[] = {
 *         {"/healthz", HTTP_BIT(GET), .fn = on_health, .doc = "is the process alive"},
 *     };
 *     http_router_add(router, routes, ARRAY_LEN(routes), health);
 *
 * HEAD is answered wherever GET is, OPTIONS everywhere. The tables must outlive the router.
 */
#ifndef CORE_NET_HTTP_ROUTE_H
#define CORE_NET_HTTP_ROUTE_H

#include "core/net/http.h"

struct http_req;
struct http_router;

enum http_route_flag {
    HTTP_ROUTE_BODY = 1, /* a request without Content-Length or chunks is answered 411 */
};

struct http_route {
    const char *path;
    unsigned methods; /* HTTP_BIT(GET) | ... */
    unsigned flags;
    uint64_t body_max; /* 0: the server's */
    void (*fn)(struct http_req *r, void *arg);
    const char *doc;
};

struct http_match {
    const struct http_route *route; /* NULL: none for this method */
    void *arg;
    unsigned allowed;  /* methods of the path, HEAD and OPTIONS included; 0: no such path */
    struct slice tail; /* what followed the prefix */
};

struct http_router *http_router_new(void);
void http_router_free(struct http_router *t);
void http_router_add(struct http_router *t, const struct http_route *routes, size_t n, void *arg);
struct http_match http_router_match(const struct http_router *t, struct slice path,
                                    enum http_method method);
/* "GET, HEAD, OPTIONS" into out; for Allow. */
enum { HTTP_ALLOW_BYTES = 64 };
const char *http_allow_text(unsigned methods, char out[HTTP_ALLOW_BYTES]);

#endif
