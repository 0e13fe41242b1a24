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
    [TY_NULL] = VAL_NULL,     [TY_BOOL] = VAL_BOOL,     [TY_CHAR] = VAL_CHAR,
    [TY_BYTE] = VAL_BYTE,     [TY_SHORT] = VAL_SHORT,   [TY_INT] = VAL_INT,
    [TY_LONG] = VAL_LONG,     [TY_FLOAT] = VAL_FLOAT,   [TY_DOUBLE] = VAL_DOUBLE,
    [TY_BIGINT] = VAL_BIGINT, [TY_BIGDEC] = VAL_BIGDEC, [TY_STRING] = VAL_STRING,
    [TY_OBJECT] = VAL_NULL,   [TY_EVENT] = VAL_EVENT,   [TY_MAP] = VAL_MAP,
    [TY_LIST] = VAL_LIST,
};

static struct val failed(struct ectx *c, struct slice text, const char *what)
{
    ectx_fail(c, "'%.*s' is no %s", (int)MIN(text.len, (size_t)40), text.ptr, what);
    return VAL_NONE;
}

static struct val dated(const struct ex *e, struct ectx *c, struct val v)
{
    struct val format = ex_eval(e->args[1], c);
    int64_t ms = 0;
    if (format.kind != VAL_STRING) {
        return VAL_NONE;
    }
    struct slice pattern = vstr_slice(format.s);
    if (v.kind == VAL_STRING) {
        return fn_cal_parse(vstr_slice(v.s), pattern, c->now, &ms)
                   ? val_long(ms)
                   : failed(c, vstr_slice(v.s), "date");
    }
    if (!val_is_integer(v) || e->ty.kind != TY_STRING) {
        return val_is_integer(v) ? v : VAL_NONE;
    }
    struct buf out;
    buf_init(&out, 4096);
    bool fine = fn_cal_format(v.i, pattern, &out);
    struct val text = fine ? val_str(vstr_new(c->heap, buf_slice(&out))) : VAL_NONE;
    buf_done(&out);
    return text;
}

static struct val to_event(struct val v, struct ty to)
{
    if (v.kind == VAL_EVENT && (to.ev == NULL || ety_is(v.ev->type, to.ev))) {
        return v;
    }
    return VAL_NONE;
}

struct val fn_cast(const struct ex *e, struct ectx *c)
{
    struct val v = ex_eval(e->args[0], c);
    if (val_is_null(v)) {
        return v;
    }
    if (e->n_args > 1) {
        return dated(e, c, v);
    }
    switch (e->ty.kind) {
    case TY_STRING: return val_str(val_text(c->heap, v));
    case TY_CHAR:
        return v.kind == VAL_CHAR ? v
               : v.kind == VAL_STRING && v.s->len > 0
                   ? (struct val){.kind = VAL_CHAR, .i = (unsigned char)v.s->s[0]}
                   : VAL_NONE;
    case TY_EVENT: return to_event(v, e->ty);
    case TY_MAP: return v.kind == VAL_MAP || v.kind == VAL_EVENT ? v : VAL_NONE;
    case TY_LIST: return v.kind == VAL_LIST ? v : VAL_NONE;
    case TY_OBJECT:
    case TY_NULL: return v;
    default: break;
    }
    if (val_is_number(v) && ty_is_number(e->ty)) {
        return val_as(c->heap, v, kinds[e->ty.kind]);
    }
    if (v.kind == VAL_STRING && e->args[0]->ty.kind == TY_STRING) {
        struct val parsed = VAL_NONE;
        bool fine = fn_parse_as(c->heap, vstr_slice(v.s), e->ty.kind, &parsed);
        return fine ? parsed : failed(c, vstr_slice(v.s), ty_name(e->ty.kind));
    }
    return v.kind == kinds[e->ty.kind] ? v : VAL_NONE;
}

static bool is_of(struct val v, struct ty t)
{
    switch (t.kind) {
    case TY_OBJECT: return true;
    case TY_EVENT: return v.kind == VAL_EVENT && (t.ev == NULL || ety_is(v.ev->type, t.ev));
    case TY_MAP: return v.kind == VAL_MAP || v.kind == VAL_EVENT;
    default: return v.kind == kinds[t.kind];
    }
}

struct val fn_instanceof(const struct ex *e, struct ectx *c)
{
    struct val v = ex_eval(e->args[0], c);
    const struct ty *types = e->data;
    for (int64_t i = 0; i < e->i && !val_is_null(v); i++) {
        if (is_of(v, types[i])) {
            return val_bool(true);
        }
    }
    return val_bool(false);
}

static const char *const names[] = {
    [VAL_BOOL] = "Boolean",      [VAL_CHAR] = "Character", [VAL_BYTE] = "Byte",
    [VAL_SHORT] = "Short",       [VAL_INT] = "Integer",    [VAL_LONG] = "Long",
    [VAL_FLOAT] = "Float",       [VAL_DOUBLE] = "Double",  [VAL_BIGINT] = "BigInteger",
    [VAL_BIGDEC] = "BigDecimal", [VAL_STRING] = "String",  [VAL_EVENT] = "HashMap",
    [VAL_MAP] = "LinkedHashMap", [VAL_LIST] = "Object[]",
};

static struct slice elem_name(struct ty t)
{
    if (t.kind == TY_EVENT && t.ev->name.len > 0) {
        return t.ev->name;
    }
    return t.kind == TY_OBJECT || t.kind == TY_NULL ? SLICE("Object")
                                                    : slice_str(names[kinds[t.kind]]);
}

struct val fn_typeof(const struct ex *e, struct ectx *c)
{
    struct val v = ex_eval(e->args[0], c);
    struct ty t = e->args[0]->ty;
    assert(v.kind < ARRAY_LEN(names));
    if (val_is_null(v)) {
        return v;
    }
    if (v.kind == VAL_EVENT && v.ev->type->name.len > 0) {
        return val_str(vstr_new(c->heap, v.ev->type->name));
    }
    if (v.kind == VAL_LIST && t.kind == TY_LIST && t.elem != NULL) {
        struct slice of = elem_name(*t.elem);
        struct vstr *s = vstr_room(c->heap, of.len + 2);
        memcpy(s->s, of.ptr, of.len);
        memcpy(s->s + of.len, "[]", 2);
        return val_str(s);
    }
    return val_str(vstr_new(c->heap, slice_str(names[v.kind])));
}
