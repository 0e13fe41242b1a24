/* SPDX-License-Identifier: Apache-2.0
 *
 * What values are made of; see val.h for how they are owned.
 */
#ifndef OPERATORS_SIG_VAL_TYPE_H
#define OPERATORS_SIG_VAL_TYPE_H

#include "operators/sig/etype.h"

/* core/event/val.h has functions of these names for values of the log; one program holds both. */
#define val_cmp  val_order
#define val_same val_alike

enum val_kind {
    VAL_NULL,
    VAL_BOOL,
    VAL_CHAR,
    VAL_BYTE,
    VAL_SHORT,
    VAL_INT,
    VAL_LONG,
    VAL_FLOAT,
    VAL_DOUBLE,
    VAL_BIGINT, /* objects from here */
    VAL_BIGDEC,
    VAL_STRING,
    VAL_EVENT,
    VAL_MAP,
    VAL_LIST,
    VAL_CAUSES, /* never a value: references of an event */
};

struct obj {
    uint32_t refs;
    uint8_t kind;
    uint8_t flags;
    uint16_t units; /* of 16 bytes; 0: too large for the free lists */
};

struct val {
    uint8_t kind;
    union {
        bool b;
        int64_t i;
        double d;
        struct obj *o;
        struct vstr *s;
        struct evt *ev;
        struct vmap *m;
        struct vlist *l;
        struct vbig *big;
    };
};

struct vstr {
    struct obj o;
    uint32_t len;
    uint32_t hash; /* 0: not computed yet */
    char s[];      /* a NUL behind */
};

struct vlist {
    struct obj o;
    uint32_t len;
    struct val v[];
};

struct vpair {
    struct val key, value;
};

struct vmap { /* in order of insertion */
    struct obj o;
    uint32_t len;
    struct vpair v[];
};

struct vbig { /* unscaled / 10^scale; big integers have scale 0 */
    struct obj o;
    int32_t scale;
    __int128 unscaled;
};

struct eref { /* 16 bytes that name an event; 0,0: none */
    uint64_t hi, lo;
};

struct causes {
    struct obj o;
    uint32_t len;
    struct eref r[];
};

struct evt {
    struct obj o;
    uint32_t mark; /* scratch of whoever walks; 0 between steps */
    const struct etype *type;
    struct eref ref;
    struct causes *causes; /* of derived events; NULL: ref alone */
    struct vmap *extra;    /* undeclared properties, for `x?`; may be NULL */
    struct val p[];
};

#endif
