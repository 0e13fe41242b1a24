/* SPDX-License-Identifier: Apache-2.0
 *
 * A ring of events that is saved in slices (sig/save_late.h): its events are written in their order
 * while it is in use. One that leaves is kept beside until it is its turn, so that no removal costs
 * more than itself, however many leave at once. Events
 * have their numbers since the end of the step in which they entered, so when they are written does
 * not matter.
 *
 * The ring calls win_late_* before it changes; only while one is under way (ring.late). So does a
 * map of events by key, and who has another event stand in a node of it.
 */
#ifndef OPERATORS_WINDOW_WIN_LATE_H
#define OPERATORS_WINDOW_WIN_LATE_H

#include "operators/sig/save_late.h"
#include "operators/window/win_hold.h"

/* As win_ring_save, now or in slices. */
void win_late_save(struct win_ring *r, struct vheap *h, struct save *s);
void win_late_remove(struct win_ring *r, uint64_t at); /* that of a slot is about to go */
void win_late_trim(struct win_ring *r);                /* slots at its end will be used again */
void win_late_renumber(struct win_ring *r);            /* gaps are about to be closed */
void win_late_rest(struct win_ring *r);                /* the ring ends: all that is left */

/* Number of events; as win_map_save_events, now or in slices. */
void win_late_save_map(struct win_map *m, struct vheap *h, struct save *s);
/* What stands in it is about to go, or (goes) the node itself. */
void win_late_node(struct win_map *m, struct win_node *n, bool goes);
void win_late_map_rest(struct win_map *m);

#endif
