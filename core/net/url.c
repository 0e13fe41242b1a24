/* SPDX-License-Identifier: Apache-2.0
 *
 * See url.h. Any thread.
 */
#include "core/net/url.h"

#include <assert.h>

static bool scheme_of(struct slice text, bool *ret_tls, size_t *ret_len)
{
    static const struct slice plain = SLICE("http://"), tls = SLICE("https://");
    *ret_tls = slice_eq_nocase(slice_sub(text, 0, tls.len), tls);
    *ret_len = *ret_tls ? tls.len : plain.len;
    return *ret_tls || slice_eq_nocase(slice_sub(text, 0, plain.len), plain);
}

/* host, host:port, [v6], [v6]:port */
static bool parse_authority(struct slice s, struct url *u)
{
    struct slice port = SLICE_NONE;
    u->v6 = s.len > 0 && s.ptr[0] == '[';
    size_t end = u->v6 ? slice_find(s, ']') : slice_find(s, ':');
    if (u->v6 && end == s.len) {
        return false;
    }
    u->host = slice_sub(s, u->v6, end);
    s = slice_sub(s, end + u->v6, s.len);
    if (s.len > 0 && s.ptr[0] != ':') {
        return false;
    }
    port = slice_sub(s, 1, s.len);
    uint64_t n = u->tls ? 443 : 80;
    if (port.len > 0 && (!slice_to_u64(port, &n) || n == 0 || n > 65535)) {
        return false;
    }
    u->port = (uint16_t)n;
    u->default_port = n == (u->tls ? 443u : 80u);
    for (size_t i = 0; i < u->host.len; i++) {
        char c = u->host.ptr[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && c != '-' && c != '.' && c != '_' && !(u->v6 && c == ':')) {
            return false;
        }
    }
    return u->host.len > 0 && u->host.len <= URL_HOST_MAX;
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
