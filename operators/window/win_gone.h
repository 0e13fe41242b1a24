/* SPDX-License-Identifier: Apache-2.0
 *
 * Of what is saved in slices in its order (win_late.h, win_late_map.c): what has left, or stands
 * for another now, and is not written yet. A heap by place; what leaves in order costs nothing to
 * put in. All of it is kept.
 */
#ifndef OPERATORS_WINDOW_WIN_GONE_H
#define OPERATORS_WINDOW_WIN_GONE_H

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/window/win_hold.h"

struct win_gone {
    uint64_t place, nth; /* nth: of those of one place */
    struct evt *e;
    int64_t at;      /* of a ring */
    struct dat *key; /* of a map; or NULL */
};
struct win_gones { /* zeroed is empty */
    VEC(struct win_gone) v;
    uint64_t n;
};

static inline bool win_gone_before(const struct win_gone *a, const struct win_gone *b)
{
    return a->place != b->place ? a->place < b->place : a->nth < b->nth;
}

static inline void win_gone_push(struct win_gones *g, struct win_gone x)
{
    x.nth = g->n++;
    (void)VEC_PUSH(&g->v);
    struct win_gone *v = g->v.ptr;
    size_t i = g->v.len - 1;
    for (; i > 0 && win_gone_before(&x, &v[(i - 1) / 2]); i = (i - 1) / 2) {
        v[i] = v[(i - 1) / 2];
    }
    v[i] = x;
}

static inline struct win_gone win_gone_pop(struct win_gones *g)
{
    struct win_gone *v = g->v.ptr, top = v[0], x = v[--g->v.len];
    size_t n = g->v.len, i = 0, kid;
    for (; (kid = 2 * i + 1) < n; i = kid) {
        kid += kid + 1 < n && win_gone_before(&v[kid + 1], &v[kid]);
        if (!win_gone_before(&v[kid], &x)) {
            break;
        }
        v[i] = v[kid];
    }
    if (n > 0) {
        v[i] = x;
    }
    return top;
}

static inline void win_gone_let_go(struct vheap *h, struct win_gone *x, uint32_t n_keys)
{
    evt_drop(h, x->e);
    for (uint32_t i = 0; x->key != NULL && i < n_keys; i++) {
        dat_drop(h, x->key[i]);
    }
    mem_free(x->key);
}

static inline void win_gones_done(struct win_gones *g, struct vheap *h, uint32_t n_keys)
{
    VEC_EACH (&g->v, x) {
        win_gone_let_go(h, x, n_keys);
    }
    VEC_DONE(&g->v);
}

#endif
