/* SPDX-License-Identifier: Apache-2.0
 *
 * See bus_timers.h.
 */
#include "core/bus/bus_timers.h"

#include <assert.h>

static bool before(const struct bus_timer *a, const struct bus_timer *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void swap(struct bus_timers *t, size_t a, size_t b)
{
    struct bus_timer x = t->heap.ptr[a];
    t->heap.ptr[a] = t->heap.ptr[b];
    t->heap.ptr[b] = x;
}

static void sift_up(struct bus_timers *t, size_t i)
{
    while (i > 0 && before(&t->heap.ptr[i], &t->heap.ptr[(i - 1) / 2])) {
        swap(t, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static void sift_down(struct bus_timers *t, size_t i)
{
    for (;;) {
        size_t least = i, left = 2 * i + 1;
        for (size_t child = left; child < t->heap.len && child <= left + 1; child++) {
            if (before(&t->heap.ptr[child], &t->heap.ptr[least])) {
                least = child;
            }
        }
        if (least == i) {
            return;
        }
        swap(t, i, least);
        i = least;
    }
}

static void remove_at(struct bus_timers *t, size_t i)
{
    assert(i < t->heap.len);
    swap(t, i, t->heap.len - 1);
    t->heap.len--;
    if (i < t->heap.len) {
        sift_up(t, i);
        sift_down(t, i);
    }
}

void bus_timers_done(struct bus_timers *t)
{
    VEC_DONE(&t->heap);
}

void bus_timers_set(struct bus_timers *t, int64_t at_ns, uint64_t tag)
{
    *VEC_PUSH(&t->heap) = (struct bus_timer){at_ns, t->next_order++, tag};
    sift_up(t, t->heap.len - 1);
}

void bus_timers_cancel(struct bus_timers *t, uint64_t tag)
{
    for (size_t i = t->heap.len; i > 0; i--) {
        /* A removal may move an unseen timer below i: look at the place again. */
        while (i <= t->heap.len && t->heap.ptr[i - 1].tag == tag) {
            remove_at(t, i - 1);
        }
    }
}

int64_t bus_timers_next(const struct bus_timers *t)
{
    return t->heap.len > 0 ? t->heap.ptr[0].at_ns : INT64_MAX;
}

bool bus_timers_take(struct bus_timers *t, int64_t now_ns, uint64_t *ret_tag)
{
    assert(ret_tag != NULL);
    if (bus_timers_next(t) > now_ns) {
        return false;
    }
    *ret_tag = t->heap.ptr[0].tag;
    remove_at(t, 0);
    return true;
}
