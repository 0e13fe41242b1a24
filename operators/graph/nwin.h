/* SPDX-License-Identifier: Apache-2.0
 *
 * Named windows: a data window that statements insert into and others look at. What enters and
 * leaves is told to the consumers after the statement that caused it has finished.
 */
#ifndef OPERATORS_GRAPH_NWIN_H
#define OPERATORS_GRAPH_NWIN_H

#include "operators/graph/stmt.h"

struct nwin;

bool nwin_batches(const struct nwin *w); /* whether it puts out whole batches */
/* An event of the window's type enters (from: the partition it comes from, or NULL). */
void nwin_insert(struct nwin *w, struct evt *e, struct inst *from);
/* Rows as they are, oldest first; fn may change nothing. */
void nwin_each(struct nwin *w, const struct evt *props, void (*fn)(void *arg, struct evt *e),
               void *arg);
/* Rows as consumers know them: what has changed since they were told does not count. */
void nwin_each_told(struct nwin *w, const struct evt *props, void (*fn)(void *arg, struct evt *e),
                    void *arg);
/* Rows of all partitions. */
void nwin_each_all(struct nwin *w, void (*fn)(void *arg, struct evt *e), void *arg);
/* on-delete, on-update: rows leave, copies take their place. */
void nwin_change(struct nwin *w, const struct evt *props, struct evt **nw, size_t n_nw,
                 struct evt **old, size_t n_old);
/* Deltas, filtered (stream 0 is the row), to a consumer. `first`: before statements of the event
 * (subqueries). */
void nwin_consume(struct nwin *w, struct inst *in, const struct ex *filter,
                  void (*fn)(void *arg, struct evt **nw, size_t n_nw, struct evt **old,
                             size_t n_old),
                  void *arg);
void nwin_forget(struct inst *in, const void *arg);
/* Whether nwin_each gives a consumer all it was told of and did not see leave. */
bool nwin_serves(const struct nwin *w, const struct stmt *st);
const struct etype *nwin_type(const struct nwin *w);
const struct view_plan *nwin_views(const struct nwin *w);
/* Tells what has changed to the consumers. */
void nwin_dispatch(struct eng *e);

#endif
