/* SPDX-License-Identifier: Apache-2.0
 *
 * Static types. A type is small and passed by value; what it points to (event types, element
 * types) lives as long as the catalog that declared it. The numeric kinds stand in the order of
 * promotion.
 */
#ifndef OPERATORS_SIG_TY_H
#define OPERATORS_SIG_TY_H

#include "core/base/slice.h"

struct arena;
struct buf;
struct etype;

enum ty_kind {
    TY_NULL, /* of the literal: fits everywhere */
    TY_BOOL,
    TY_CHAR,
    TY_BYTE,
    TY_SHORT,
    TY_INT,
    TY_LONG,
    TY_FLOAT,
    TY_DOUBLE,
    TY_BIGINT,
    TY_BIGDEC,
    TY_STRING,
    TY_OBJECT, /* known at run time only */
    TY_EVENT,  /* ev: its event type; also structures made by `new {}` */
    TY_MAP,    /* elem: type of values, NULL if untyped */
    TY_LIST,   /* elem: type of elements, NULL if untyped */
};

struct ty {
    enum ty_kind kind;
    const struct etype *ev;
    const struct ty *elem;
};

#define TY(k) ((struct ty){.kind = TY_##k})

static inline bool ty_is_number(struct ty t)
{
    return t.kind >= TY_BYTE && t.kind <= TY_BIGDEC;
}
static inline bool ty_is_integer(struct ty t)
{
    return t.kind >= TY_BYTE && t.kind <= TY_LONG;
}
bool ty_eq(struct ty a, struct ty b);
/* Result type of + - * % and of comparisons between two numbers: int at least; float with any
 * integer is double; a big decimal beats a big integer beats the rest. */
struct ty ty_arith(struct ty a, struct ty b);
/* Whether a value of type `from` may be assigned to `to` by widening alone. */
bool ty_widens(struct ty from, struct ty to);
/* The common type of the branches of case, coalesce, arrays; false if there is none. */
bool ty_common(struct ty a, struct ty b, struct ty *ret);
/* Whether = may compare them: numbers among themselves, equal kinds, Object with anything. */
bool ty_comparable(struct ty a, struct ty b);
/* The scalar type of a name: string String java.lang.String int integer Integer long ... object
 * java.lang.Object java.util.Map Map; false if it is none. Arrays are the caller's. */
bool ty_by_name(struct slice name, struct ty *ret);
struct ty ty_list(struct arena *a, struct ty elem);
struct ty ty_map(struct arena *a, struct ty elem);
const char *ty_name(enum ty_kind k);
void ty_print(struct ty t, struct buf *out);

#endif
