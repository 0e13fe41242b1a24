/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory of a heap that is no object, for what its owners keep by row: it lies as objects do, by
 * free lists and in blocks that are huge where they are many, so that a large state that is loaded
 * takes few page faults and no malloc for each row. It goes at once when it is given back, with the
 * size it was taken with; more than 1 KiB is from malloc.
 */
#ifndef OPERATORS_SIG_VHEAP_ROOM_H
#define OPERATORS_SIG_VHEAP_ROOM_H

#include <stddef.h>

struct vheap;

void *vheap_take(struct vheap *h, size_t bytes); /* uninitialized */
void vheap_give(struct vheap *h, void *p, size_t bytes);

#endif
