/* SPDX-License-Identifier: Apache-2.0
 *
 * See win_image.h.
 */
#include "operators/window/win_image.h"

#include "core/base/mem.h"

#include <assert.h>

struct win_image {
    struct save_late *to;
    struct vheap *heap;
    struct win_image **from; /* where its owner knows it */
    struct win_slot *slots;
    bool *kept; /* by us: it has left */
    bool bare;  /* without `at` */
    size_t next, len, hint;
};

static void image_done(struct win_image *x)
{
    for (size_t i = x->next; i < x->len; i++) {
        if (x->kept[i]) {
            evt_drop(x->heap, x->slots[i].e);
        }
    }
    *x->from = NULL;
    mem_free(x->slots);
    mem_free(x->kept);
    mem_free(x);
}

static void write_slot(struct save *s, const struct win_slot *of, bool bare)
{
    save_evt_apart(s, of->e);
    if (!bare) {
        save_i(s, of->at);
    }
}

/* True: that was the last. */
static bool write_one(struct win_image *x)
{
    size_t i = x->next++;
    write_slot(save_late_to(x->to), &x->slots[i], x->bare);
    if (x->kept[i]) {
        evt_drop(x->heap, x->slots[i].e);
    }
    if (x->next < x->len) {
        return false;
    }
    save_late_end(x->to);
    image_done(x);
    return true;
}

static bool step(void *arg, size_t bytes)
{
    struct win_image *x = arg;
    const struct save_late *to = x->to;
    for (size_t from = save_late_bytes(to); save_late_bytes(to) - from < bytes;) {
        if (write_one(x)) {
            return true;
        }
    }
    return false;
}

static void forget(void *arg)
{
    image_done(arg);
}

static struct win_image *later(struct win_image **ret, struct vheap *h, struct save *s, size_t n)
{
    enum { EVENT_BYTES = 64 }; /* from below */
    static const struct save_late_ops ops = {step, forget};
    if (n == 0 || *ret != NULL || !vheap_numbers(h)) {
        return NULL;
    }
    struct win_image *x = MEM_NEW(struct win_image);
    x->to = save_later(s, &ops, x, n * EVENT_BYTES);
    if (x->to == NULL) {
        mem_free(x);
        return NULL;
    }
    x->heap = h;
    x->from = ret;
    x->len = n;
    x->slots = mem_alloc(n * sizeof *x->slots);
    x->kept = mem_calloc(n, sizeof *x->kept);
    *ret = x;
    return x;
}

void win_image_save(struct win_image **ret, struct vheap *h, struct save *s,
                    const struct win_slot *slots, size_t n)
{
    save_u(s, n);
    struct win_image *x = later(ret, h, s, n);
    if (x != NULL) {
        memcpy(x->slots, slots, n * sizeof *slots);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        write_slot(s, &slots[i], false);
    }
}

void win_image_save_list(struct win_image **ret, struct vheap *h, struct save *s,
                         struct evt *const *list, size_t n)
{
    save_u(s, n);
    struct win_image *x = later(ret, h, s, n);
    for (size_t i = 0; i < n; i++) {
        const struct win_slot slot = {list[i], 0};
        if (x != NULL) {
            x->slots[i] = slot;
        } else {
            write_slot(s, &slot, true);
        }
    }
    if (x != NULL) {
        x->bare = true;
    }
}

static void keep(struct win_image *x, size_t i)
{
    x->kept[i] = true;
    (void)evt_keep(x->slots[i].e);
}

/* The first of those of that `at` and behind. */
static size_t first_of(const struct win_image *x, int64_t at)
{
    size_t low = x->next, high = x->len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (x->slots[mid].at < at) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static bool keep_among(struct win_image *x, size_t from, size_t end, const struct evt *e,
                       int64_t at)
{
    for (size_t i = from; i < end && x->slots[i].at == at; i++) {
        if (x->slots[i].e == e && !x->kept[i]) {
            keep(x, i);
            x->hint = i + 1;
            return true;
        }
    }
    return false;
}

/* Mostly it is the one behind the last one: that is looked at first. */
void win_image_leave(struct win_image *x, const struct evt *e, int64_t at)
{
    size_t first = first_of(x, at), hint = MAX(x->hint, first);
    if (!keep_among(x, hint, x->len, e, at)) {
        (void)keep_among(x, first, hint, e, at);
    }
}

void win_image_leave_all(struct win_image *x)
{
    for (size_t i = x->next; i < x->len; i++) {
        if (!x->kept[i]) {
            keep(x, i);
        }
    }
}

void win_image_rest(struct win_image *x)
{
    while (x != NULL && !write_one(x)) {
    }
}
