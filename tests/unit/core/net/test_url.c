/* SPDX-License-Identifier: Apache-2.0
 *
 * URLs cut into parts, and the ones that are refused; names looked up.
 */
#include "core/base/clock.h"
#include "core/net/loop.h"
#include "core/net/resolve.h"
#include "core/net/url.h"
#include "tests/test.h"

struct url_case {
    const char *text, *host, *target;
    uint16_t port;
    bool tls, v6, default_port;
};

static const struct url_case good[] = {
    {"http://h", "h", "/", 80, false, false, true},
    {"https://h/", "h", "/", 443, true, false, true},
    {"HTTP://a.b-c_d:8080/x?y=1", "a.b-c_d", "/x?y=1", 8080, false, false, false},
    {"https://h:443/x#part", "h", "/x", 443, true, false, true},
    {"http://[::1]:9/z", "::1", "/z", 9, false, true, false},
    {"http://[fe80::1]", "fe80::1", "/", 80, false, true, true},
    {"http://h?q", "h", "?q", 80, false, false, true},
    {"http://h:/x", "h", "/x", 80, false, false, true},
    {"https://10.0.0.1:80/", "10.0.0.1", "/", 80, true, false, false},
};

TEST(url_parts)
{
    struct err err = {0};
    struct url u;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        const struct url_case *c = &good[i];
        CHECK_OK(url_parse(slice_str(c->text), &u, &err), err);
        CHECK_SLICE(c->host, u.host);
        CHECK_SLICE(c->target, u.target);
        CHECK_EQ(c->port, u.port);
        CHECK(c->tls == u.tls && c->v6 == u.v6 && c->default_port == u.default_port);
    }
}

TEST(url_refusals)
{
    static const char *const bad[] = {"",
                                      "h",
                                      "ftp://h/",
                                      "http://",
                                      "http:///x",
                                      "http://h:0",
                                      "http://h:x",
                                      "http://h:65536",
                                      "http://[::1",
                                      "http://u:p@h/",
                                      "http://h/ ",
                                      "http://h/\x80",
                                      "http://h!/",
                                      "http://h:+1/",
                                      "http://[]/",
                                      "http://[h]/",
                                      "http://[1.2.3.4]/",
                                      "http://[fe80::1%eth0]/",
                                      "http://[::1]x/"};
    struct err err = {0};
    struct url u;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (url_parse(slice_str(bad[i]), &u, &err) != -ERR_SYNTAX) {
            test_fail(__FILE__, __LINE__, "accepted: '%s'", bad[i]);
        }
    }
}

TEST(url_lengths)
{
    struct err err = {0};
    struct url u;
    char text[URL_MAX + 2] = "http://";
    memset(text + 7, 'h', URL_HOST_MAX);
    CHECK_OK(url_parse(slice_str(text), &u, &err), err);
    CHECK_EQ(URL_HOST_MAX, u.host.len);
    text[7 + URL_HOST_MAX] = 'h';
    CHECK_EQ(-ERR_SYNTAX, url_parse(slice_str(text), &u, &err));
    CHECK_EQ(URL_HOST_MAX, u.host.len); /* untouched on failure */
    text[8] = '/';
    memset(text + 9, 'x', URL_MAX - 9);
    CHECK_OK(url_parse(slice_str(text), &u, &err), err);
    CHECK_EQ(URL_MAX - 8, u.target.len);
    text[URL_MAX] = 'x';
    CHECK_EQ(-ERR_TOO_BIG, url_parse(slice_str(text), &u, &err));
}

struct answer {
    int calls;
    size_t n;
    struct err err;
};

static void on_answer(void *arg, const struct addr *addrs, size_t n, const struct err *err)
{
    struct answer *a = arg;
    (void)addrs;
    a->calls++;
    a->n = n;
    if (err != NULL) {
        a->err = *err;
    }
}

TEST(resolve_answers_from_the_loop)
{
    struct loop *l = loop_new();
    struct answer a = {0}, none = {0}, cancelled = {0};
    struct resolve *r;
    struct err err = {0};
    CHECK_OK(resolve_start(l, "localhost", 80, on_answer, &a, &r, &err), err);
    CHECK_EQ(0, a.calls);
    CHECK_OK(resolve_start(l, "no-such-host.invalid", 80, on_answer, &none, &r, &err), err);
    CHECK_OK(resolve_start(l, "localhost", 80, on_answer, &cancelled, &r, &err), err);
    resolve_cancel(r);
    for (int i = 0; i < 100000 && (a.calls == 0 || none.calls == 0); i++) {
        loop_step(l, CLOCK_NS_PER_MS);
    }
    CHECK_EQ(1, a.calls);
    CHECK(a.n > 0);
    CHECK_EQ(1, none.calls);
    CHECK(none.err.code == ERR_NOT_FOUND || none.err.code == ERR_UNAVAILABLE);
    CHECK_HAS("no-such-host.invalid", none.err.msg);
    CHECK_EQ(0, cancelled.calls);
    loop_free(l);
}

TEST(resolve_bounds_lookups_at_a_time)
{
    enum { MANY = 4 * RESOLVE_AT_ONCE };
    struct loop *l = loop_new();
    struct answer a = {0};
    struct resolve *r;
    int accepted = 0;
    for (int i = 0; i < MANY; i++) {
        struct err err = {0};
        int rc = resolve_start(l, "localhost", 80, on_answer, &a, &r, &err);
        CHECK(rc == 0 || rc == -ERR_LIMIT);
        accepted += rc == 0;
    }
    CHECK(accepted >= RESOLVE_AT_ONCE);
    for (int i = 0; i < 100000 && a.calls < accepted; i++) {
        loop_step(l, CLOCK_NS_PER_MS);
    }
    CHECK_EQ(accepted, a.calls);
    int rc = -ERR_LIMIT;
    for (int i = 0; i < 60000 && rc != 0; i++) { /* a thread ends just after its answer */
        struct err err = {0};
        rc = resolve_start(l, "localhost", 80, on_answer, &a, &r, &err);
        loop_step(l, CLOCK_NS_PER_MS);
    }
    CHECK_EQ(0, rc);
    resolve_cancel(a.calls > accepted ? NULL : r);
    loop_free(l);
}
