/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of the state of each statement when a document takes the place of another: it is
 * kept if the statement is the same (graph/ident.h) and runs in tasks that are cut alike.
 */
#ifndef OPERATORS_SHARD_LAYOUT_DIFF_H
#define OPERATORS_SHARD_LAYOUT_DIFF_H

#include "operators/shard/layout.h"

enum layout_fate { LAYOUT_KEPT, LAYOUT_BEGUN, LAYOUT_DROPPED };

struct layout_change {
    struct slice level, statement; /* its name, else "#n", its number in the level */
    enum layout_fate fate;
};

/* Those of `after` in their order, then those of `before` that are gone. Both documents have been
 * checked; everything lies in the arena. */
int layout_diff(struct arena *a, struct slice before, struct slice after,
                const struct layout_conf *conf, struct layout_change **ret, uint32_t *ret_n,
                struct err *reterr) NODISCARD;

#endif
