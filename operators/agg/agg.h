/* SPDX-License-Identifier: Apache-2.0
 *
 * Aggregations: a state per group that rows enter and leave, and a value at any time. `agg.def` has
 * a row per function (name, locality, doc); the def of each is in an agg_*.c. To add one: a row, a
 * `struct agg_def agg_NAME`, a scenario.
 *
 * State is plain bytes of agg_def.bytes in the group's block plus what it allocates itself; values
 * it keeps are references (dat_keep) and are given back by done. What `distinct` has seen stands
 * before a call's own state, so states are handled by the agg_call_* functions only.
 */
#ifndef OPERATORS_AGG_AGG_H
#define OPERATORS_AGG_AGG_H

#include "operators/expr/ectx.h"
#include "operators/plan/bind.h"
#include "operators/sig/load.h"

struct agg_def {
    const char *name, *doc;
    uint8_t min_args, max_args; /* star counts as none */
    uint8_t star_args;          /* how many there may be beside a star */
    bool star_ok, distinct_ok, filter_ok;
    bool filter_must;   /* fmin: there has to be a filter */
    bool one_arg_only;  /* with more it is a function of that name (min, max): not ours */
    bool needs_window;  /* refused on unbound streams */
    bool takes_event;   /* enter and leave get the event of c->stream as v[0], not the arguments */
    bool criteria;      /* arguments are sort criteria (x desc) */
    bool column_only;   /* a column of a table, never called */
    bool grows;         /* keeps each value or event, also where nothing leaves */
    const char *column; /* goes into columns of that other name; NULL: of its own */
    size_t (*bytes)(const struct agg_call *c);
    /* Checks the bound arguments, sets c->ty (and priv). */
    int (*type)(struct bind *b, struct agg_call *c, struct err *reterr);
    void (*init)(const struct agg_call *c, void *state); /* NULL: zeros will do */
    /* The row is in ctx->row; v: the evaluated args, n_args of them. Called only if the filter
     * holds; distinct is taken care of by the caller. */
    void (*enter)(const struct agg_call *c, void *state, const struct dat *v, struct ectx *ctx);
    void (*leave)(const struct agg_call *c, void *state, const struct dat *v, struct ectx *ctx);
    struct dat (*value)(const struct agg_call *c, void *state, struct ectx *ctx);
    void (*done)(const struct agg_call *c, void *state, struct vheap *h); /* NULL: nothing to do */
    void (*save)(const struct agg_call *c, void *state, struct save *s);
    void (*load)(const struct agg_call *c, void *state, struct load *l); /* into one just made */
};

const struct agg_def *agg_find(struct slice name); /* case-insensitive */
bool agg_splits(const struct agg_def *d);          /* SPLIT in agg.def */
static inline bool agg_grows(const struct agg_call *c)
{
    return c->distinct || c->def->grows;
}
/* Adds a call to a set that lives in the arena. */
void agg_set_add(struct arena *a, struct agg_set *set, struct agg_call *c);
/* All of them, for tools and documentation. */
const struct agg_def *const *agg_all(size_t *ret_n);

/* For struct bind: binds the call's arguments, finds or adds it in scope->aggs, gives EX_AGG with
 * its slot (and the call in ex.data). Refuses with scope->no_aggs where scope->aggs is NULL. Wants
 * scope->aggs->windowed to be right already. */
int agg_bind(struct bind *b, const struct ast_seg *seg, struct span span, struct ex **ret,
             struct err *reterr);
/* For struct bind: methods that only aggregations have (sorted(x).floorEvent(5)), called on an
 * EX_AGG or EX_TABLE_COL whose `data` is the agg_call. 1, 0, < 0; gives EX_AGG_METHOD. */
int agg_method_bind(struct bind *b, struct ex *recv, const struct ast_seg *seg, struct ex **ret,
                    struct err *reterr);
struct dat agg_method_value(const struct ex *e, struct ectx *ctx); /* evaluates EX_AGG_METHOD */

/* Aggregation columns of tables: count(*), sum(double), window(*) @type(E), sorted(x) @type(E). */
int agg_column_bind(struct bind *b, const struct ast_expr *call, const struct etype *of,
                    struct agg_call **ret, struct err *reterr) NODISCARD;
/* Whether a call of an `into table` may write that column; the error says why not. */
int agg_column_fits(struct bind *b, const struct agg_call *column, const struct agg_call *call,
                    struct err *reterr) NODISCARD;
/* Arguments and filter are the call's, the state is the column's. */
void agg_column_enter(const struct agg_call *column, void *state, const struct agg_call *call,
                      struct ectx *ctx);
void agg_column_leave(const struct agg_call *column, void *state, const struct agg_call *call,
                      struct ectx *ctx);

/* Whether states may become large: they have memory of their own. */
bool agg_set_grows(const struct agg_set *set);
/* One call alone. */
size_t agg_call_bytes(const struct agg_call *c); /* a multiple of 16 */
void agg_call_init(const struct agg_call *c, void *state);
void agg_call_done(const struct agg_call *c, void *state, struct vheap *h);
void agg_call_enter(const struct agg_call *c, void *state, struct ectx *ctx);
void agg_call_leave(const struct agg_call *c, void *state, struct ectx *ctx);
struct dat agg_call_value(const struct agg_call *c, void *state, struct ectx *ctx);
void agg_call_save(const struct agg_call *c, void *state, struct save *s);
void agg_call_load(const struct agg_call *c, void *state, struct load *l);

/* The block of one group: all states of a set one behind the other. */
struct agg_layout {
    const struct agg_set *set;
    uint32_t *offset;
    struct agg_step { /* agg_step.c */
        const struct etype *of;
        const struct agg_call *call;
        uint32_t offset;
        uint16_t stream, slot;
        uint8_t way;
        bool mean, least;
    } * steps;
    size_t bytes;
};
void agg_layout(struct arena *a, const struct agg_set *set, struct agg_layout *ret);
void agg_block_init(const struct agg_layout *l, void *block); /* l->bytes of it, aligned to 16 */
void agg_block_done(const struct agg_layout *l, void *block, struct vheap *h);
void *agg_block_new(const struct agg_layout *l);
void agg_block_free(const struct agg_layout *l, void *block, struct vheap *h);
void agg_block_clear(const struct agg_layout *l, void *block, struct vheap *h); /* as if new */
static inline void *agg_block_state(const struct agg_layout *l, void *block, uint32_t slot)
{
    return (char *)block + l->offset[slot];
}
/* One row enters or leaves all of them: evaluates arguments and filters, does distinct. Calls with
 * a local group_by are skipped: the statement keeps those apart. */
void agg_block_enter(const struct agg_layout *l, void *block, struct ectx *ctx);
void agg_block_leave(const struct agg_layout *l, void *block, struct ectx *ctx);
struct dat agg_block_value(const struct agg_layout *l, void *block, uint32_t slot,
                           struct ectx *ctx);
/* States, without those of calls with a local group_by; loaded into what has just been made. A
 * failure leaves what agg_block_free can free. */
void agg_block_save(const struct agg_layout *l, void *block, struct save *s);
void agg_block_load(const struct agg_layout *l, void *block, struct load *in);

#endif
