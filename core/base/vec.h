/* SPDX-License-Identifier: Apache-2.0
 *
 * A growable array of one type. VEC(type) declares it, the macros keep the type:
 *
 *     struct { VEC(struct route) routes; } r = {0};
 *     struct route *slot = VEC_PUSH(&r.routes);      zeroed, valid until the next push
 *     VEC_EACH(&r.routes, it) { use(it); }
 *     VEC_DONE(&r.routes);
 *
 * For lists whose length something else bounds; what grows with outside input says its limit at
 * the place that pushes.
 */
#ifndef CORE_BASE_VEC_H
#define CORE_BASE_VEC_H

#include "core/base/attr.h"

#include <stddef.h>
#include <string.h>

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *ptr;                                                                                 \
        size_t len, cap;                                                                           \
    }

/* A pointer to a new zeroed element at the end. */
#define VEC_PUSH(v)                                                                                \
    ((v)->ptr = vec_room((v)->ptr, (v)->len, &(v)->cap, sizeof *(v)->ptr), &(v)->ptr[(v)->len++])
#define VEC_DONE(v)  (vec_release((v)->ptr), (v)->ptr = NULL, (v)->len = (v)->cap = 0)
#define VEC_CLEAR(v) ((void)((v)->len = 0))
#define VEC_LAST(v)  (&(v)->ptr[(v)->len - 1])
#define VEC_EACH(v, it)                                                                            \
    for (__typeof__(*(v)->ptr) *it = (v)->ptr; (v)->len > 0 && it < (v)->ptr + (v)->len; it++)
/* Removes element i; the order of the rest is kept. */
#define VEC_REMOVE(v, i)                                                                           \
    (vec_close_gap((v)->ptr, (v)->len, (i), sizeof *(v)->ptr), (void)((v)->len--))

/* Room for one more behind len, and that one zeroed. Used by VEC_PUSH only. */
void *vec_grow(void *ptr, size_t len, size_t *cap, size_t size);
static inline void *vec_room(void *ptr, size_t len, size_t *cap, size_t size)
{
    if (UNLIKELY(len == *cap)) {
        return vec_grow(ptr, len, cap, size);
    }
    memset((char *)ptr + len * size, 0, size);
    return ptr;
}
void vec_close_gap(void *ptr, size_t len, size_t i, size_t size);
void vec_release(void *ptr);

#endif
