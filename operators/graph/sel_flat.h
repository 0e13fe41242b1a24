/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows that stand for the matches of a pattern, with nothing but the values that a select reads.
 */
#ifndef OPERATORS_GRAPH_SEL_FLAT_H
#define OPERATORS_GRAPH_SEL_FLAT_H

#include "operators/graph/sel.h"

struct sel_flat { /* of a stream's plan */
    const struct etype *type;
    struct ex **of; /* its columns, as they are had of a match */
};

/* Of the events in rows of that stream. */
static inline const struct etype *sel_row_type(const struct sel_stream *s)
{
    return s->flat != NULL ? s->flat->type : s->type;
}
/* Looks through a bound plan: where flat rows will do, its windows hold those. */
void sel_flatten(struct bind *b, struct sel_plan *p);
struct evt *sel_flat_row(struct sel_inst *in, const struct sel_flat *f, struct evt *match);

#endif
