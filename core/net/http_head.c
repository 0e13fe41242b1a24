/* SPDX-License-Identifier: Apache-2.0
 *
 * The head of a message: what its first line and its fields mean (RFC 9112, sections 3 to 6). Pure
 * functions over complete lines; http_parse.c gathers the lines. Any thread.
 *
 * Fields that decide where a message ends are the ones attackers play with, so each of them may
 * stand once only, with a value of one form only.
 */
#include "core/net/http_parse.h"

#include <assert.h>

enum { STATUS_LINE_MIN = 12 /* "HTTP/1.1 200" */ };

/* HTTP/1.x; anything else of that form is another version, all else is nonsense. */
static enum http_reason parse_version(struct slice s, bool *ret_http10)
{
    bool form = s.len == 8 && memcmp(s.ptr, "HTTP/", 5) == 0 && s.ptr[6] == '.' &&
                s.ptr[5] >= '0' && s.ptr[5] <= '9' && s.ptr[7] >= '0' && s.ptr[7] <= '9';
    if (!form) {
        return HTTP_REASON_LINE_BAD;
    }
    *ret_http10 = s.ptr[7] == '0';
    return s.ptr[5] == '1' ? HTTP_REASON_NONE : HTTP_REASON_VERSION_OTHER;
}

static bool is_visible(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((uint8_t)s.ptr[i] <= 0x20 || (uint8_t)s.ptr[i] >= 0x7f || s.ptr[i] == '#') {
            return false;
        }
    }
    return s.len > 0;
}

/* A host with an optional port: what may stand in a Host field or a URL. */
static bool is_host(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && (c == '\0' || strchr("-._~%!$&'()*+,;=:[]", c) == NULL)) {
            return false;
        }
    }
    return true;
}

/* The target is a path, an absolute URL (whose host then replaces the Host field), or "*". */
static enum http_reason parse_target(struct http_head *h)
{
    struct slice t = h->target;
    if (!is_visible(t)) {
        return HTTP_REASON_TARGET_BAD;
    }
    if (slice_eq(t, SLICE("*"))) {
        h->path = t;
        return h->method == HTTP_OPTIONS ? HTTP_REASON_NONE : HTTP_REASON_TARGET_BAD;
    }
    if (t.ptr[0] != '/') {
        struct slice scheme = slice_sub(t, 0, slice_find(t, ':'));
        bool http = slice_eq_nocase(scheme, SLICE("http"));
        if ((!http && !slice_eq_nocase(scheme, SLICE("https"))) ||
            !slice_starts(slice_sub(t, scheme.len, t.len), SLICE("://"))) {
            return HTTP_REASON_TARGET_BAD;
        }
        t = slice_sub(t, scheme.len + 3, t.len);
        size_t end = 0;
        while (end < t.len && t.ptr[end] != '/' && t.ptr[end] != '?') {
            end++;
        }
        h->host = slice_sub(t, 0, end);
        if (h->host.len == 0 || !is_host(h->host)) {
            return HTTP_REASON_TARGET_BAD;
        }
        t = slice_sub(t, end, t.len);
    }
    size_t query = slice_find(t, '?');
    h->path = query > 0 ? slice_sub(t, 0, query) : SLICE("/");
    h->query = query < t.len ? slice_sub(t, query + 1, t.len) : SLICE_NONE;
    return HTTP_REASON_NONE;
}

/* request-line = method SP request-target SP HTTP-version */
static enum http_reason parse_request_line(struct http_head *h, struct slice line)
{
    size_t first = slice_find(line, ' ');
    struct slice method = slice_sub(line, 0, first);
    struct slice rest = slice_sub(line, first + 1, line.len);
    size_t second = slice_find(rest, ' ');
    if (!http_is_token(method) || second == rest.len) {
        return HTTP_REASON_LINE_BAD;
    }
    h->target = slice_sub(rest, 0, second);
    enum http_reason why = parse_version(slice_sub(rest, second + 1, rest.len), &h->http10);
    if (why != HTTP_REASON_NONE) {
        return why;
    }
    if (!http_method_parse(method, &h->method)) {
        return HTTP_REASON_METHOD_UNKNOWN;
    }
    return parse_target(h);
}

/* status-line = HTTP-version SP 3DIGIT [SP reason-phrase] */
static enum http_reason parse_status_line(struct http_head *h, struct slice line)
{
    if (line.len < STATUS_LINE_MIN || line.ptr[8] != ' ') {
        return HTTP_REASON_LINE_BAD;
    }
    enum http_reason why = parse_version(slice_sub(line, 0, 8), &h->http10);
    if (why != HTTP_REASON_NONE) {
        return why;
    }
    uint64_t status;
    struct slice rest = slice_sub(line, 12, line.len);
    if (!slice_to_u64(slice_sub(line, 9, 12), &status) || status < 100 || status > 599 ||
        (rest.len > 0 && rest.ptr[0] != ' ') || !http_is_value(rest)) {
        return HTTP_REASON_LINE_BAD;
    }
    h->status = (uint16_t)status;
    h->phrase = slice_trim(rest);
    return HTTP_REASON_NONE;
}

enum http_reason http_parse_first_line(struct http_head *h, struct slice line,
                                       enum http_parse_kind kind)
{
    assert(h != NULL);
    *h = (struct http_head){.is_response = kind == HTTP_PARSE_RESPONSES};
    return h->is_response ? parse_status_line(h, line) : parse_request_line(h, line);
}

/* field-line = field-name ":" OWS field-value OWS */
enum http_reason http_parse_field(struct slice line, struct http_field *ret_field)
{
    assert(line.len > 0 && ret_field != NULL);
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t') {
        return HTTP_REASON_FIELD_FOLDED;
    }
    size_t colon = slice_find(line, ':');
    struct slice name = slice_sub(line, 0, colon);
    if (colon == line.len || colon == 0) {
        return HTTP_REASON_FIELD_BAD;
    }
    if (name.ptr[colon - 1] == ' ' || name.ptr[colon - 1] == '\t') {
        return HTTP_REASON_FIELD_SPACE;
    }
    struct slice value = slice_trim(slice_sub(line, colon + 1, line.len));
    if (!http_is_token(name) || !http_is_value(value)) {
        return HTTP_REASON_FIELD_BAD;
    }
    *ret_field = (struct http_field){name, value};
    return HTTP_REASON_NONE;
}

struct meaning {
    unsigned hosts, lengths, codings;
    bool coding_known, close, keep;
};

static enum http_reason read_length(struct http_head *h, struct slice value, struct meaning *m)
{
    m->lengths++;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9') {
            return HTTP_REASON_LENGTH_BAD;
        }
    }
    /* Below 2^63: sums of lengths cannot wrap. */
    if (!slice_to_u64(value, &h->length) || h->length > INT64_MAX) {
        return HTTP_REASON_LENGTH_BAD;
    }
    h->has_length = true;
    return HTTP_REASON_NONE;
}

static void read_connection(struct slice value, struct meaning *m)
{
    struct slice part;
    while (slice_split(&value, ',', &part)) {
        part = slice_trim(part);
        m->close = m->close || slice_eq_nocase(part, SLICE("close"));
        m->keep = m->keep || slice_eq_nocase(part, SLICE("keep-alive"));
    }
}

static enum http_reason read_field(struct http_head *h, const struct http_field *f,
                                   struct meaning *m)
{
    struct slice name = f->name, value = f->value;
    switch (name.len) { /* the length tells most fields away */
    case 4:
        if (!h->is_response && slice_eq_nocase(name, SLICE("host"))) {
            m->hosts++;
            if (m->hosts > 1 || !is_host(value)) {
                return HTTP_REASON_HOST_BAD;
            }
            h->host = h->host.len > 0 ? h->host : value;
        }
        break;
    case 6:
        if (!h->is_response && slice_eq_nocase(name, SLICE("expect")) && !h->http10) {
            if (!slice_eq_nocase(value, SLICE("100-continue"))) {
                return HTTP_REASON_EXPECT_UNKNOWN;
            }
            h->expect_continue = true;
        }
        break;
    case 10:
        if (slice_eq_nocase(name, SLICE("connection"))) {
            read_connection(value, m);
        }
        break;
    case 14:
        if (slice_eq_nocase(name, SLICE("content-length"))) {
            return read_length(h, value, m);
        }
        break;
    case 17:
        if (slice_eq_nocase(name, SLICE("transfer-encoding"))) {
            m->codings++;
            m->coding_known = slice_eq_nocase(value, SLICE("chunked"));
        }
        break;
    default: break;
    }
    return HTTP_REASON_NONE;
}

enum http_reason http_parse_meaning(struct http_head *h)
{
    struct meaning m = {0};
    for (size_t i = 0; i < h->field_count; i++) {
        enum http_reason why = read_field(h, &h->fields[i], &m);
        if (why != HTTP_REASON_NONE) {
            return why;
        }
    }
    if (m.lengths > 0 && m.codings > 0) {
        return HTTP_REASON_LENGTH_AND_CODING;
    }
    if (m.lengths > 1) {
        return HTTP_REASON_LENGTH_TWICE;
    }
    if (m.codings > 1 || (m.codings == 1 && h->http10)) {
        return HTTP_REASON_CODING_BAD;
    }
    if (m.codings == 1 && !m.coding_known) {
        return HTTP_REASON_CODING_UNKNOWN;
    }
    if (!h->is_response && !h->http10 && m.hosts == 0) {
        return HTTP_REASON_HOST_MISSING;
    }
    h->chunked = m.codings == 1;
    h->keep_alive = !m.close && (!h->http10 || m.keep);
    return HTTP_REASON_NONE;
}
