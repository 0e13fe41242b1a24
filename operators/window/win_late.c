/* SPDX-License-Identifier: Apache-2.0
 *
 * See win_late.h. Those that have left are in a heap by place: the slot they had, or, if gaps were
 * closed since, the slot of what follows them.
 */
#include "operators/window/win_late.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/window/win_state.h"

#include <assert.h>
#include <stdlib.h>

struct gone { /* it left, and is not written yet */
    uint64_t at, nth;
    struct win_slot slot; /* kept */
};

struct win_late {
    struct save_late *to;
    struct vheap *heap;
    uint64_t at, end; /* slots: the next one; behind the last one that was there at the cut */
    size_t left;
    VEC(struct gone) gone;
    uint64_t n_gone;
};

static struct win_slot *slot(const struct win_ring *r, uint64_t i)
{
    return &r->slots[i & (r->cap - 1)];
}

/* ---- the heap ---- */

static bool before(const struct gone *a, const struct gone *b)
{
    return a->at != b->at ? a->at < b->at : a->nth < b->nth;
}

static void push(struct win_late *l, struct gone x)
{
    (void)VEC_PUSH(&l->gone);
    size_t i = l->gone.len - 1;
    for (; i > 0 && before(&x, &l->gone.ptr[(i - 1) / 2]); i = (i - 1) / 2) {
        l->gone.ptr[i] = l->gone.ptr[(i - 1) / 2];
    }
    l->gone.ptr[i] = x;
}

static struct gone pop(struct win_late *l)
{
    struct gone *v = l->gone.ptr, top = v[0], x = v[--l->gone.len];
    size_t n = l->gone.len, i = 0, kid;
    for (; (kid = 2 * i + 1) < n; i = kid) {
        kid += kid + 1 < n && before(&v[kid + 1], &v[kid]);
        if (!before(&v[kid], &x)) {
            break;
        }
        v[i] = v[kid];
    }
    if (n > 0) {
        v[i] = x;
    }
    return top;
}

/* ---- writing ---- */

static void late_done(struct win_ring *r)
{
    struct win_late *l = r->late;
    VEC_EACH (&l->gone, g) {
        evt_drop(l->heap, g->slot.e);
    }
    VEC_DONE(&l->gone);
    mem_free(l);
    r->late = NULL;
}

static void write_slot(struct win_late *l, const struct win_slot *s)
{
    save_evt_apart(save_late_to(l->to), s->e);
    save_i(save_late_to(l->to), s->at);
}

/* The next in order. */
static void write_one(struct win_ring *r)
{
    struct win_late *l = r->late;
    assert(l->left > 0);
    l->at = MAX(l->at, r->head);
    while (l->at < r->tail && slot(r, l->at)->e == NULL) {
        l->at++;
    }
    if (l->gone.len > 0 && (l->gone.ptr[0].at <= l->at || l->at >= l->end)) {
        struct gone g = pop(l);
        write_slot(l, &g.slot);
        evt_drop(l->heap, g.slot.e);
    } else {
        assert(l->at < l->end);
        write_slot(l, slot(r, l->at));
        l->at++;
    }
    if (--l->left == 0) {
        save_late_end(l->to);
        late_done(r);
    }
}

static bool step(void *arg, size_t bytes)
{
    struct win_ring *r = arg;
    for (size_t from = save_late_bytes(r->late->to); r->late != NULL;) {
        if (save_late_bytes(r->late->to) - from >= bytes) {
            return false;
        }
        write_one(r);
    }
    return true;
}

static void forget(void *arg)
{
    late_done(arg);
}

void win_late_save(struct win_ring *r, struct vheap *h, struct save *s)
{
    enum { EVENT_BYTES = 64 }; /* from below */
    static const struct save_late_ops ops = {step, forget};
    bool may = r->live > 0 && r->late == NULL && vheap_numbers(h);
    if (!may) {
        win_ring_save(r, s);
        return;
    }
    save_u(s, r->live);
    struct save_late *to = save_later(s, &ops, r, r->live * EVENT_BYTES);
    if (to == NULL) {
        win_ring_save_events(r, s);
        return;
    }
    r->late = MEM_NEW(struct win_late);
    *r->late =
        (struct win_late){.to = to, .heap = h, .at = r->head, .end = r->tail, .left = r->live};
}

/* ---- what changes meanwhile ---- */

void win_late_take(struct win_ring *r)
{
    uint64_t at = r->head;
    while (r->late != NULL && r->late->at <= at && at < r->late->end) {
        write_one(r);
    }
}

void win_late_remove(struct win_ring *r, uint64_t at)
{
    struct win_late *l = r->late;
    if (at < l->at || at >= l->end) {
        return; /* it is written, or was not there */
    }
    (void)evt_keep(slot(r, at)->e);
    push(l, (struct gone){at, l->n_gone++, *slot(r, at)});
}

static int by_place(const void *a, const void *b)
{
    return before(a, b) ? -1 : before(b, a);
}

/* In order they are a heap as well. */
void win_late_renumber(struct win_ring *r)
{
    struct win_late *l = r->late;
    uint64_t to = r->head, at = MAX(l->at, r->head), end = l->end;
    size_t k = 0, n = l->gone.len;
    if (n > 1) {
        qsort(l->gone.ptr, n, sizeof *l->gone.ptr, by_place);
    }
    l->at = at;
    l->end = MAX(end, r->head);
    for (uint64_t i = r->head; i <= r->tail; i++) {
        for (; k < n && l->gone.ptr[k].at <= i; k++) {
            l->gone.ptr[k].at = to;
            l->gone.ptr[k].nth = k;
        }
        l->at = i == at ? to : l->at;
        l->end = i == end ? to : l->end;
        to += i < r->tail && slot(r, i)->e != NULL;
    }
    for (; k < n; k++) { /* they stood behind the end that is now */
        l->gone.ptr[k].at = to;
        l->gone.ptr[k].nth = k;
    }
    l->n_gone = n;
}

void win_late_trim(struct win_ring *r)
{
    r->late->end = MIN(r->late->end, r->tail);
}

void win_late_rest(struct win_ring *r)
{
    while (r->late != NULL) {
        write_one(r);
    }
}
