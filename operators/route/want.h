/* SPDX-License-Identifier: Apache-2.0
 *
 * What the leaves of an index may take, as far as an event and constants tell: less may be taken,
 * more never. So somebody who knows the wants of many engines can say which of them an event
 * concerns at all, without asking each.
 *
 * A filter becomes a want when its first leaf is added, and stays one: there are the more of them
 * the longer an index lives, and whoever looked at them looks again when there are more
 * (route_filters). What depends on a match, a context or a variable is left out of a want.
 *
 * A want borrows its texts from the engine whose filter it is; route_want_copy makes it one of an
 * arena's. It never changes, so threads may share it.
 */
#ifndef OPERATORS_ROUTE_WANT_H
#define OPERATORS_ROUTE_WANT_H

#include "operators/route/route.h"

struct route_want {
    struct slice type; /* events of it, and of those that inherit it */
    uint32_t n_keys;   /* 0, and not ranged: all of them */
    uint8_t null_ok;   /* bit i: key i was compared by `is` */
    bool ranged;
    struct slice col[ROUTE_KEYS_MAX]; /* names of columns */
    struct dat key[ROUTE_KEYS_MAX];   /* a text is in `text` instead */
    struct slice text[ROUTE_KEYS_MAX];
    struct slice range_col; /* besides keys, too: its value lies between these */
    double low, high;
};

/* Filters that ever had a leaf. */
size_t route_filters(const struct route *r, const struct route_filter *const **ret);
/* False: no event is ever taken by it. */
bool route_want_of(const struct route_filter *f, struct vheap *heap, struct route_want *ret);
struct route_want route_want_copy(struct arena *a, const struct route_want *w);

/* The other side: an index of wants over types of another engine that have columns of these names.
 * The filter is filled in here and must outlive the leaf, whose `arg` says whose want it is. False:
 * the type has other columns than the want speaks of. */
bool route_want_add(struct route *r, const struct etype *type, const struct route_want *w,
                    struct route_filter *to, void *arg, struct route_leaf **ret);
/* Leaves that take the event, in no order; of those with keys and a range, by the keys: */
void route_probe(struct route *r, struct evt *e, struct route_hits *hits);
/* ... and by the range. */
bool route_want_spans(const struct route_leaf *l, const struct evt *e);

#endif
