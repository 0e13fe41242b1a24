/* SPDX-License-Identifier: Apache-2.0
 *
 * A statement whose sums can be made in parts, written as two: one that makes them where the
 * signals lie, pane by pane of time, and one that adds them up where a pane ends. Both are texts of
 * the language; what goes between them is an event type like others.
 *
 *     select service, avg(x) as a from LogRecord(c) group by service output snapshot every T
 *
 *     @Panes insert into Parts_1 select service as kaiju_g0, sum(x) as kaiju_p0, count(x) as
 *     kaiju_p1, ... from LogRecord(c) group by service output last every T
 *     @Partition('kaiju_g0') select kaiju_g0 as service, cast(sum(kaiju_p0), double) /
 *     sum(kaiju_p1) as a from Parts_1 group by kaiju_g0 output snapshot every T
 *
 * Which statements can: keys_why_whole (graph/keys_stmt.c) for the statement, and here what is
 * around it. Rows are the same, with their times and causes: whole numbers add up in any order, the
 * parts of a pane stand right before its end, and the samples of causes are united.
 */
#ifndef OPERATORS_SHARD_LAYOUT_SPLIT_H
#define OPERATORS_SHARD_LAYOUT_SPLIT_H

#include "operators/doc/doc.h"
#include "operators/graph/eng.h"

struct layout_sum {
    struct slice type;        /* of parts */
    struct slice of;          /* the signals */
    struct slice schema;      /* declares the type */
    struct slice parts;       /* makes them */
    struct slice whole;       /* adds them up */
    struct slice grid;        /* the statement as it runs in one task: ticks are on the same grid */
    const struct slice *keys; /* columns of a part; none: there is one group */
    const bool *as_double;
    uint32_t n_keys;
};

/* The statement must be one for which nothing is against it (keys_why_whole), and a unit of its
 * own. NULL: *ret_why says why not. types: an engine with the prelude of the level, where
 * statements are tried. All in the arena. */
const struct layout_sum *layout_sum_of(struct arena *a, const struct doc *d, uint32_t level,
                                       const struct doc_stmt *s, struct eng *types,
                                       struct slice *ret_why);

#endif
