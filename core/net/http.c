/* SPDX-License-Identifier: Apache-2.0
 *
 * See http.h. Any thread.
 */
#include "core/net/http.h"

#include <assert.h>

struct status_row {
    uint16_t status;
    const char *text;
};

/* RFC 9110, section 15, and RFC 6585; those that somebody sends. In order. */
static const struct status_row statuses[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

static const struct {
    struct slice name;
    bool idempotent;
} methods[] = {
#define HTTP_METHOD(name, idempotent, doc) {SLICE(#name), idempotent},
#include "core/net/http_method.def"
#undef HTTP_METHOD
};

static const struct {
    const char *name, *doc;
    uint16_t status;
} reasons[] = {
#define HTTP_REASON(name, status, doc) {#name, doc, status},
#include "core/net/http_reason.def"
#undef HTTP_REASON
};

const char *http_status_text(unsigned status)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        if (statuses[i].status == status) {
            return statuses[i].text;
        }
    }
    return "Status";
}

const char *http_method_name(enum http_method m)
{
    assert((unsigned)m < HTTP_METHOD_COUNT);
    return methods[m].name.ptr;
}

bool http_method_idempotent(enum http_method m)
{
    assert((unsigned)m < HTTP_METHOD_COUNT);
    return methods[m].idempotent;
}

bool http_method_parse(struct slice text, enum http_method *ret_method)
{
    for (size_t i = 0; i < HTTP_METHOD_COUNT; i++) {
        if (slice_eq(text, methods[i].name)) {
            *ret_method = (enum http_method)i;
            return true;
        }
    }
    return false;
}

const char *http_reason_name(enum http_reason r, char out[HTTP_REASON_BYTES])
{
    assert((unsigned)r < HTTP_REASON_COUNT);
    size_t i = 0;
    for (; reasons[r].name[i] != '\0' && i + 1 < HTTP_REASON_BYTES; i++) {
        char c = reasons[r].name[i];
        out[i] = c == '_' ? c : (char)(c | 0x20);
    }
    out[i] = '\0';
    return out;
}

const char *http_reason_doc(enum http_reason r)
{
    assert((unsigned)r < HTTP_REASON_COUNT);
    return reasons[r].doc;
}

unsigned http_reason_status(enum http_reason r)
{
    assert((unsigned)r < HTTP_REASON_COUNT);
    return reasons[r].status;
}

struct http_limits http_limits_default(void)
{
    return (struct http_limits){
        .line_bytes = 8192, .head_bytes = 32 * 1024, .fields_max = 100, .chunk_line_bytes = 1024};
}

struct slice http_head_field(const struct http_head *h, struct slice name)
{
    for (size_t i = 0; i < h->field_count; i++) {
        if (slice_eq_nocase(h->fields[i].name, name)) {
            return h->fields[i].value;
        }
    }
    return SLICE_NONE;
}

bool http_head_has_token(const struct http_head *h, struct slice name, struct slice token)
{
    for (size_t i = 0; i < h->field_count; i++) {
        if (!slice_eq_nocase(h->fields[i].name, name)) {
            continue;
        }
        struct slice rest = h->fields[i].value, part;
        while (slice_split(&rest, ',', &part)) {
            if (slice_eq_nocase(slice_trim(part), token)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_token_byte(uint8_t c)
{
    bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    return alnum || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool http_is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_token_byte((uint8_t)s.ptr[i])) {
            return false;
        }
    }
    return s.len > 0;
}

bool http_is_value(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)s.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

bool http_query_next(struct slice *rest, struct slice *ret_name, struct slice *ret_value)
{
    struct slice part;
    while (slice_split(rest, '&', &part)) {
        if (part.len > 0) {
            size_t eq = slice_find(part, '=');
            *ret_name = slice_sub(part, 0, eq);
            *ret_value = slice_sub(part, eq + 1, part.len);
            return true;
        }
    }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int64_t http_unescape(struct slice s, bool plus, char *out)
{
    size_t n = 0;
    assert(out != NULL || s.len == 0);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            int hi = i + 2 < s.len ? hex_digit(s.ptr[i + 1]) : -1;
            int lo = hi >= 0 ? hex_digit(s.ptr[i + 2]) : -1;
            if (lo < 0) {
                return -1;
            }
            c = (char)(hi * 16 + lo);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[n++] = c;
    }
    return (int64_t)n;
}
