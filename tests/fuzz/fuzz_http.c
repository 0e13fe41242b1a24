/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP parser over any bytes, as requests and as answers. The steps are written down as text;
 * the text must be the same whether the bytes come whole, one by one, or in pieces cut by the
 * input itself. Of what is accepted the framing is held against the head, and the head, written
 * out again, must be read as the same head.
 *
 * Input: byte 0 = kind, HEAD and end of stream; byte 1 = seed of the pieces; the rest = the stream.
 */
#include "core/net/http_parse.h"

#include <stdlib.h>

enum { BODY_MAX = 5000, TRACE_MAX = 4 << 20 };

static const struct http_limits limits = {
    .line_bytes = 300, .head_bytes = 1000, .fields_max = 12, .chunk_line_bytes = 40};

struct setting {
    enum http_parse_kind kind;
    bool answers_head, eof;
};

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void write_head(struct buf *out, const struct http_head *h)
{
    if (h->is_response) {
        buf_addf(out, "HTTP/1.%d %u " SLICE_FMT "\r\n", !h->http10, h->status,
                 SLICE_ARG(h->phrase));
    } else {
        buf_addf(out, "%s ", http_method_name(h->method));
        buf_add_slice(out, h->target);
        buf_addf(out, " HTTP/1.%d\r\n", !h->http10);
    }
    for (size_t i = 0; i < h->field_count; i++) {
        buf_add_slice(out, h->fields[i].name);
        buf_add_str(out, ":");
        buf_add_slice(out, h->fields[i].value);
        buf_add_str(out, "\r\n");
    }
    buf_add_str(out, "\r\n");
}

/* The head as bytes, and those as a head again: nothing may have changed. */
static void check_again(const struct http_head *h, enum http_parse_kind kind)
{
    struct http_parser p;
    struct buf once, twice;
    struct slice part;
    size_t used;
    buf_init(&once, 4096);
    buf_init(&twice, 4096);
    write_head(&once, h);
    http_parser_init(&p, &limits, kind);
    must(http_parse(&p, buf_slice(&once), &used, &part) == HTTP_STEP_HEAD && used == once.len);
    must(p.head.length == h->length && p.head.chunked == h->chunked &&
         p.head.keep_alive == h->keep_alive && slice_eq(p.head.host, h->host) &&
         slice_eq(p.head.path, h->path) && slice_eq(p.head.query, h->query));
    write_head(&twice, &p.head);
    must(slice_eq(buf_slice(&once), buf_slice(&twice)));
    http_parser_done(&p);
    buf_done(&once);
    buf_done(&twice);
}

static void note(struct buf *trace, struct http_parser *p, enum http_step step, struct slice part,
                 const struct setting *s)
{
    switch (step) {
    case HTTP_STEP_HEAD:
        must(!(p->head.chunked && p->head.has_length));
        must(s->kind == HTTP_PARSE_RESPONSES || p->head.path.len > 0);
        write_head(trace, &p->head);
        check_again(&p->head, s->kind);
        break;
    case HTTP_STEP_BODY:
        must(part.len > 0 && p->body_bytes <= BODY_MAX);
        buf_add_slice(trace, part);
        break;
    case HTTP_STEP_END:
        must(!p->head.has_length || p->head.length == p->body_bytes || p->body_bytes == 0);
        buf_add_str(trace, "\n<END>");
        for (size_t i = 0; i < p->trailer_count; i++) {
            buf_add_slice(trace, p->trailers[i].name);
            buf_add_slice(trace, p->trailers[i].value);
        }
        break;
    case HTTP_STEP_FAILED: buf_addf(trace, "\n<FAILED %d>", p->reason); break;
    case HTTP_STEP_MORE: break;
    }
}

static void begin(struct http_parser *p, const struct setting *s)
{
    p->body_max = BODY_MAX;
    p->answers_head = s->answers_head;
}

/* seed 0: whole; 1: byte by byte; else pieces of pseudo-random length. */
static void run(struct buf *trace, struct slice in, unsigned seed, const struct setting *s)
{
    struct http_parser p;
    enum http_step step = HTTP_STEP_MORE;
    uint32_t dice = seed;
    http_parser_init(&p, &limits, s->kind);
    begin(&p, s);
    for (size_t at = 0; at < in.len && step != HTTP_STEP_FAILED;) {
        dice = dice * 1664525 + 1013904223;
        size_t n = seed == 0 ? in.len : seed == 1 ? 1 : 1 + (dice >> 16) % 40;
        struct slice piece = slice_sub(in, at, at + n);
        at += piece.len;
        do {
            size_t used = SIZE_MAX;
            struct slice part = SLICE_NONE;
            step = http_parse(&p, piece, &used, &part);
            must(used <= piece.len);
            piece = slice_sub(piece, used, piece.len);
            note(trace, &p, step, part, s);
            if (step == HTTP_STEP_END) {
                http_parser_next(&p);
                begin(&p, s);
            }
        } while (step != HTTP_STEP_MORE && step != HTTP_STEP_FAILED);
    }
    if (s->eof && step != HTTP_STEP_FAILED) {
        note(trace, &p, http_parse_eof(&p), SLICE_NONE, s);
    }
    http_parser_done(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    const struct setting s = {
        .kind = (data[0] & 1) ? HTTP_PARSE_RESPONSES : HTTP_PARSE_REQUESTS,
        .answers_head = (data[0] & 3) == 3,
        .eof = (data[0] & 4) != 0,
    };
    struct buf whole, other;
    buf_init(&whole, TRACE_MAX);
    buf_init(&other, TRACE_MAX);
    run(&whole, slice_of(data + 2, size - 2), 0, &s);
    for (unsigned seed = 1; seed < 3; seed++) {
        buf_clear(&other);
        run(&other, slice_of(data + 2, size - 2), seed == 1 ? 1 : 2 + data[1], &s);
        must(slice_eq(buf_slice(&whole), buf_slice(&other)));
    }
    buf_done(&whole);
    buf_done(&other);
    return 0;
}
