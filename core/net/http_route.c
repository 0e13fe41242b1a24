/* SPDX-License-Identifier: Apache-2.0
 *
 * See http_route.h. Exact paths by hash, prefixes in a list sorted longest first: a server has a
 * handful of them. Filled before the server runs, then only read.
 */
#include "core/net/http_route.h"

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/vec.h"

#include <assert.h>
#include <stdio.h>

enum { ROUTES_MAX = 4096 };

struct entry {
    const struct http_route *route;
    void *arg;
    struct slice path;  /* without the '*' */
    struct entry *next; /* exact: the same path, other methods */
};

struct http_router {
    struct map exact; /* path -> struct entry */
    VEC(struct entry) prefixes;
};

struct http_router *http_router_new(void)
{
    struct http_router *t = MEM_NEW(struct http_router);
    map_init(&t->exact, ROUTES_MAX);
    return t;
}

void http_router_free(struct http_router *t)
{
    if (t == NULL) {
        return;
    }
    MAP_EACH (&t->exact, e) {
        struct entry *at = e->value;
        while (at != NULL) {
            struct entry *next = at->next;
            mem_free(at);
            at = next;
        }
    }
    map_done(&t->exact);
    VEC_DONE(&t->prefixes);
    mem_free(t);
}

static void add_prefix(struct http_router *t, struct entry entry)
{
    (void)VEC_PUSH(&t->prefixes);
    size_t i = t->prefixes.len - 1;
    for (; i > 0 && t->prefixes.ptr[i - 1].path.len < entry.path.len; i--) {
        t->prefixes.ptr[i] = t->prefixes.ptr[i - 1];
    }
    t->prefixes.ptr[i] = entry;
}

void http_router_add(struct http_router *t, const struct http_route *routes, size_t n, void *arg)
{
    assert(t != NULL && routes != NULL);
    for (size_t i = 0; i < n; i++) {
        const struct http_route *r = &routes[i];
        assert(r->path[0] == '/' && r->methods != 0 && r->fn != NULL);
        struct entry entry = {r, arg, slice_str(r->path), NULL};
        if (slice_ends(entry.path, SLICE("*"))) {
            entry.path.len--;
            add_prefix(t, entry);
            continue;
        }
        void **slot = map_put(&t->exact, entry.path);
        assert(slot != NULL && "more routes than ROUTES_MAX");
        struct entry *copy = mem_dup(&entry, sizeof entry);
        copy->next = *slot;
        *slot = copy;
    }
}

/* HEAD is served by GET, by its own route where there is one. */
static bool serves(const struct http_route *r, enum http_method method)
{
    return (r->methods & (1u << method)) != 0 ||
           (method == HTTP_HEAD && (r->methods & HTTP_BIT(GET)) != 0);
}

static void consider(struct http_match *m, const struct entry *e, enum http_method method)
{
    m->allowed |= e->route->methods | HTTP_BIT(OPTIONS) |
                  ((e->route->methods & HTTP_BIT(GET)) ? HTTP_BIT(HEAD) : 0);
    bool own = m->route != NULL && (m->route->methods & (1u << method)) != 0;
    if (serves(e->route, method) && !own) {
        m->route = e->route;
        m->arg = e->arg;
    }
}

struct http_match http_router_match(const struct http_router *t, struct slice path,
                                    enum http_method method)
{
    assert(t != NULL);
    struct http_match m = {0};
    for (const struct entry *e = map_get(&t->exact, path); e != NULL; e = e->next) {
        consider(&m, e, method);
    }
    if (m.allowed != 0) {
        return m;
    }
    size_t longest = 0;
    for (size_t i = 0; i < t->prefixes.len; i++) {
        const struct entry *e = &t->prefixes.ptr[i];
        if ((m.allowed == 0 || e->path.len == longest) && slice_starts(path, e->path)) {
            longest = e->path.len;
            consider(&m, e, method);
            m.tail = slice_sub(path, e->path.len, path.len);
        }
    }
    return m;
}

const char *http_allow_text(unsigned methods, char out[HTTP_ALLOW_BYTES])
{
    size_t n = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < HTTP_METHOD_COUNT; i++) {
        if ((methods & (1u << i)) != 0 && n < HTTP_ALLOW_BYTES) {
            int put = snprintf(out + n, HTTP_ALLOW_BYTES - n, "%s%s", n > 0 ? ", " : "",
                               http_method_name((enum http_method)i));
            n += put > 0 ? (size_t)put : 0;
        }
    }
    return out;
}
