/* SPDX-License-Identifier: Apache-2.0
 *
 * Static types: promotion and names. See ty.h.
 */
#include "operators/sig/ty.h"

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "operators/sig/etype.h"

#include <assert.h>

static const char *const kind_names[] = {
    [TY_NULL] = "null",         [TY_BOOL] = "boolean",      [TY_CHAR] = "char",
    [TY_BYTE] = "byte",         [TY_SHORT] = "short",       [TY_INT] = "int",
    [TY_LONG] = "long",         [TY_FLOAT] = "float",       [TY_DOUBLE] = "double",
    [TY_BIGINT] = "BigInteger", [TY_BIGDEC] = "BigDecimal", [TY_STRING] = "string",
    [TY_OBJECT] = "object",     [TY_EVENT] = "event",       [TY_MAP] = "Map",
    [TY_LIST] = "list",
};

const char *ty_name(enum ty_kind k)
{
    assert(k <= TY_LIST);
    return kind_names[k];
}

bool ty_eq(struct ty a, struct ty b)
{
    if (a.kind != b.kind) {
        return false;
    }
    if (a.kind == TY_EVENT) {
        return a.ev == b.ev;
    }
    if (a.kind == TY_LIST || a.kind == TY_MAP) {
        return (a.elem == NULL) == (b.elem == NULL) && (a.elem == NULL || ty_eq(*a.elem, *b.elem));
    }
    return true;
}

struct ty ty_arith(struct ty a, struct ty b)
{
    enum ty_kind x = a.kind, y = b.kind;
    if (x == TY_BIGDEC || y == TY_BIGDEC) {
        return TY(BIGDEC);
    }
    if (x == TY_BIGINT || y == TY_BIGINT) {
        bool other_float = x == TY_FLOAT || x == TY_DOUBLE || y == TY_FLOAT || y == TY_DOUBLE;
        return other_float ? TY(BIGDEC) : TY(BIGINT);
    }
    if (x == TY_DOUBLE || y == TY_DOUBLE) {
        return TY(DOUBLE);
    }
    if (x == TY_FLOAT || y == TY_FLOAT) {
        return x == y ? TY(FLOAT) : TY(DOUBLE);
    }
    return x == TY_LONG || y == TY_LONG ? TY(LONG) : TY(INT);
}

static bool number_widens(struct ty from, struct ty to)
{
    return to.kind == TY_BIGINT ? ty_is_integer(from) : from.kind <= to.kind;
}

/* Elements of lists, values of maps: untyped takes all, and fits all. */
static bool elem_widens(struct ty from, struct ty to)
{
    return from.elem == NULL || to.elem == NULL || ty_widens(*from.elem, *to.elem);
}

static bool event_widens(struct ty from, struct ty to)
{
    bool made = from.ev->kind == ETYPE_ANON; /* by new {}: becomes what is wanted */
    if (to.kind == TY_EVENT) {
        return made || ety_is(from.ev, to.ev);
    }
    return to.kind == TY_MAP && made;
}

bool ty_widens(struct ty from, struct ty to)
{
    if (from.kind == TY_NULL || to.kind == TY_OBJECT || ty_eq(from, to)) {
        return true;
    }
    if (ty_is_number(from)) {
        return ty_is_number(to) && number_widens(from, to);
    }
    switch (from.kind) {
    case TY_CHAR: return to.kind == TY_STRING;
    case TY_EVENT: return event_widens(from, to);
    case TY_MAP:
    case TY_LIST: return to.kind == from.kind && elem_widens(from, to);
    default: return false;
    }
}

bool ty_common(struct ty a, struct ty b, struct ty *ret)
{
    if (a.kind == TY_NULL || ty_eq(a, b)) {
        *ret = b;
        return true;
    }
    if (b.kind == TY_NULL) {
        *ret = a;
        return true;
    }
    if (ty_is_number(a) && ty_is_number(b)) {
        *ret = a.kind == b.kind ? a : ty_arith(a, b);
        return true;
    }
    if (a.kind == TY_OBJECT || b.kind == TY_OBJECT) {
        *ret = TY(OBJECT);
        return true;
    }
    if (ty_widens(a, b)) {
        *ret = b;
        return true;
    }
    if (ty_widens(b, a)) {
        *ret = a;
        return true;
    }
    return false;
}

bool ty_comparable(struct ty a, struct ty b)
{
    if (a.kind == TY_NULL || b.kind == TY_NULL || a.kind == TY_OBJECT || b.kind == TY_OBJECT) {
        return true;
    }
    if (ty_is_number(a) || ty_is_number(b)) {
        return ty_is_number(a) && ty_is_number(b);
    }
    if (a.kind == TY_EVENT || b.kind == TY_EVENT) {
        bool maps = a.kind == TY_MAP || b.kind == TY_MAP;
        return maps || a.kind == b.kind;
    }
    if (a.kind == TY_CHAR || b.kind == TY_CHAR) {
        return (a.kind == TY_CHAR || a.kind == TY_STRING) &&
               (b.kind == TY_CHAR || b.kind == TY_STRING);
    }
    return a.kind == b.kind;
}

struct type_name {
    const char *name;
    enum ty_kind kind;
};

static const struct type_name names[] = {
    {"string", TY_STRING},
    {"varchar", TY_STRING},
    {"String", TY_STRING},
    {"java.lang.String", TY_STRING},
    {"CharSequence", TY_STRING},
    {"bool", TY_BOOL},
    {"boolean", TY_BOOL},
    {"Boolean", TY_BOOL},
    {"java.lang.Boolean", TY_BOOL},
    {"byte", TY_BYTE},
    {"Byte", TY_BYTE},
    {"java.lang.Byte", TY_BYTE},
    {"short", TY_SHORT},
    {"Short", TY_SHORT},
    {"java.lang.Short", TY_SHORT},
    {"int", TY_INT},
    {"integer", TY_INT},
    {"Integer", TY_INT},
    {"java.lang.Integer", TY_INT},
    {"long", TY_LONG},
    {"Long", TY_LONG},
    {"java.lang.Long", TY_LONG},
    {"float", TY_FLOAT},
    {"Float", TY_FLOAT},
    {"java.lang.Float", TY_FLOAT},
    {"double", TY_DOUBLE},
    {"Double", TY_DOUBLE},
    {"java.lang.Double", TY_DOUBLE},
    {"char", TY_CHAR},
    {"character", TY_CHAR},
    {"Character", TY_CHAR},
    {"java.lang.Character", TY_CHAR},
    {"biginteger", TY_BIGINT},
    {"bigint", TY_BIGINT},
    {"BigInteger", TY_BIGINT},
    {"java.math.BigInteger", TY_BIGINT},
    {"bigdecimal", TY_BIGDEC},
    {"bigdec", TY_BIGDEC},
    {"BigDecimal", TY_BIGDEC},
    {"java.math.BigDecimal", TY_BIGDEC},
    {"object", TY_OBJECT},
    {"Object", TY_OBJECT},
    {"java.lang.Object", TY_OBJECT},
    {"java.util.Map", TY_MAP},
    {"Map", TY_MAP},
    {"map", TY_MAP},
    {"java.util.HashMap", TY_MAP},
    {"java.util.List", TY_LIST},
    {"List", TY_LIST},
    {"java.util.Collection", TY_LIST},
    {"Collection", TY_LIST},
    {"java.util.Date", TY_LONG},
    {"java.lang.Number", TY_OBJECT},
};

bool ty_by_name(struct slice name, struct ty *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq(name, slice_str(names[i].name))) {
            *ret = (struct ty){.kind = names[i].kind};
            return true;
        }
    }
    return false;
}

static struct ty over(struct arena *a, enum ty_kind kind, struct ty elem)
{
    struct ty *copy = ARENA_NEW(a, struct ty);
    if (copy != NULL) {
        *copy = elem;
    }
    return (struct ty){.kind = kind, .elem = copy};
}

struct ty ty_list(struct arena *a, struct ty elem)
{
    return over(a, TY_LIST, elem);
}

struct ty ty_map(struct arena *a, struct ty elem)
{
    return over(a, TY_MAP, elem);
}

void ty_print(struct ty t, struct buf *out)
{
    if (t.kind == TY_EVENT && t.ev->name.len > 0) {
        (void)buf_add_slice(out, t.ev->name);
    } else if (t.kind == TY_LIST && t.elem != NULL) {
        ty_print(*t.elem, out);
        (void)buf_add_str(out, "[]");
    } else if (t.kind == TY_MAP && t.elem != NULL) {
        (void)buf_add_str(out, "Map<string,");
        ty_print(*t.elem, out);
        (void)buf_add_str(out, ">");
    } else {
        (void)buf_add_str(out, ty_name(t.kind));
    }
}
