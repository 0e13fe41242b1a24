/* SPDX-License-Identifier: Apache-2.0
 *
 * State of what views are made of, for their save and load functions. Containers write how many
 * they hold and then each, in their order; scratch, gaps, indexes and free lists are no state.
 *
 * Sizes and spans are state, too: they were evaluated when the view was made, and variables may
 * have other values now.
 *
 * What is read is put in its place at once, so that a view can be freed however far it came.
 */
#ifndef OPERATORS_WINDOW_WIN_STATE_H
#define OPERATORS_WINDOW_WIN_STATE_H

#include "operators/window/win.h"
#include "operators/window/win_sorted.h"
#include "operators/window/win_stat.h"

/* Events of that type or below it. */
void win_ring_save(const struct win_ring *r, struct save *s);
void win_ring_save_events(const struct win_ring *r, struct save *s); /* without their number */
void win_ring_load(struct win_ring *r, struct load *l, const struct etype *type);

/* The ring; for windows that are nothing else, as save and load. */
void win_held_save(struct view *v, struct save *s);
void win_held_load(struct view *v, struct load *l);

/* What is being gathered, and the batch put out last. */
void win_batch_save(struct win_batch *b, struct save *s);
void win_batch_load(struct win_batch *b, struct load *l);

void win_size_save(size_t size, struct save *s);
size_t win_size_load(struct load *l); /* at least 1 */
void win_span_save(struct win_span span, struct save *s);
struct win_span win_span_load(struct load *l);

/* Keys of a map; events by key (win_node.what: kept). */
void win_key_save(const struct win_map *m, const struct win_node *node, struct save *s);
/* A new node; NULL if the load failed, also because the key is there already. */
struct win_node *win_key_load(struct win_map *m, struct load *l);
void win_map_save_event(struct save *s, struct evt *e, const struct dat *key, uint32_t n_keys);
void win_map_save_events(const struct win_map *m, struct save *s); /* without their number */
void win_map_load_events(struct win_map *m, struct load *l, const struct etype *type);

/* An entry with the values it was ordered by; they come back in the same order. */
void win_entry_save(const struct win_entry *x, const struct win_criteria *c, struct save *s);
struct win_entry *win_entry_load(struct win_sorted *sorted, const struct win_criteria *c,
                                 struct load *l, const struct etype *type); /* NULL: failed */

void win_sums_save(const struct win_sums *sums, struct save *s);
void win_sums_load(struct win_sums *sums, struct load *l);

#endif
