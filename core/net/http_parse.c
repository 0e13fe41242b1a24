/* SPDX-License-Identifier: Apache-2.0
 *
 * See http_parse.h. Lines are copied into a bounded buffer until they are complete, checked whole,
 * and cut into fields that point into that buffer (the first pass notes offsets, because the buffer
 * may move while it grows; they become pointers when the head is complete). Bodies are never
 * copied. Every limit is checked before bytes are kept. One thread at a time.
 */
#include "core/net/http_parse.h"

#include <assert.h>

enum state {
    ST_FIRST = 0,  /* the request or status line */
    ST_FIELDS,     /* field lines of the head */
    ST_BODY,       /* head was handed out; framing not yet chosen */
    ST_LENGTH,     /* body of known length */
    ST_CLOSE,      /* body until the stream ends */
    ST_CHUNK_SIZE, /* line with the size of a chunk */
    ST_CHUNK,      /* bytes of a chunk */
    ST_CHUNK_END,  /* the CR LF behind them */
    ST_TRAILER,    /* field lines behind the last chunk */
    ST_END,
    ST_FAILED,
};

enum { CHUNK_LINES_FACTOR = 64, CHUNK_DIGITS_MAX = 15 };

enum line_result { LINE_MORE, LINE_READY, LINE_FAILED };

void http_parser_init(struct http_parser *p, const struct http_limits *limits,
                      enum http_parse_kind kind)
{
    assert(p != NULL && limits != NULL);
    assert(limits->line_bytes > 0 && limits->head_bytes > 0 && limits->chunk_line_bytes > 0);
    *p = (struct http_parser){.limits = *limits, .kind = kind, .body_max = UINT64_MAX};
    buf_init(&p->text, (size_t)limits->line_bytes + limits->head_bytes);
    buf_init(&p->tail, (size_t)limits->head_bytes + limits->chunk_line_bytes);
}

void http_parser_done(struct http_parser *p)
{
    if (p != NULL) {
        buf_done(&p->text);
        buf_done(&p->tail);
        VEC_DONE(&p->fields);
        VEC_DONE(&p->tail_fields);
    }
}

void http_parser_next(struct http_parser *p)
{
    p->state = ST_FIRST;
    p->head = (struct http_head){0};
    p->reason = HTTP_REASON_NONE;
    p->body_max = UINT64_MAX;
    p->body_bytes = p->left = p->chunk_line_total = 0;
    p->answers_head = p->began = p->skipped_empty = false;
    p->trailers = NULL;
    p->trailer_count = 0;
    p->line_start = 0;
    buf_clear(&p->text);
    buf_clear(&p->tail);
    VEC_CLEAR(&p->fields);
    VEC_CLEAR(&p->tail_fields);
}

static enum http_step fail(struct http_parser *p, enum http_reason why)
{
    assert(why != HTTP_REASON_NONE);
    p->reason = why;
    p->state = ST_FAILED;
    return HTTP_STEP_FAILED;
}

static enum line_result line_fail(struct http_parser *p, enum http_reason why)
{
    fail(p, why);
    return LINE_FAILED;
}

/* A complete line may hold no CR but its last byte but one, and no NUL. */
static enum http_reason check_line(struct slice line)
{
    if (memchr(line.ptr, '\0', line.len) != NULL) {
        return HTTP_REASON_NUL_BYTE;
    }
    if (line.len < 2 || line.ptr[line.len - 2] != '\r') {
        return HTTP_REASON_BARE_LF;
    }
    const char *cr = memchr(line.ptr, '\r', line.len);
    return cr == line.ptr + line.len - 2 ? HTTP_REASON_NONE : HTTP_REASON_BARE_CR;
}

/* Moves bytes of `in` into b until a line is complete there, from b->ptr + p->line_start on. max:
 * of the line with its end. */
static enum line_result take_line(struct http_parser *p, struct buf *b, struct slice in,
                                  size_t *pos, size_t max, enum http_reason too_long,
                                  struct slice *ret_line)
{
    size_t have = b->len - p->line_start, avail = in.len - *pos;
    const char *from = in.ptr != NULL ? in.ptr + *pos : NULL;
    const char *nl = avail > 0 ? memchr(from, '\n', avail) : NULL;
    size_t n = nl != NULL ? (size_t)(nl - from) + 1 : avail;
    if (have + n > max || (n > 0 && !buf_add(b, from, n))) {
        return line_fail(p, too_long);
    }
    *pos += n;
    if (nl == NULL) {
        return LINE_MORE;
    }
    struct slice line = slice_of(b->ptr + p->line_start, have + n);
    enum http_reason why = check_line(line);
    if (why != HTTP_REASON_NONE) {
        return line_fail(p, why);
    }
    p->line_start = b->len;
    *ret_line = slice_sub(line, 0, line.len - 2);
    return LINE_READY;
}

/* The buffer may have moved since the slice was taken: pointers become offsets and back. */
static void to_offset(struct slice *s, const char *base)
{
    s->ptr = (const char *)(uintptr_t)(s->ptr - base);
}

static void to_pointer(struct slice *s, const char *base)
{
    s->ptr = base + (uintptr_t)s->ptr;
}

/* The first byte tells at once that this is no HTTP: no need to wait for the end of the line. */
static bool starts_wrong(const struct http_parser *p, struct slice in, size_t pos)
{
    return p->text.len == 0 && pos < in.len && in.ptr[pos] != '\r' && in.ptr[pos] != '\n' &&
           !http_is_token(slice_of(in.ptr + pos, 1));
}

static enum http_step parse_first(struct http_parser *p, struct slice in, size_t *pos)
{
    struct slice line;
    p->began = p->began || *pos < in.len;
    if (starts_wrong(p, in, *pos)) {
        return fail(p, HTTP_REASON_LINE_BAD);
    }
    switch (take_line(p, &p->text, in, pos, p->limits.line_bytes, HTTP_REASON_LINE_LONG, &line)) {
    case LINE_MORE: return HTTP_STEP_MORE;
    case LINE_FAILED: return HTTP_STEP_FAILED;
    case LINE_READY: break;
    }
    if (line.len == 0 && !p->skipped_empty) {
        /* RFC 9112, 2.2: one empty line before a request is forgiven, old clients send it. */
        p->skipped_empty = true;
        p->line_start = 0;
        buf_clear(&p->text);
        return HTTP_STEP_MORE;
    }
    enum http_reason why = http_parse_first_line(&p->head, line, p->kind);
    if (why != HTTP_REASON_NONE) {
        return fail(p, why);
    }
    p->first_bytes = p->text.len;
    p->state = ST_FIELDS;
    return HTTP_STEP_MORE;
}

/* Makes pointers of the fields' offsets and reads what they mean. */
static enum http_step finish_head(struct http_parser *p)
{
    const char *base = p->text.ptr;
    VEC_EACH (&p->fields, f) {
        to_pointer(&f->name, base);
        to_pointer(&f->value, base);
    }
    /* The first line again, now that the buffer stands still. */
    struct slice line = slice_sub(buf_slice(&p->text), 0, p->first_bytes - 2);
    enum http_reason why = http_parse_first_line(&p->head, line, p->kind);
    assert(why == HTTP_REASON_NONE);
    p->head.fields = p->fields.ptr;
    p->head.field_count = p->fields.len;
    why = http_parse_meaning(&p->head);
    if (why != HTTP_REASON_NONE) {
        return fail(p, why);
    }
    p->state = ST_BODY;
    return HTTP_STEP_HEAD;
}

static enum http_step parse_fields(struct http_parser *p, struct slice in, size_t *pos)
{
    struct slice line;
    size_t max = p->limits.head_bytes - (p->line_start - p->first_bytes);
    switch (take_line(p, &p->text, in, pos, max, HTTP_REASON_HEAD_LARGE, &line)) {
    case LINE_MORE: return HTTP_STEP_MORE;
    case LINE_FAILED: return HTTP_STEP_FAILED;
    case LINE_READY: break;
    }
    if (line.len == 0) {
        return finish_head(p);
    }
    if (p->fields.len >= p->limits.fields_max) {
        return fail(p, HTTP_REASON_FIELDS_MANY);
    }
    struct http_field f;
    enum http_reason why = http_parse_field(line, &f);
    if (why != HTTP_REASON_NONE) {
        return fail(p, why);
    }
    to_offset(&f.name, p->text.ptr);
    to_offset(&f.value, p->text.ptr);
    *VEC_PUSH(&p->fields) = f;
    return HTTP_STEP_MORE;
}

/* RFC 9112, 6.3: where the body of this message ends. */
static enum http_step choose_framing(struct http_parser *p)
{
    const struct http_head *h = &p->head;
    bool bodyless = h->is_response &&
                    (p->answers_head || h->status < 200 || h->status == 204 || h->status == 304);
    if (bodyless || (!h->chunked && !h->has_length && !h->is_response)) {
        p->state = ST_END;
        return HTTP_STEP_END;
    }
    if (h->chunked) {
        p->state = ST_CHUNK_SIZE;
        p->line_start = 0;
    } else if (h->has_length) {
        if (h->length > p->body_max) {
            return fail(p, HTTP_REASON_BODY_LARGE);
        }
        p->left = h->length;
        p->state = ST_LENGTH;
    } else {
        p->state = ST_CLOSE;
    }
    return HTTP_STEP_MORE;
}

/* chunk-size [chunk-ext]; extensions are skipped, but count. */
static bool read_chunk_size(struct slice line, uint64_t *ret_size)
{
    size_t n = 0;
    uint64_t size = 0;
    for (; n < line.len; n++) {
        char c = line.ptr[n], l = (char)(c | 0x20);
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : l >= 'a' && l <= 'f' ? (unsigned)(l - 'a') + 10
                                                : 16;
        if (digit == 16) {
            break;
        }
        size = size * 16 + digit;
        if (n >= CHUNK_DIGITS_MAX) {
            return false;
        }
    }
    struct slice rest = slice_sub(line, n, line.len);
    while (rest.len > 0 && (rest.ptr[0] == ' ' || rest.ptr[0] == '\t')) {
        rest = slice_sub(rest, 1, rest.len);
    }
    *ret_size = size;
    /* Blanks are allowed only in front of an extension. */
    bool ends = rest.len == 0 ? n == line.len : rest.ptr[0] == ';';
    return n > 0 && ends && http_is_value(rest);
}

static enum http_step parse_chunk_size(struct http_parser *p, struct slice in, size_t *pos)
{
    struct slice line;
    uint64_t lines_max = (uint64_t)p->limits.chunk_line_bytes * CHUNK_LINES_FACTOR;
    switch (take_line(p, &p->tail, in, pos, p->limits.chunk_line_bytes, HTTP_REASON_CHUNK_LONG,
                      &line)) {
    case LINE_MORE: return HTTP_STEP_MORE;
    case LINE_FAILED: return HTTP_STEP_FAILED;
    case LINE_READY: break;
    }
    uint64_t size;
    if (!read_chunk_size(line, &size)) {
        return fail(p, HTTP_REASON_CHUNK_BAD);
    }
    if (size > p->body_max - p->body_bytes) {
        return fail(p, HTTP_REASON_BODY_LARGE);
    }
    /* Only what is not the size itself adds up, so that a long body of small chunks is fine. */
    p->chunk_line_total += line.len > CHUNK_DIGITS_MAX + 1 ? line.len : 0;
    if (p->chunk_line_total > lines_max) {
        return fail(p, HTTP_REASON_CHUNK_LONG);
    }
    buf_clear(&p->tail);
    p->line_start = 0;
    p->left = size;
    p->state = size > 0 ? ST_CHUNK : ST_TRAILER;
    return HTTP_STEP_MORE;
}

static enum http_step parse_chunk_end(struct http_parser *p, struct slice in, size_t *pos)
{
    static const char end[] = {'\r', '\n'};
    while (*pos < in.len && p->tail.len < sizeof end) {
        if (in.ptr[*pos] != end[p->tail.len] || !buf_add_byte(&p->tail, (uint8_t)in.ptr[*pos])) {
            return fail(p, HTTP_REASON_CHUNK_BAD);
        }
        (*pos)++;
    }
    if (p->tail.len == sizeof end) {
        buf_clear(&p->tail);
        p->state = ST_CHUNK_SIZE;
    }
    return HTTP_STEP_MORE;
}

static enum http_step finish_trailer(struct http_parser *p)
{
    VEC_EACH (&p->tail_fields, f) {
        to_pointer(&f->name, p->tail.ptr);
        to_pointer(&f->value, p->tail.ptr);
    }
    p->trailers = p->tail_fields.ptr;
    p->trailer_count = p->tail_fields.len;
    p->state = ST_END;
    return HTTP_STEP_END;
}

static enum http_step parse_trailer(struct http_parser *p, struct slice in, size_t *pos)
{
    struct slice line;
    size_t max = p->limits.head_bytes - p->line_start;
    switch (take_line(p, &p->tail, in, pos, max, HTTP_REASON_TRAILER_LARGE, &line)) {
    case LINE_MORE: return HTTP_STEP_MORE;
    case LINE_FAILED: return HTTP_STEP_FAILED;
    case LINE_READY: break;
    }
    if (line.len == 0) {
        return finish_trailer(p);
    }
    if (p->tail_fields.len >= p->limits.fields_max) {
        return fail(p, HTTP_REASON_TRAILER_LARGE);
    }
    struct http_field f;
    enum http_reason why = http_parse_field(line, &f);
    if (why != HTTP_REASON_NONE) {
        return fail(p, why);
    }
    to_offset(&f.name, p->tail.ptr);
    to_offset(&f.value, p->tail.ptr);
    *VEC_PUSH(&p->tail_fields) = f;
    return HTTP_STEP_MORE;
}

/* Bytes of a body in one piece: of a known length, of a chunk, or to the end of the stream. */
static enum http_step parse_body(struct http_parser *p, struct slice in, size_t *pos,
                                 struct slice *ret_body)
{
    bool bounded = p->state != ST_CLOSE;
    size_t n = in.len - *pos;
    n = bounded && n > p->left ? (size_t)p->left : n;
    if (n == 0 && (!bounded || p->left > 0)) {
        return HTTP_STEP_MORE;
    }
    if (n > p->body_max - p->body_bytes) {
        return fail(p, HTTP_REASON_BODY_LARGE);
    }
    if (n == 0) { /* a body of length 0 */
        p->state = ST_END;
        return HTTP_STEP_END;
    }
    *ret_body = slice_of(in.ptr + *pos, n);
    *pos += n;
    p->body_bytes += n;
    if (bounded) {
        p->left -= n;
        if (p->left == 0 && p->state == ST_CHUNK) {
            p->state = ST_CHUNK_END;
        }
    }
    return HTTP_STEP_BODY;
}

static enum http_step parse_once(struct http_parser *p, struct slice in, size_t *pos,
                                 struct slice *ret_body)
{
    switch ((enum state)p->state) {
    case ST_FIRST: return parse_first(p, in, pos);
    case ST_FIELDS: return parse_fields(p, in, pos);
    case ST_BODY: return choose_framing(p);
    case ST_LENGTH:
    case ST_CLOSE:
    case ST_CHUNK: return parse_body(p, in, pos, ret_body);
    case ST_CHUNK_SIZE: return parse_chunk_size(p, in, pos);
    case ST_CHUNK_END: return parse_chunk_end(p, in, pos);
    case ST_TRAILER: return parse_trailer(p, in, pos);
    case ST_END: return HTTP_STEP_END;
    case ST_FAILED: return HTTP_STEP_FAILED;
    }
    return HTTP_STEP_FAILED;
}

enum http_step http_parse(struct http_parser *p, struct slice in, size_t *ret_used,
                          struct slice *ret_body)
{
    assert(p != NULL && ret_used != NULL && ret_body != NULL);
    size_t pos = 0;
    enum http_step step;
    unsigned before;
    size_t pos_before;
    do {
        before = p->state;
        pos_before = pos;
        step = parse_once(p, in, &pos, ret_body);
        /* MORE without progress: the input is used up. */
    } while (step == HTTP_STEP_MORE && (p->state != before || pos != pos_before));
    assert(pos <= in.len);
    *ret_used = pos;
    return step;
}

enum http_step http_parse_eof(struct http_parser *p)
{
    assert(p != NULL);
    if (p->state == ST_CLOSE) {
        p->state = ST_END;
        return HTTP_STEP_END;
    }
    if (p->state == ST_FIRST && p->text.len == 0) {
        return HTTP_STEP_MORE;
    }
    return p->state == ST_END ? HTTP_STEP_END : fail(p, HTTP_REASON_CLIENT_GONE);
}
