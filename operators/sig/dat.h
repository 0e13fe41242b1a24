/* SPDX-License-Identifier: Apache-2.0
 *
 * Values at run time: 16 bytes, passed by value. Strings, events, maps and lists are objects with a
 * count of references, made in a vheap and immutable once others see them (rows of tables are the
 * exception, see operators/table).
 *
 * One rule of ownership: **a new object belongs to the heap's pool, which lets go of it at the end
 * of the step** (vheap_drain). So whoever computes needs not free anything. Whoever stores a value
 * beyond the step takes a reference (dat_keep) and gives it back by dat_drop, which leaves it to
 * the pool: what left a window may be looked at until the step ends. Memory comes from free lists
 * by size, so a steady state allocates nothing.
 * An integer of any size is in i, sign extended; a float is in d, rounded to float. One thread.
 */
#ifndef OPERATORS_SIG_DAT_H
#define OPERATORS_SIG_DAT_H

#include "operators/sig/dat_op.h"
#include "operators/sig/dat_type.h"

struct vheap *vheap_new(void);
void vheap_free(struct vheap *h), vheap_drain(struct vheap *h); /* free: held objects die, too */
uint64_t vheap_epoch(const struct vheap *h); /* of the drain; no address is anew within one */
size_t vheap_live(const struct vheap *h), vheap_pooled(const struct vheap *h); /* objects; dying */
uint64_t vheap_carved(const struct vheap *h); /* objects that no free list had */
/* Events that outlive their step get their number (save.h) from there; NULL: when saved. */
void vheap_number_from(struct vheap *h, uint64_t *serial);
bool vheap_numbers(const struct vheap *h);
void evt_number(struct vheap *h, struct evt *e);          /* and those in it; once */
struct dat vheap_for_good(struct vheap *h, struct dat v); /* kept until the heap ends */
void *vheap_obj(struct vheap *h, enum dat_kind kind, size_t bytes);
void *vheap_own(struct vheap *h, enum dat_kind kind, size_t bytes); /* the caller's */

static inline bool dat_is_obj(struct dat v)
{
    return v.kind >= DAT_BIGINT;
}
static inline struct dat dat_keep(struct dat v)
{
    if (dat_is_obj(v)) {
        v.o->refs++;
    }
    return v;
}
static inline void dat_drop(struct vheap *h, struct dat v)
{
    if (dat_is_obj(v)) {
        obj_drop(h, v.o);
    }
}
static inline struct evt *evt_keep(struct evt *e)
{
    e->o.refs++;
    return e;
}
static inline void evt_drop(struct vheap *h, struct evt *e)
{
    obj_drop(h, &e->o);
}

#define DAT_NONE ((struct dat){.kind = DAT_NULL, .i = 0})
static inline struct dat dat_bool(bool b)
{
    struct dat v = {.kind = DAT_BOOL, .i = 0};
    v.b = b;
    return v;
}
static inline struct dat dat_int(int32_t i)
{
    return (struct dat){.kind = DAT_INT, .i = i};
}
static inline struct dat dat_long(int64_t i)
{
    return (struct dat){.kind = DAT_LONG, .i = i};
}
static inline struct dat dat_double(double d)
{
    return (struct dat){.kind = DAT_DOUBLE, .d = d};
}
static inline struct dat dat_float(double d)
{
    return (struct dat){.kind = DAT_FLOAT, .d = (double)(float)d};
}
static inline struct dat dat_str(struct vstr *s)
{
    return (struct dat){.kind = DAT_STRING, .s = s};
}
static inline struct dat dat_evt(struct evt *e)
{
    return e == NULL ? DAT_NONE : (struct dat){.kind = DAT_EVENT, .ev = e};
}
static inline struct dat dat_list(struct vlist *l)
{
    return (struct dat){.kind = DAT_LIST, .l = l};
}
static inline struct dat dat_map(struct vmap *m)
{
    return (struct dat){.kind = DAT_MAP, .m = m};
}
static inline bool dat_is_null(struct dat v)
{
    return v.kind == DAT_NULL;
}
static inline bool dat_true(struct dat v)
{
    return v.kind == DAT_BOOL && v.b;
}
static inline bool dat_is_integer(struct dat v)
{
    return v.kind >= DAT_BYTE && v.kind <= DAT_LONG;
}
static inline bool dat_is_float(struct dat v)
{
    return v.kind == DAT_FLOAT || v.kind == DAT_DOUBLE;
}
static inline bool dat_is_number(struct dat v)
{
    return v.kind >= DAT_BYTE && v.kind <= DAT_BIGDEC;
}
static inline struct slice vstr_slice(const struct vstr *s)
{
    return (struct slice){s->s, s->len};
}

struct vstr *vstr_new(struct vheap *h, struct slice s);
struct vstr *vstr_room(struct vheap *h, size_t len);  /* to be filled; hash is computed later */
struct vlist *vlist_new(struct vheap *h, size_t len); /* nulls; fill with vlist_set */
struct vmap *vmap_new(struct vheap *h, size_t len);
/* Children are kept by the container. */
static inline void vlist_set(struct vlist *l, size_t i, struct dat v)
{
    l->v[i] = dat_keep(v);
}
static inline void vmap_set(struct vmap *m, size_t i, struct dat key, struct dat value)
{
    m->v[i] = (struct vpair){dat_keep(key), dat_keep(value)};
}
/* The value of a key, or null; `ret_found` may be NULL. */
struct dat vmap_get(const struct vmap *m, struct slice key, bool *ret_found);
struct dat vmap_get_val(const struct vmap *m, struct dat key, bool *ret_found);
struct evt *evt_new(struct vheap *h, const struct etype *type);  /* all columns null */
struct evt *evt_bare(struct vheap *h, const struct etype *type); /* ... are set by the caller */
struct evt *evt_lent(struct vheap *h, const struct etype *type); /* and kept (obj.lent) */
static inline void evt_set(struct evt *e, size_t col, struct dat v)
{
    e->p[col] = dat_keep(v);
}
struct causes *causes_new(struct vheap *h, size_t len); /* own: not the pool's, but the caller's */
struct causes *causes_own(struct vheap *h, size_t len);

#endif
