/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parser, the server and the client of HTTP/1.1 share: methods, status texts, reasons of
 * refusal, limits, and the head of a message. No I/O and no memory here.
 *
 * To add a method or a reason: a row in http_method.def or http_reason.def.
 */
#ifndef CORE_NET_HTTP_H
#define CORE_NET_HTTP_H

#include "core/base/slice.h"

enum http_method {
#define HTTP_METHOD(name, idempotent, doc) HTTP_##name,
#include "core/net/http_method.def"
#undef HTTP_METHOD
    HTTP_METHOD_COUNT
};
#define HTTP_BIT(name) (1u << HTTP_##name)

enum http_reason {
#define HTTP_REASON(name, status, doc) HTTP_REASON_##name,
#include "core/net/http_reason.def"
#undef HTTP_REASON
    HTTP_REASON_COUNT
};

struct http_limits {
    uint32_t line_bytes;       /* request or status line */
    uint32_t head_bytes;       /* all field lines of a head, and of a trailer */
    uint32_t fields_max;       /* of a head, and of a trailer */
    uint32_t chunk_line_bytes; /* one chunk size with its extensions; of one body together: x 64 */
};

struct http_field {
    struct slice name, value;
};

/* The head of a request or an answer. The slices live as long as the message. */
struct http_head {
    bool is_response;
    bool http10;     /* 1.0; else 1.1 */
    bool keep_alive; /* what this message asks for */
    bool chunked;
    bool has_length;
    bool expect_continue;
    enum http_method method; /* requests */
    uint16_t status;         /* answers */
    uint64_t length;         /* Content-Length */
    struct slice target;     /* as sent */
    struct slice path;       /* of the target: up to the query; "*" for OPTIONS * */
    struct slice query;      /* behind the "?" */
    struct slice host;
    struct slice phrase; /* answers: the text behind the status */
    const struct http_field *fields;
    size_t field_count;
};

/* The value of the first field of that name (any case), or the absent slice. */
struct slice http_head_field(const struct http_head *h, struct slice name);
/* True if the comma-separated list of some field of that name has the token (any case). */
bool http_head_has_token(const struct http_head *h, struct slice name, struct slice token);

const char *http_method_name(enum http_method m);
bool http_method_parse(struct slice text, enum http_method *ret_method);
bool http_method_idempotent(enum http_method m);
const char *http_status_text(unsigned status);
/* "line_bad": the label of the metric. */
enum { HTTP_REASON_BYTES = 32 };
const char *http_reason_name(enum http_reason r, char out[HTTP_REASON_BYTES]);
const char *http_reason_doc(enum http_reason r);
unsigned http_reason_status(enum http_reason r);

struct http_limits http_limits_default(void);

/* Bytes of a token and of a field value (RFC 9110, 5.6.2 and 5.5). */
bool http_is_token(struct slice s);
bool http_is_value(struct slice s);
/* The next `name=value` of a query string; %XX and + are left as they are. */
bool http_query_next(struct slice *rest, struct slice *ret_name, struct slice *ret_value);
/* Decodes %XX (and + as space if `plus`) into out, which has room for s.len bytes: the number of
 * bytes written, or -1 for a broken escape. */
int64_t http_unescape(struct slice s, bool plus, char *out);

#endif
