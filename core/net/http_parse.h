/* SPDX-License-Identifier: Apache-2.0
 *
 * The incremental HTTP/1.1 parser: bytes in, steps out, no I/O. The steps of a message do not
 * depend on how its bytes were cut into pieces; the fuzzer holds that.
 *
 *     http_parser_init(&p, &limits, HTTP_PARSE_REQUESTS);
 *     while ((step = http_parse(&p, in, &used, &part)) != HTTP_STEP_MORE) {
 *         in = slice_sub(in, used, in.len);
 *         HEAD: p.head is complete      BODY: part is the next piece, it points into `in`
 *         END: the message is complete, http_parser_next before the next one
 *         FAILED: p.reason; the stream has no known position any more: close it
 *     }
 *
 * It is strict where leniency lets two parsers disagree about where a message ends: lines end in
 * CR LF, Content-Length is one number and stands alone, Transfer-Encoding is exactly "chunked",
 * no folded lines, no white space before a colon, no NUL. The slices of p.head are valid until
 * http_parser_next or http_parser_done.
 */
#ifndef CORE_NET_HTTP_PARSE_H
#define CORE_NET_HTTP_PARSE_H

#include "core/base/buf.h"
#include "core/base/vec.h"
#include "core/net/http.h"

enum http_step {
    HTTP_STEP_MORE = 0,
    HTTP_STEP_HEAD = 1,
    HTTP_STEP_BODY = 2,
    HTTP_STEP_END = 3,
    HTTP_STEP_FAILED = 4,
};

enum http_parse_kind { HTTP_PARSE_REQUESTS = 0, HTTP_PARSE_RESPONSES = 1 };

struct http_parser {
    struct http_head head;
    enum http_reason reason;
    struct http_limits limits;
    enum http_parse_kind kind;
    uint64_t body_max;   /* may be changed after HEAD; default no limit */
    bool answers_head;   /* responses: to a HEAD request, so no body follows; set before parsing */
    bool began;          /* some byte of this message has arrived */
    uint64_t body_bytes; /* of body so far */
    const struct http_field *trailers; /* at END */
    size_t trailer_count;
    /* private */
    unsigned state;
    uint64_t left; /* of the body or the chunk */
    uint64_t chunk_line_total;
    struct buf text; /* the lines of the head */
    struct buf tail; /* a chunk line, then the trailer */
    size_t line_start, first_bytes;
    bool skipped_empty;
    VEC(struct http_field) fields;
    VEC(struct http_field) tail_fields;
};

void http_parser_init(struct http_parser *p, const struct http_limits *limits,
                      enum http_parse_kind kind);
void http_parser_done(struct http_parser *p);
void http_parser_next(struct http_parser *p); /* after END: ready for the next message */
enum http_step http_parse(struct http_parser *p, struct slice in, size_t *ret_used,
                          struct slice *ret_body);
/* The stream has ended: END if that ends the message (an answer without a length), MORE if no
 * message had begun, else FAILED with reason CLIENT_GONE. */
enum http_step http_parse_eof(struct http_parser *p);

/* http_head.c: one complete line without its CR LF; the slices point into the line. */
enum http_reason http_parse_first_line(struct http_head *h, struct slice line,
                                       enum http_parse_kind kind);
enum http_reason http_parse_field(struct slice line, struct http_field *ret_field);
/* What the fields mean together: framing, host, persistence. */
enum http_reason http_parse_meaning(struct http_head *h);

#endif
