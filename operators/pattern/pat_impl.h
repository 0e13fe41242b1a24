/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of patterns only. A plan is a tree of pat_node; running, each node has any
 * number of instances (pat_inst), each begun with a match and reporting to its parent:
 *
 *   pat_true(i, m, quit)   m is a match; quit: this instance will never report again
 *   pat_false(i, again)    it can never turn true any more; again: it may be begun anew
 *
 * Whoever gets `quit` or false gives the instance back by pat_quit. Memory of instances that quit
 * stays valid until the outermost call (an event, a timer, a start) returns: then it goes back to
 * the free list of its node. Matches are borrowed; what outlives the call is kept (evt_keep).
 */
#ifndef OPERATORS_PATTERN_PAT_IMPL_H
#define OPERATORS_PATTERN_PAT_IMPL_H

#include "operators/pattern/pat_tree.h"

enum {
    PAT_LIVE_MAX = 1 << 23, /* instances of one pattern: every in every doubles without end */
    PAT_NESTING_MAX = 1000, /* starts within starts: timers of no length under until */
    PAT_NODES_MAX = 1 << 12,
    PAT_TAGS_MAX = 1 << 10,
    PAT_ORDER_STEP = 64, /* between the ranks of leaves: streams of a statement lie below */
    PAT_ORDER_MAX = 1023,
    PAT_TIMER_RANK =
        0x1000, /* timers due at once: windows, then nodes as they stand, outer first */
};

/* ---- pat.c: run time ---- */
void pat_enter(struct pat *p);
void pat_leave(struct pat *p);
static inline struct pat_inst *pat_of_ring(struct pat_ring *r)
{
    return CONTAINER_OF(r, struct pat_inst, ring);
}
struct pat_inst *pat_new_inst(struct pat *p, const struct pat_node *n); /* without a place */
void pat_link(struct pat_inst *i, struct pat_inst *parent);             /* its last kid */
void pat_enlist(struct pat_inst *i);                                    /* as the newest */
/* A new kid of the node's kid `slot`; not yet begun. */
struct pat_inst *pat_spawn(struct pat_inst *parent, uint32_t slot);
void pat_begin(struct pat_inst *i, struct evt *begin);
struct pat_inst *pat_root(struct pat *p); /* a new root, not yet begun */
void pat_begun_with(struct pat_inst *i, struct evt *begin);
void pat_true(struct pat_inst *i, struct evt *m, bool quit);
void pat_false(struct pat_inst *i, bool again);
void pat_quit(struct pat_inst *i); /* and all below; fine if it has already */
void pat_quit_kids(struct pat_inst *i);
/* For every: begins a kid so that a match at its very start ends it again. */
void pat_probe(struct pat_inst *parent, struct evt *begin, struct pat_inst **ret);
/* A copy of m (which may be NULL) with column `col` set. */
struct evt *pat_extend(struct pat *p, struct evt *m, int col, struct dat v);
/* a with the columns that b has. */
struct evt *pat_merge(struct pat *p, struct evt *a, struct evt *b);
struct ectx pat_ctx(struct pat *p, struct evt **row);
/* Partial matches: there are n more, or fewer; whether one more is too many (and is refused). */
void pat_hold(struct pat *p, size_t n, uint64_t cost);
void pat_release(struct pat *p, size_t n, uint64_t cost);
bool pat_refuse(struct pat *p);
static inline uint64_t pat_cost(struct dat held) /* collected, not waiting */
{
    return LIM_COST_PLACE + lim_cost_of(held);
}
bool pat_used(const struct evt *m); /* an event in it has its mark set */
void pat_timer(struct pat_inst *i, struct tmr *t, int64_t due, void (*fire)(struct tmr *, int64_t));
/* now plus a period; INT64_MAX if it is null. */
int64_t pat_due(struct pat_inst *i, const struct ex *period);

/* ---- pat_state.c ---- */
/* Before an instance reports, changes or goes: it and those above it; pat_fired: by its timer. */
void pat_save_first(struct pat_inst *i);
static inline void pat_touch(struct pat_inst *i)
{
    if (UNLIKELY(i->pat->late.to != NULL)) {
        pat_save_first(i);
    }
}
void pat_save_gone(struct pat_inst *i); /* likewise; it goes */
void pat_fired(struct pat_inst *i, const struct tmr *t);
void pat_save_rest(struct pat *p);
void pat_reader_free(struct pat *p);
void pat_save_timer(const struct pat_inst *i, struct save *s, const struct tmr *t);
struct pat_inst *pat_kid(const struct pat_inst *i, uint32_t slot); /* the first; NULL */
void pat_save_match(struct pat *p, struct save *s, struct evt *m); /* NULL is fine */
struct evt *pat_load_match(struct pat *p, struct load *l);         /* NULL: none */
bool pat_fits(const struct pat *p, int col, struct dat v);         /* as a value of that tag */

#define PAT(name, text, locality, doc) extern const struct pat_def pat_def_##name;
#include "operators/pattern/pat.def"
#undef PAT

#endif
