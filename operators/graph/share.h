/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows that statements share (window/win_store.h): who may share with whom. Two streams may if
 * the same events reach both (one type, equal conditions that ask the event alone), their windows
 * are equal and keep columns, not events, and both hold nothing when the later one begins: what
 * each holds is then the end of one sequence. A statement that begins later has its own.
 */
#ifndef OPERATORS_GRAPH_SHARE_H
#define OPERATORS_GRAPH_SHARE_H

#include "operators/graph/eng.h"

struct load;
struct sel_src;
struct stmt;
struct win_store;

struct share {     /* a window that may be shared */
    uint64_t asks; /* hash of what its filter asks */
    struct sel_src *src;
};

/* Its views were made: it sits down with the first who is its like, and others may do with it. */
void share_begin(struct sel_src *s);
void share_end(struct sel_src *s); /* before its views go */

/* ---- state: stores are nodes of their own ---- */
void share_settle(struct eng *e); /* before anything is saved */
/* The store that is saved with the statement, as the first who sits there; or NULL. */
struct win_store *share_saved_with(const struct stmt *st);
/* number: of the statement that it was saved with; 0: any. */
bool share_is_awaited(const struct eng *e, uint64_t number);
/* All who wait for that store sit down in it; there is one. */
void share_load(struct eng *e, uint64_t number, struct load *l);

/* ---- for tools ---- */
/* Statements, by their place in order of deployment, that share a window with that one, itself
 * among them, the first `max` of them; how many there are: 0 if it shares none. */
size_t eng_shares(const struct eng *e, size_t statement, size_t *ret, size_t max);

#endif
