/* SPDX-License-Identifier: Apache-2.0
 *
 * cast, instanceof, typeof. Text that is known to be text is parsed, and fails the row if it is no
 * number; what is an object and turns out to be of another kind gives null.
 */
#include "core/base/buf.h"
#include "operators/expr/eval_impl.h"
#include "operators/expr/fn_impl.h"
#include "operators/sig/fn_cal.h"
#include "operators/sig/fn_parse.h"

#include <assert.h>

static const uint8_t kinds[] = {
    [TY_NULL] = DAT_NULL,     [TY_BOOL] = DAT_BOOL,     [TY_CHAR] = DAT_CHAR,
    [TY_BYTE] = DAT_BYTE,     [TY_SHORT] = DAT_SHORT,   [TY_INT] = DAT_INT,
    [TY_LONG] = DAT_LONG,     [TY_FLOAT] = DAT_FLOAT,   [TY_DOUBLE] = DAT_DOUBLE,
    [TY_BIGINT] = DAT_BIGINT, [TY_BIGDEC] = DAT_BIGDEC, [TY_STRING] = DAT_STRING,
    [TY_OBJECT] = DAT_NULL,   [TY_EVENT] = DAT_EVENT,   [TY_MAP] = DAT_MAP,
    [TY_LIST] = DAT_LIST,
};

static struct dat failed(struct ectx *c, struct slice text, const char *what)
{
    ectx_fail(c, "'%.*s' is no %s", (int)MIN(text.len, (size_t)40), text.ptr, what);
    return DAT_NONE;
}

static struct dat dated(const struct ex *e, struct ectx *c, struct dat v, struct dat format)
{
    int64_t ms = 0;
    if (format.kind != DAT_STRING) {
        return DAT_NONE;
    }
    struct slice pattern = vstr_slice(format.s);
    if (v.kind == DAT_STRING) {
        return fn_cal_parse(vstr_slice(v.s), pattern, c->now, &ms)
                   ? dat_long(ms)
                   : failed(c, vstr_slice(v.s), "date");
    }
    if (!dat_is_integer(v) || e->ty.kind != TY_STRING) {
        return dat_is_integer(v) ? v : DAT_NONE;
    }
    struct buf out;
    buf_init(&out, 4096);
    bool fine = fn_cal_format(v.i, pattern, &out);
    struct dat text = fine ? dat_str(vstr_new(c->heap, buf_slice(&out))) : DAT_NONE;
    buf_done(&out);
    return text;
}

static struct dat to_event(struct dat v, struct ty to)
{
    if (v.kind == DAT_EVENT && (to.ev == NULL || ety_is(v.ev->type, to.ev))) {
        return v;
    }
    return DAT_NONE;
}

struct dat fn_cast(const struct ex *e, struct ectx *c, const struct dat *args)
{
    struct dat v = args[0];
    if (dat_is_null(v)) {
        return v;
    }
    if (e->n_args > 1) {
        return dated(e, c, v, args[1]);
    }
    switch (e->ty.kind) {
    case TY_STRING: return dat_str(dat_text(c->heap, v));
    case TY_CHAR:
        return v.kind == DAT_CHAR ? v
               : v.kind == DAT_STRING && v.s->len > 0 && e->args[0]->ty.kind == TY_STRING
                   ? (struct dat){.kind = DAT_CHAR, .i = (unsigned char)v.s->s[0]}
                   : DAT_NONE;
    case TY_EVENT: return to_event(v, e->ty);
    case TY_MAP: return v.kind == DAT_MAP || v.kind == DAT_EVENT ? v : DAT_NONE;
    case TY_LIST: return v.kind == DAT_LIST ? v : DAT_NONE;
    case TY_OBJECT:
    case TY_NULL: return v;
    default: break;
    }
    if (dat_is_number(v) && ty_is_number(e->ty)) {
        return dat_as(c->heap, v, kinds[e->ty.kind]);
    }
    if (v.kind == DAT_STRING && e->args[0]->ty.kind == TY_STRING) {
        struct dat parsed = DAT_NONE;
        bool fine = fn_parse_as(c->heap, vstr_slice(v.s), e->ty.kind, &parsed);
        return fine ? parsed : failed(c, vstr_slice(v.s), ty_name(e->ty.kind));
    }
    return v.kind == kinds[e->ty.kind] ? v : DAT_NONE;
}

static bool is_of(struct dat v, struct ty t)
{
    switch (t.kind) {
    case TY_OBJECT: return true;
    case TY_EVENT: return v.kind == DAT_EVENT && (t.ev == NULL || ety_is(v.ev->type, t.ev));
    case TY_MAP: return v.kind == DAT_MAP || v.kind == DAT_EVENT;
    default: return v.kind == kinds[t.kind];
    }
}

struct dat fn_instanceof(const struct ex *e, struct ectx *c, const struct dat *args)
{
    (void)c;
    struct dat v = args[0];
    const struct ty *types = e->data;
    for (int64_t i = 0; i < e->i && !dat_is_null(v); i++) {
        if (is_of(v, types[i])) {
            return dat_bool(true);
        }
    }
    return dat_bool(false);
}

static const char *const names[] = {
    [DAT_BOOL] = "Boolean",      [DAT_CHAR] = "Character", [DAT_BYTE] = "Byte",
    [DAT_SHORT] = "Short",       [DAT_INT] = "Integer",    [DAT_LONG] = "Long",
    [DAT_FLOAT] = "Float",       [DAT_DOUBLE] = "Double",  [DAT_BIGINT] = "BigInteger",
    [DAT_BIGDEC] = "BigDecimal", [DAT_STRING] = "String",  [DAT_EVENT] = "HashMap",
    [DAT_MAP] = "LinkedHashMap", [DAT_LIST] = "Object[]",
};

static struct slice elem_name(struct ty t)
{
    if (t.kind == TY_EVENT && t.ev->name.len > 0) {
        return t.ev->name;
    }
    return t.kind == TY_OBJECT || t.kind == TY_NULL ? SLICE("Object")
                                                    : slice_str(names[kinds[t.kind]]);
}

struct dat fn_typeof(const struct ex *e, struct ectx *c, const struct dat *args)
{
    struct dat v = args[0];
    struct ty t = e->args[0]->ty;
    assert(v.kind < ARRAY_LEN(names));
    if (dat_is_null(v)) {
        return v;
    }
    if (v.kind == DAT_EVENT && v.ev->type->name.len > 0) {
        return dat_str(vstr_new(c->heap, v.ev->type->name));
    }
    if (v.kind == DAT_LIST && t.kind == TY_LIST && t.elem != NULL) {
        struct slice of = elem_name(*t.elem);
        struct vstr *s = vstr_room(c->heap, of.len + 2);
        memcpy(s->s, of.ptr, of.len);
        memcpy(s->s + of.len, "[]", 2);
        return dat_str(s);
    }
    return dat_str(vstr_new(c->heap, slice_str(names[v.kind])));
}
