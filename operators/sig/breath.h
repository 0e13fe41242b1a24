/* SPDX-License-Identifier: Apache-2.0
 *
 * Work of unknown length, in a thread that has other things to do, calls vheap_breathe now and
 * then, where all it needs to go on is its own: `take` is called now and then, and may return late.
 * Nothing that comes out depends on it. (In dat_heap.c.)
 */
#ifndef OPERATORS_SIG_BREATH_H
#define OPERATORS_SIG_BREATH_H

#include "core/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct vheap;

struct vheap_breath {
    uint32_t left; /* calls until then */
    bool over;     /* whoever has the heap wants to be rid of it: loops may end early */
    void (*take)(void *arg);
    void *arg;
};
enum { VHEAP_BREATH = 64 };
struct vheap_breath *vheap_breath(struct vheap *h);
void vheap_take_breath(struct vheap_breath *b);
static inline void vheap_breathe(struct vheap *h)
{
    struct vheap_breath *b = (struct vheap_breath *)(void *)h; /* its first member */
    if (UNLIKELY(b->left-- == 0)) {
        vheap_take_breath(b);
    }
}

#endif
