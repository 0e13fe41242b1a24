/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the aggregations only: the structures several of them keep.
 *
 * agg_tree: values in order, each with how often it is there, or (not multi) events by key and
 * arrival. A treap over an array: O(log n) to add, remove, find the k-th. agg_uniq: a hash of
 * values with counts, for distinct. agg_ring: events in order of arrival.
 */
#ifndef OPERATORS_AGG_AGG_IMPL_H
#define OPERATORS_AGG_AGG_IMPL_H

#include "core/base/hidx.h"
#include "operators/agg/agg.h"
#include "operators/sig/lim.h"

#define AGG(name, locality, doc) extern const struct agg_def agg_##name;
#include "operators/agg/agg.def"
#undef AGG

enum { AGG_ARGS_MAX = 8, AGG_STREAMS_MAX = 64 };

/* What a value that is kept costs of LIM_STATE. Events of a ring are counted with their window. */
static inline uint64_t agg_cost(struct dat kept)
{
    return 2 * LIM_COST_PLACE + (dat_is_obj(kept) ? lim_cost_of(kept) : 0);
}

struct agg_count_state {
    int64_t n;
};

struct agg_sum_state { /* and of a mean */
    uint64_t n;
    union {
        uint64_t i; /* wraps */
        double d;
        struct dat big; /* kept */
    };
};

/* How rows enter and leave each call of a layout. */
void agg_steps(struct arena *a, struct agg_layout *l);

struct agg_node {
    struct dat key;
    struct evt *ev;
    uint64_t n; /* multi: how often; else order of arrival */
    uint32_t left, right, prio, size;
};

struct agg_tree {           /* zeroed is empty */
    struct agg_node *nodes; /* 0 stands for none */
    uint32_t cap, used, root, free;
    uint64_t seq;
    int (*cmp)(struct dat a, struct dat b, const bool *desc); /* NULL: dat_cmp */
    const bool *desc;
};

/* Keeps both. */
void agg_tree_add(struct agg_tree *t, struct vheap *h, struct dat key, struct evt *ev, bool multi);
bool agg_tree_remove(struct agg_tree *t, struct vheap *h, struct dat key, struct evt *ev,
                     bool multi);
static inline uint32_t agg_tree_count(const struct agg_tree *t)
{
    return t->root == 0 ? 0 : t->nodes[t->root].size;
}
const struct agg_node *agg_tree_at(const struct agg_tree *t, uint32_t k, bool multi);
const struct agg_node *agg_tree_end(const struct agg_tree *t, bool last); /* NULL if empty */
/* How many have a key below (or not above) this. */
uint32_t agg_tree_rank(const struct agg_tree *t, struct dat key, bool or_equal, bool multi);
void agg_tree_each(const struct agg_tree *t, void (*fn)(void *arg, const struct agg_node *n),
                   void *arg);
void agg_tree_done(struct agg_tree *t, struct vheap *h);
void agg_tree_save(const struct agg_tree *t, struct save *s, bool multi);
/* Into an empty tree. Keys are of that type (a list of `parts` values if that is more than 1),
 * events of type `ev` (multi: NULL). */
void agg_tree_load(struct agg_tree *t, struct load *l, bool multi, struct ty key, uint32_t parts,
                   const struct etype *ev);

struct agg_uniq_cell {
    struct dat key;
    uint64_t n;
};
struct agg_uniq {                /* zeroed is empty */
    struct agg_uniq_cell *cells; /* len of them, in an order that the calls alone decide */
    struct hidx index;           /* the cell + 1 */
    uint32_t cap, len;
};
/* True if it was not there; keeps it. */
bool agg_uniq_add(struct agg_uniq *u, struct vheap *h, struct dat key);
bool agg_uniq_remove(struct agg_uniq *u, struct vheap *h, struct dat key); /* true: the last one */
void agg_uniq_done(struct agg_uniq *u, struct vheap *h);
uint64_t agg_uniq_count(const struct agg_uniq *u, struct dat key);
/* As if it had been added n times; false if n is 0 or the key is there already. */
bool agg_uniq_put(struct agg_uniq *u, struct vheap *h, struct dat key, uint64_t n);
void agg_uniq_save(const struct agg_uniq *u, struct save *s);
void agg_uniq_load(struct agg_uniq *u, struct load *l, struct ty key);

struct agg_ring { /* zeroed is empty */
    struct evt **v;
    uint32_t cap, head, len;
};
void agg_ring_push(struct agg_ring *r, struct evt *e); /* keeps it */
bool agg_ring_remove(struct agg_ring *r, struct vheap *h, const struct evt *e);
static inline struct evt *agg_ring_at(const struct agg_ring *r, uint32_t i)
{
    return r->v[(r->head + i) & (r->cap - 1)];
}
void agg_ring_done(struct agg_ring *r, struct vheap *h);
void agg_ring_save(const struct agg_ring *r, struct save *s);
void agg_ring_load(struct agg_ring *r, struct load *l, const struct etype *type);

/* An expression of the call with that event as the row's only one. */
struct dat agg_eval_on(const struct agg_call *c, const struct ex *e, struct evt *ev,
                       struct ectx *ctx);
/* Of min, max and their kin: whether one value is all they keep, and whether it is the least. */
bool agg_keeps_best(const struct agg_call *c, bool *ret_least);
/* The own state of a call, behind what distinct keeps. */
static inline void *agg_own(const struct agg_call *c, void *state)
{
    return (char *)state + (c->distinct ? sizeof(struct agg_uniq) : 0);
}
/* For `type`: refuses what is no number. */
int agg_want_number(struct bind *b, const struct agg_call *c, uint32_t arg, struct err *reterr);
bool agg_unbound(const struct bind *b);                              /* rows never leave */
bool agg_of_unbound(const struct bind *b, const struct agg_call *c); /* its stream has none */
enum { AGG_NO_STREAM = -1, AGG_MANY_STREAMS = -2 };
/* The one stream of the row that an expression looks at, or one of the above. */
int agg_stream_of(const struct ex *e);
/* For `type`: refuses what depends on the row, or is no integer. */
int agg_want_index(struct bind *b, const struct agg_call *c, uint32_t arg, struct err *reterr);
/* For `type` of those that take events: sets c->stream of the arguments from `from` on, and gives
 * the type of its events. */
int agg_want_stream(struct bind *b, struct agg_call *c, uint32_t n, struct ty *ret_event,
                    struct err *reterr);
bool agg_joined(const struct bind *b); /* an event may be in several rows */
/* What stands in the parentheses of a countMinSketch column. */
int agg_sketch_options(struct bind *b, struct agg_call *c, const struct ast_seg *seg,
                       struct err *reterr);
/* Of sorted and its kin: an event's key, and the order of keys. */
struct dat agg_sorted_key(const struct agg_call *c, struct evt *ev, struct ectx *ctx);
int agg_sorted_cmp(const struct agg_call *c, struct dat a, struct dat b);

#endif
