/* SPDX-License-Identifier: Apache-2.0
 *
 * Events in the order of criteria, for #sort and #rank: an array of entries, each with the values
 * it was ordered by. Among equals the newer one stands before the older. Entries that left are used
 * again.
 */
#ifndef OPERATORS_WINDOW_WIN_SORTED_H
#define OPERATORS_WINDOW_WIN_SORTED_H

#include "operators/window/win.h"

struct win_criteria {
    struct ex **by;
    bool *desc;
    uint32_t n;
};

struct win_entry {
    struct evt *e;         /* kept */
    struct win_node *node; /* of #rank */
    struct win_entry *next_free;
    struct dat by[]; /* kept */
};

struct win_sorted { /* zeroed is empty */
    struct win_entry **all;
    size_t len, cap;
    struct win_entry *free;
};

struct win_entry *win_sorted_add(struct win_sorted *s, const struct win_criteria *c,
                                 struct view_env *env, struct evt *e);
/* Behind all others; NULL if it does not belong there. */
struct win_entry *win_sorted_append(struct win_sorted *s, const struct win_criteria *c,
                                    struct evt *e, const struct dat *by);
/* Takes out the entry at a place, which gives back its references. */
struct evt *win_sorted_take(struct win_sorted *s, const struct win_criteria *c,
                            struct view_env *env, size_t at);
/* Place of an entry; place of an event (s->len if it is not there). */
size_t win_sorted_place(const struct win_sorted *s, const struct win_criteria *c,
                        const struct win_entry *entry);
size_t win_sorted_find(const struct win_sorted *s, const struct win_criteria *c,
                       struct view_env *env, struct evt *e);
void win_sorted_done(struct win_sorted *s, const struct win_criteria *c, struct vheap *h);

#endif
