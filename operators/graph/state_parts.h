/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving by partition, while statements go on (state_parts.c). Whoever is about to change what an
 * instance holds, or to end it, says so by inst_touch.
 */
#ifndef OPERATORS_GRAPH_STATE_PARTS_H
#define OPERATORS_GRAPH_STATE_PARTS_H

#include "operators/graph/eng_impl.h"

/* The partitions of a statement's context, or the parts of a context, in order of opening. */
void state_save_parts(struct stmt *st, struct save *s);
void state_save_first(struct inst *in);
void state_save_rest(struct stmt *st); /* its instances go; nothing under way: nothing */

static inline void inst_touch(struct inst *in)
{
    if (UNLIKELY(in->eng->lates > 0)) {
        state_save_first(in);
    }
}

#endif
