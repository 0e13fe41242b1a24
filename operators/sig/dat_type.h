/* SPDX-License-Identifier: Apache-2.0
 *
 * What values are made of; see dat.h for how they are owned.
 */
#ifndef OPERATORS_SIG_DAT_TYPE_H
#define OPERATORS_SIG_DAT_TYPE_H

#include "operators/sig/etype.h"

enum dat_kind {
    DAT_NULL,
    DAT_BOOL,
    DAT_CHAR,
    DAT_BYTE,
    DAT_SHORT,
    DAT_INT,
    DAT_LONG,
    DAT_FLOAT,
    DAT_DOUBLE,
    DAT_BIGINT, /* objects from here */
    DAT_BIGDEC,
    DAT_STRING,
    DAT_EVENT,
    DAT_MAP,
    DAT_LIST,
    DAT_CAUSES, /* never a value: references of an event */
};

struct obj {
    uint32_t refs;
    uint8_t kind;
    bool lent;      /* of an event: its maker keeps it, and fills it again if nobody else does */
    uint16_t units; /* of 16 bytes; 0: too large for the free lists */
};

static inline void obj_keep(struct obj *o)
{
    o->refs++;
}
struct vheap;
void obj_drop_last(struct vheap *h, struct obj *o);
static inline void obj_drop(struct vheap *h, struct obj *o)
{
    if (o->refs > 1) { /* whoever holds it besides keeps it to the end of the step */
        o->refs--;
    } else {
        obj_drop_last(h, o);
    }
}

struct dat {
    uint64_t kind; /* as wide as the value: no padding that would be moved about */
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
    struct dat v[];
};

struct vpair {
    struct dat key, value;
};

struct vmap { /* in order of insertion */
    struct obj o;
    uint32_t len;
    uint32_t hash; /* 0: not computed yet */
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
    uint32_t mark;  /* scratch of whoever walks; 0 between steps */
    uint32_t group; /* of what leaves a packed window: its group there (win_pack.h); or 0 */
    const struct etype *type;
    uint64_t serial; /* names the event in saved state; 0: it was never saved (save.h) */
    struct eref ref;
    struct causes *causes; /* of derived events; NULL: ref alone */
    struct vmap *extra;    /* undeclared properties, for `x?`; may be NULL */
    struct dat p[];
};

#endif
