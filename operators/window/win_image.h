/* SPDX-License-Identifier: Apache-2.0
 *
 * A list of events that is saved in slices (sig/save_late.h) although it changes anywhere, or is
 * replaced as a whole: the list itself, 16 bytes for each event, is copied at the cut; an event
 * that leaves before it is written is kept by the copy.
 */
#ifndef OPERATORS_WINDOW_WIN_IMAGE_H
#define OPERATORS_WINDOW_WIN_IMAGE_H

#include "operators/sig/save_late.h"
#include "operators/window/win_hold.h"

struct win_image;

/* Number of events; each with its `at`. *ret is set as long as it is not written. */
void win_image_save(struct win_image **ret, struct vheap *h, struct save *s,
                    const struct win_slot *slots, size_t n);
/* Likewise, each alone. */
void win_image_save_list(struct win_image **ret, struct vheap *h, struct save *s,
                         struct evt *const *list, size_t n);
/* An event leaves, of a list in the order of `at`. */
void win_image_leave(struct win_image *x, const struct evt *e, int64_t at);
void win_image_leave_all(struct win_image *x);
void win_image_rest(struct win_image *x); /* the list ends: all that is left; NULL is fine */

#endif
