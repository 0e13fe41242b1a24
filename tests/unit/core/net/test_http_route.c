/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/http_route.h"

#include "tests/test.h"

static void nothing(struct http_req *r, void *arg)
{
    (void)r;
    (void)arg;
}

static const struct http_route table[] = {
    {.path = "/a", .methods = HTTP_BIT(GET) | HTTP_BIT(POST), .fn = nothing, .doc = "0"},
    {.path = "/a", .methods = HTTP_BIT(DELETE), .fn = nothing, .doc = "1"},
    {.path = "/api/*", .methods = HTTP_BIT(GET), .fn = nothing, .doc = "2"},
    {.path = "/api/rules/*", .methods = HTTP_BIT(GET), .fn = nothing, .doc = "3"},
    {.path = "/api/rules/*", .methods = HTTP_BIT(PUT), .fn = nothing, .doc = "4"},
    {.path = "/api/rules/special", .methods = HTTP_BIT(HEAD), .fn = nothing, .doc = "5"},
    {.path = "/api/rules/special", .methods = HTTP_BIT(GET), .fn = nothing, .doc = "6"},
};

static int which(const struct http_router *t, const char *path, enum http_method m)
{
    struct http_match match = http_router_match(t, slice_str(path), m);
    return match.route != NULL ? (int)(match.route - table) : match.allowed != 0 ? -405 : -404;
}

TEST(http_router_prefers_exact_then_longest)
{
    struct http_router *t = http_router_new();
    int arg;
    char allow[HTTP_ALLOW_BYTES];
    http_router_add(t, table, ARRAY_LEN(table), &arg);
    CHECK_EQ(0, which(t, "/a", HTTP_GET));
    CHECK_EQ(0, which(t, "/a", HTTP_HEAD));
    CHECK_EQ(1, which(t, "/a", HTTP_DELETE));
    CHECK_EQ(-405, which(t, "/a", HTTP_PUT));
    CHECK_EQ(-404, which(t, "/a/", HTTP_GET));
    CHECK_EQ(-404, which(t, "/", HTTP_GET));
    CHECK_EQ(-404, which(t, "/api", HTTP_GET));
    CHECK_EQ(2, which(t, "/api/", HTTP_GET));
    CHECK_EQ(2, which(t, "/api/x", HTTP_GET));
    CHECK_EQ(3, which(t, "/api/rules/x", HTTP_GET));
    CHECK_EQ(4, which(t, "/api/rules/x", HTTP_PUT));
    CHECK_EQ(5, which(t, "/api/rules/special", HTTP_HEAD));
    CHECK_EQ(6, which(t, "/api/rules/special", HTTP_GET));
    CHECK_EQ(-405, which(t, "/api/rules/special", HTTP_PUT));
    struct http_match m = http_router_match(t, SLICE("/api/rules/a/b"), HTTP_PUT);
    CHECK_SLICE("a/b", m.tail);
    CHECK(m.arg == &arg);
    CHECK_STR("GET, HEAD, PUT, OPTIONS", http_allow_text(m.allowed, allow));
    http_router_free(t);
}
