/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits at work (sig/lim.h): what statements let in when the engine is full, whom it is reported
 * to, which statements end.
 */
#ifndef OPERATORS_GRAPH_LIMIT_H
#define OPERATORS_GRAPH_LIMIT_H

#include "operators/graph/eng_impl.h"
#include "operators/table/table.h"

void eng_limit_init(struct eng *e, const struct lim_conf *conf);
/* The policy for what a statement holds: what others build on is never ended. */
enum lim_policy eng_limit_policy(const struct eng *e, enum lim_kind k, const struct stmt *st);
enum { LIM_ROOM = 4096 }; /* a row takes hardly more: whoever is nearer to the limit is weighed */
/* view_update within the limits on rows and bytes: the view's oldest rows make room, or the newest
 * of nw stay outside. */
void eng_limit_update(struct inst *in, struct view *v, struct evt **nw, size_t n_nw,
                      struct evt **old, size_t n_old);
static inline void eng_view_update(struct inst *in, struct view *v, struct evt **nw, size_t n_nw,
                                   struct evt **old, size_t n_old)
{
    const struct lim *l = &in->eng->lim;
    bool full = l->used[LIM_ROWS] + n_nw > l->max[LIM_ROWS] || l->bytes ||
                l->used[LIM_STATE] + n_nw * LIM_ROOM > l->max[LIM_STATE];
    if (UNLIKELY(full)) {
        eng_limit_update(in, v, nw, n_nw, old, n_old);
    } else {
        view_update(v, nw, n_nw, old, n_old);
    }
}
/* Whether the table takes that row; one with a key that is there already is not the limit's. */
bool eng_limit_row(struct inst *from, struct trows *r, const struct table *t, struct evt *row);
/* How many of n rows the statement may put out now. */
size_t eng_limit_output(struct stmt *st, size_t n);
/* Queued events that are not processed any more: too many, for one event. */
void eng_limit_cascade(struct eng *e, struct queue *q);
void eng_limit_worked(struct eng *e, size_t n); /* they were not too many */
/* Ends the statements that a policy has stopped; when nothing is under way. */
void eng_limit_stops(struct eng *e);
/* Limits as a part of the engine's own chunk. What is loaded into `ret` counts when all that is
 * counted is there: lim_resume. */
void eng_limit_save(struct eng *e, struct save *s);
void eng_limit_load(struct eng *e, struct load *l, struct lim *ret);

#endif
