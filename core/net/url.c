/* SPDX-License-Identifier: Apache-2.0
 *
 * See url.h. Any thread.
 */
#include "core/net/url.h"

#include "core/net/addr.h"

#include <assert.h>

static bool scheme_of(struct slice text, bool *ret_tls, size_t *ret_len)
{
    static const struct slice plain = SLICE("http://"), tls = SLICE("https://");
    *ret_tls = slice_eq_nocase(slice_sub(text, 0, tls.len), tls);
    *ret_len = *ret_tls ? tls.len : plain.len;
    return *ret_tls || slice_eq_nocase(slice_sub(text, 0, plain.len), plain);
}

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i], l = (char)(c | 0x20);
        bool alnum = (c >= '0' && c <= '9') || (l >= 'a' && l <= 'z');
        if (!alnum && c != '-' && c != '.' && c != '_') {
            return false;
        }
    }
    return s.len > 0 && s.len <= URL_HOST_MAX;
}

/* ":8080", ":" or nothing; both of the latter mean the scheme's own port. */
static bool parse_port(struct slice s, struct url *u)
{
    uint64_t standard = u->tls ? 443 : 80, n = standard;
    struct slice digits = slice_sub(s, 1, s.len);
    if (s.len > 0 && s.ptr[0] != ':') {
        return false;
    }
    if (digits.len > 0 && (!slice_to_u64(digits, &n) || n == 0 || n > UINT16_MAX)) {
        return false;
    }
    u->port = (uint16_t)n;
    u->default_port = n == standard;
    return true;
}

/* host, host:port, [v6], [v6]:port */
static bool parse_authority(struct slice s, struct url *u)
{
    struct addr ignored;
    u->v6 = s.len > 0 && s.ptr[0] == '[';
    size_t end = u->v6 ? slice_find(s, ']') : slice_find(s, ':');
    if (u->v6 && end == s.len) {
        return false;
    }
    u->host = slice_sub(s, u->v6, end);
    if (u->v6 ? !addr_literal(u->host, 1, &ignored) || slice_find(u->host, ':') == u->host.len
              : !is_name(u->host)) {
        return false;
    }
    return parse_port(slice_sub(s, end + u->v6, s.len), u);
}

int url_parse(struct slice text, struct url *ret_url, struct err *reterr)
{
    assert(ret_url != NULL);
    struct url u = {0};
    size_t at;
    if (text.len > URL_MAX) {
        return err_set(reterr, ERR_TOO_BIG, "URL of %zu bytes: at most %d", text.len, URL_MAX);
    }
    if (!scheme_of(text, &u.tls, &at)) {
        return err_set(reterr, ERR_SYNTAX, "'" SLICE_FMT "': expected http://... or https://...",
                       SLICE_ARG(slice_sub(text, 0, 100)));
    }
    struct slice rest = slice_sub(text, at, text.len);
    size_t end = 0;
    while (end < rest.len && strchr("/?#", rest.ptr[end]) == NULL) {
        end++;
    }
    struct slice authority = slice_sub(rest, 0, end);
    if (slice_find(authority, '@') < authority.len) {
        return err_set(reterr, ERR_SYNTAX, "a URL must not contain credentials");
    }
    if (!parse_authority(authority, &u)) {
        return err_set(reterr, ERR_SYNTAX, "URL: '" SLICE_FMT "' is not HOST, HOST:PORT or [IPV6]",
                       SLICE_ARG(slice_sub(authority, 0, 100)));
    }
    u.target = slice_sub(rest, end, rest.len);
    u.target = slice_sub(u.target, 0, slice_find(u.target, '#'));
    for (size_t i = 0; i < u.target.len; i++) {
        if ((uint8_t)u.target.ptr[i] <= 0x20 || (uint8_t)u.target.ptr[i] >= 0x7f) {
            return err_set(reterr, ERR_SYNTAX, "URL: byte 0x%02x in the path must be escaped",
                           (uint8_t)u.target.ptr[i]);
        }
    }
    u.target = u.target.len > 0 ? u.target : SLICE("/");
    *ret_url = u;
    return 0;
}
