/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows that a join makes out of one change: a flat list of `width` events each, and, where
 * several events of the change could make the same row, a set of those that are there. The set is
 * asked for membership only, so its order of addresses never shows.
 */
#ifndef OPERATORS_GRAPH_JOIN_ROWS_H
#define OPERATORS_GRAPH_JOIN_ROWS_H

#include "operators/graph/queue.h"

struct join_rows {
    struct evts list;
    size_t width;
    uint64_t max;    /* rows */
    uint64_t passed; /* rows that were made and not added; they count */
    bool once;       /* equal rows are made once */
    bool cut;        /* there would have been more than max */
    uint32_t *slot;
    size_t n_slots, used; /* used: those rows are in the set */
};

void join_rows_begin(struct join_rows *r, bool once);
void join_rows_add(struct join_rows *r, struct evt *const *row);
void join_rows_pass(struct join_rows *r);
static inline size_t join_rows_count(const struct join_rows *r)
{
    return r->list.len / r->width;
}
static inline uint64_t join_rows_made(const struct join_rows *r)
{
    return join_rows_count(r) + r->passed;
}
void join_rows_done(struct join_rows *r);

#endif
