/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp_json.h. A message gets four bytes for its length before it is written; a short one moves
 * down by three afterwards, a long one keeps a length written longer than necessary. So nothing
 * long is ever moved, and hostile nesting costs no more than other input.
 */
#include "ingest/otlp_json.h"

#include "core/codec/endian.h"
#include "core/codec/jsonpull.h"
#include "core/codec/pbwire.h"
#include "core/codec/pbwrite.h"
#include "core/codec/text.h"

#include <assert.h>
#include <math.h>

enum { CONTAINERS_MAX = 256, LENGTH_BYTES = 4, SHORT = 0x80, LONGEST = 1 << 28, ID_BYTES_MAX = 64 };

struct json {
    struct jsonpull r;
    struct buf *out;
    struct arena *arena;
};

static COLD bool refuse(struct json *j, enum err_code code, const char *why)
{
    jsonpull_refuse(&j->r, code, why);
    return false;
}

static bool full(struct json *j)
{
    return refuse(j, ERR_TOO_BIG, "the request is too large");
}

/* --- lengths --- */

static size_t open_field(struct buf *b, uint32_t number)
{
    char head[VARINT_MAX];
    char *end = varint_write(head, PBWIRE_TAG(number, PBWIRE_LEN));
    buf_add(b, head, (size_t)(end - head));
    if (buf_room(b, LENGTH_BYTES) != NULL) {
        buf_commit(b, LENGTH_BYTES);
    }
    return b->len;
}

static bool close_field(struct json *j, size_t mark)
{
    struct buf *b = j->out;
    if (buf_failed(b) || b->len - mark >= LONGEST) {
        return full(j);
    }
    size_t n = b->len - mark;
    char *at = b->ptr + mark - LENGTH_BYTES;
    if (n < SHORT) {
        *at = (char)n;
        memmove(at + 1, at + LENGTH_BYTES, n);
        b->len -= LENGTH_BYTES - 1;
        return true;
    }
    for (unsigned i = 0; i < LENGTH_BYTES; i++) {
        at[i] = (char)((n >> (7 * i) & 0x7f) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
    }
    return true;
}

/* --- scalars --- */

/* An integral double within +-2^63 as the integer it is. */
static bool whole(double d, int64_t *ret)
{
    if (!(d >= -9223372036854775808.0 && d < 9223372036854775808.0) || trunc(d) != d) {
        return false;
    }
    *ret = (int64_t)d;
    return true;
}

static bool get_int(struct json *j, const struct jsonpull_token *t, int64_t *ret)
{
    switch (t->kind) {
    case JSONPULL_INT: *ret = t->i; return true;
    case JSONPULL_UINT: return refuse(j, ERR_RANGE, "an integer above 2^63-1");
    case JSONPULL_DOUBLE:
        return whole(t->d, ret) || refuse(j, ERR_TYPE, "expected an integer, not a fraction");
    case JSONPULL_STRING:
        return slice_to_i64(t->text, ret) ||
               refuse(j, ERR_TYPE, "expected an integer, as a number or as a string of digits");
    default: return refuse(j, ERR_TYPE, "expected an integer");
    }
}

static bool get_uint(struct json *j, const struct jsonpull_token *t, uint64_t *ret)
{
    int64_t i = -1;
    if (t->kind == JSONPULL_UINT) {
        *ret = t->u;
        return true;
    }
    if (t->kind == JSONPULL_STRING) {
        return slice_to_u64(t->text, ret) ||
               refuse(j, ERR_TYPE, "expected an integer from 0 up, also as a string of digits");
    }
    if (!get_int(j, t, &i)) {
        return false;
    }
    *ret = (uint64_t)i;
    return i >= 0 || refuse(j, ERR_RANGE, "expected an integer from 0 up");
}

static bool get_double(struct json *j, const struct jsonpull_token *t, double *ret)
{
    switch (t->kind) {
    case JSONPULL_INT: *ret = (double)t->i; return true;
    case JSONPULL_UINT: *ret = (double)t->u; return true;
    case JSONPULL_DOUBLE: *ret = t->d; return true;
    case JSONPULL_STRING:
        return slice_to_f64(t->text, ret) ||
               refuse(j, ERR_TYPE, "expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"");
    default: return refuse(j, ERR_TYPE, "expected a number");
    }
}

/* The bits of a number as its field holds them. */
static bool get_number(struct json *j, enum otlp_type type, const struct jsonpull_token *t,
                       uint64_t *ret)
{
    int64_t i = 0;
    double d = 0;
    bool ok;
    switch (type) {
    case OTLP_TYPE_INT:
    case OTLP_TYPE_SFIXED64: ok = get_int(j, t, &i); break;
    case OTLP_TYPE_SINT:
        ok = get_int(j, t, &i);
        i = (int64_t)varint_zigzag(i);
        break;
    case OTLP_TYPE_DOUBLE:
        ok = get_double(j, t, &d);
        i = (int64_t)endian_bits(d);
        break;
    case OTLP_TYPE_BOOL:
        ok = t->kind == JSONPULL_BOOL || refuse(j, ERR_TYPE, "expected true or false");
        i = ok && t->b;
        break;
    default: return get_uint(j, t, ret);
    }
    *ret = (uint64_t)i;
    return ok;
}

static bool is_fixed(enum otlp_type type)
{
    return type == OTLP_TYPE_FIXED64 || type == OTLP_TYPE_SFIXED64 || type == OTLP_TYPE_DOUBLE;
}

static bool put_number(struct json *j, const struct otlp_field *f, const struct jsonpull_token *t)
{
    uint64_t v;
    if (!get_number(j, (enum otlp_type)f->type, t, &v)) {
        return false;
    }
    if (is_fixed((enum otlp_type)f->type)) {
        pbwrite_fixed64(j->out, f->number, v);
    } else if (f->type == OTLP_TYPE_FIXED32) {
        if (v > UINT32_MAX) {
            return refuse(j, ERR_RANGE, "expected an integer below 2^32");
        }
        pbwrite_fixed32(j->out, f->number, (uint32_t)v);
    } else {
        pbwrite_varint(j->out, f->number, v);
    }
    return !buf_failed(j->out) || full(j);
}

/* --- texts --- */

static bool put_id(struct json *j, const struct otlp_field *f, struct slice text)
{
    uint8_t id[ID_BYTES_MAX] = {0};
    int64_t n = text_get_hex(text, id, sizeof id);
    pbwrite_string(j->out, f->number, slice_of(id, n >= 0 ? (size_t)n : 1));
    return !buf_failed(j->out) || full(j);
}

static bool put_base64(struct json *j, const struct otlp_field *f, struct slice text)
{
    char *copy = arena_alloc(j->arena, text.len + 1), *bytes = arena_alloc(j->arena, text.len + 1);
    if (copy == NULL || bytes == NULL) {
        return full(j);
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        copy[i] = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    int64_t n = text_get_base64(slice_of(copy, text.len), bytes, text.len + 1);
    if (n < 0) {
        return refuse(j, ERR_TYPE, "expected bytes in base64");
    }
    pbwrite_string(j->out, f->number, slice_of(bytes, (size_t)n));
    return !buf_failed(j->out) || full(j);
}

static bool put_text(struct json *j, const struct otlp_field *f, const struct jsonpull_token *t)
{
    if (t->kind != JSONPULL_STRING) {
        return refuse(j, ERR_TYPE, "expected a string");
    }
    if (f->type == OTLP_TYPE_ID) {
        return put_id(j, f, t->text);
    }
    if (f->type == OTLP_TYPE_BYTES) {
        return put_base64(j, f, t->text);
    }
    pbwrite_string(j->out, f->number, t->text);
    return !buf_failed(j->out) || full(j);
}

/* --- structure --- */

static bool put_fields(struct json *j, enum otlp_msg m);

static bool put_one(struct json *j, const struct otlp_field *f, const struct jsonpull_token *t)
{
    switch ((enum otlp_type)f->type) {
    case OTLP_TYPE_MESSAGE: {
        if (t->kind != JSONPULL_OBJECT) {
            return refuse(j, ERR_TYPE, "expected an object");
        }
        size_t mark = open_field(j->out, f->number);
        return put_fields(j, (enum otlp_msg)f->message) && close_field(j, mark);
    }
    case OTLP_TYPE_STRING:
    case OTLP_TYPE_BYTES:
    case OTLP_TYPE_ID: return put_text(j, f, t);
    default: return put_number(j, f, t);
    }
}

/* The array's opening bracket was read. */
static bool put_packed(struct json *j, const struct otlp_field *f)
{
    struct jsonpull_token t;
    size_t mark = open_field(j->out, f->number);
    while (jsonpull_next(&j->r, &t) != JSONPULL_ARRAY_END) {
        uint64_t v;
        char bytes[VARINT_MAX];
        if (t.kind == JSONPULL_ERROR || !get_number(j, (enum otlp_type)f->type, &t, &v)) {
            return false;
        }
        size_t n = 8;
        if (is_fixed((enum otlp_type)f->type)) {
            endian_put_le64(bytes, v);
        } else {
            n = (size_t)(varint_write(bytes, v) - bytes);
        }
        buf_add(j->out, bytes, n);
    }
    return close_field(j, mark);
}

static bool put_repeated(struct json *j, const struct otlp_field *f, struct jsonpull_token *t)
{
    if (t->kind != JSONPULL_ARRAY) {
        return refuse(j, ERR_TYPE, "expected an array");
    }
    if (f->type != OTLP_TYPE_MESSAGE) {
        return put_packed(j, f);
    }
    while (jsonpull_next(&j->r, t) != JSONPULL_ARRAY_END) {
        if (t->kind == JSONPULL_ERROR || !put_one(j, f, t)) {
            return false;
        }
    }
    return true;
}

/* The object's opening brace was read. Recursion is bounded by the depth of the JSON reader. */
static bool put_fields(struct json *j, enum otlp_msg m)
{
    const struct otlp_message *message = &otlp_messages[m];
    struct jsonpull_token t;
    uint32_t hint = 0;
    while (jsonpull_next(&j->r, &t) == JSONPULL_KEY) {
        const struct otlp_field *f = otlp_field_by_name(message, t.text, &hint);
        bool ok = jsonpull_next(&j->r, &t) != JSONPULL_ERROR;
        if (f == NULL || t.kind == JSONPULL_NULL) {
            ok = ok && jsonpull_skip(&j->r, &t);
        } else {
            ok = ok && (f->repeated ? put_repeated(j, f, &t) : put_one(j, f, &t));
        }
        if (!ok) {
            return false;
        }
    }
    return t.kind == JSONPULL_OBJECT_END;
}

int otlp_json(enum otlp_msg message, struct slice text, struct arena *a, struct buf *out,
              struct err *reterr)
{
    assert(message > OTLP_MSG_NONE && message < OTLP_MSG_COUNT);
    assert(a != NULL && out != NULL);
    struct json j = {.out = out, .arena = a};
    struct jsonpull_token t;
    jsonpull_init(&j.r, text, a, JSONPULL_LENIENT, CONTAINERS_MAX);
    if (jsonpull_next(&j.r, &t) != JSONPULL_OBJECT) {
        jsonpull_refuse(&j.r, ERR_TYPE, "expected the object of a request");
    } else if (put_fields(&j, message)) {
        jsonpull_next(&j.r, &t);
    }
    if (t.kind == JSONPULL_END && !buf_failed(out)) {
        return 0;
    }
    jsonpull_refuse(&j.r, ERR_TOO_BIG, "the request is too large");
    int rc = jsonpull_error(&j.r, reterr);
    if (rc == -ERR_LIMIT) { /* nesting, or escapes beyond all measure: not a matter of size */
        if (reterr != NULL) {
            reterr->code = ERR_CORRUPT;
        }
        rc = -ERR_CORRUPT;
    }
    return rc;
}
