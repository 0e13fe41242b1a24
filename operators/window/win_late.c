/* SPDX-License-Identifier: Apache-2.0
 *
 * See win_late.h. Those that have left are in a heap by place: the slot they had, or, if gaps were
 * closed since, the slot of what follows them.
 */
#include "operators/window/win_late.h"

#include "operators/window/win_gone.h"
#include "operators/window/win_state.h"

#include <assert.h>
#include <stdlib.h>

struct win_late {
    struct save_late *to;
    struct vheap *heap;
    uint64_t at, end; /* slots: the next one; behind the last one that was there at the cut */
    size_t left;
    struct win_gones gone;
};

static struct win_slot *slot(const struct win_ring *r, uint64_t i)
{
    return win_ring_slot(r, i);
}

/* ---- writing ---- */

static void late_done(struct win_ring *r)
{
    struct win_late *l = r->late;
    win_gones_done(&l->gone, l->heap, 0);
    mem_free(l);
    r->late = NULL;
}

static void write_slot(struct win_late *l, struct evt *e, int64_t at)
{
    save_evt_apart(save_late_to(l->to), e);
    save_i(save_late_to(l->to), at);
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
    if (l->gone.v.len > 0 && (l->gone.v.ptr[0].place <= l->at || l->at >= l->end)) {
        struct win_gone g = win_gone_pop(&l->gone);
        write_slot(l, g.e, g.at);
        win_gone_let_go(l->heap, &g, 0);
    } else {
        assert(l->at < l->end);
        write_slot(l, slot(r, l->at)->e, slot(r, l->at)->at);
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

void win_late_remove(struct win_ring *r, uint64_t at)
{
    struct win_late *l = r->late;
    if (at < l->at || at >= l->end) {
        return; /* it is written, or was not there */
    }
    const struct win_slot *s = slot(r, at);
    win_gone_push(&l->gone, (struct win_gone){.place = at, .e = evt_keep(s->e), .at = s->at});
}

static int by_place(const void *a, const void *b)
{
    return win_gone_before(a, b) ? -1 : win_gone_before(b, a);
}

/* In order they are a heap as well. */
void win_late_renumber(struct win_ring *r)
{
    struct win_late *l = r->late;
    uint64_t to = r->head, at = MAX(l->at, r->head), end = l->end;
    struct win_gone *gone = l->gone.v.ptr;
    size_t k = 0, n = l->gone.v.len;
    if (n > 1) {
        qsort(gone, n, sizeof *gone, by_place);
    }
    l->at = at;
    l->end = MAX(end, r->head);
    for (uint64_t i = r->head; i <= r->tail; i++) {
        for (; k < n && gone[k].place <= i; k++) {
            gone[k].place = to;
            gone[k].nth = k;
        }
        l->at = i == at ? to : l->at;
        l->end = i == end ? to : l->end;
        to += i < r->tail && slot(r, i)->e != NULL;
    }
    for (; k < n; k++) { /* they stood behind the end that is now */
        gone[k].place = to;
        gone[k].nth = k;
    }
    l->gone.n = n;
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
