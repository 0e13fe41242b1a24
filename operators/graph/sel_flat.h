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
    /* Each row is of one group from when it enters to when it leaves, and has the group's keys in
     * these columns. n_keys 0: nobody knows. */
    const uint16_t *key_col;
    uint32_t n_keys;
};

/* Of the events in rows of that stream. */
static inline const struct etype *sel_row_type(const struct sel_stream *s)
{
    return s->flat != NULL ? s->flat->type : s->type;
}
/* Looks through a bound plan: where flat rows will do, its windows hold those. */
void sel_flatten(struct bind *b, struct sel_plan *p);
struct evt *sel_flat_row(struct sel_inst *in, const struct sel_flat *f, struct evt *match);
/* The group of a row: one that enters is told it, and has its text from then on, so that the one
 * that leaves needs not look for it. */
struct group *sel_flat_group(struct sel_inst *in, const struct sel_flat *f, struct ectx *c);
/* The first of these rows leaves now: the groups of the next will be wanted. */
void sel_flat_soon(struct sel_inst *in, struct evt *const *old, size_t n);
/* How the only stream's rows are made, if they know their groups; or NULL. */
static inline const struct sel_flat *sel_flat_keyed(const struct sel_plan *p)
{
    const struct sel_flat *f = p->n_streams == 1 ? p->streams[0].flat : NULL;
    return f != NULL && f->n_keys > 0 ? f : NULL;
}

#endif
