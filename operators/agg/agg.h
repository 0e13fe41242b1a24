/* SPDX-License-Identifier: Apache-2.0
 *
 * Aggregations: a state per group that rows enter and leave, and a value at any time. `agg.def` has
 * a row per function (name, locality, doc); the def of each is in an agg_*.c. To add one: a row, a
 * `struct agg_def agg_NAME`, a scenario.
 *
 * State is plain bytes of agg_def.bytes in the group's block plus what it allocates itself; values
 * it keeps are references (val_keep) and are given back by done.
 */
#ifndef OPERATORS_AGG_AGG_H
#define OPERATORS_AGG_AGG_H

#include "core/base/buf.h"
#include "operators/expr/ectx.h"
#include "operators/plan/bind.h"

struct agg_def {
    const char *name, *doc;
    uint8_t min_args, max_args; /* star counts as none */
    bool star_ok, distinct_ok, filter_ok;
    bool filter_last;   /* a last positional argument beyond the usual is the filter (fmin) */
    bool needs_window;  /* refused on unbound streams */
    bool criteria;      /* arguments are sort criteria (x desc) */
    size_t (*bytes)(const struct agg_call *c);
    /* Checks the bound arguments, sets c->ty (and priv). */
    int (*type)(struct bind *b, struct agg_call *c, struct err *reterr);
    void (*init)(const struct agg_call *c, void *state);
    /* The row is in ctx->row; v: the evaluated args, n_args of them. Called only if the filter
     * holds; distinct is taken care of by the caller. */
    void (*enter)(const struct agg_call *c, void *state, const struct val *v, struct ectx *ctx);
    void (*leave)(const struct agg_call *c, void *state, const struct val *v, struct ectx *ctx);
    struct val (*value)(const struct agg_call *c, void *state, struct ectx *ctx);
    void (*done)(const struct agg_call *c, void *state, struct vheap *h);
    int (*save)(const struct agg_call *c, void *state, struct buf *out); /* NULL: plain bytes */
    int (*load)(const struct agg_call *c, void *state, struct slice *in, struct vheap *h);
};

const struct agg_def *agg_find(struct slice name); /* case-insensitive */
/* For struct bind: binds the call's arguments, finds or adds it in scope->aggs, gives EX_AGG with
 * its slot. Refuses with scope->no_aggs where scope->aggs is NULL. */
int agg_bind(struct bind *b, const struct ast_seg *seg, struct span span, struct ex **ret,
             struct err *reterr);

/* The block of one group: all states of a set one behind the other. */
struct agg_layout {
    const struct agg_set *set;
    uint32_t *offset;
    size_t bytes;
};
void agg_layout(struct arena *a, const struct agg_set *set, struct agg_layout *ret);
void *agg_block_new(const struct agg_layout *l);
void agg_block_free(const struct agg_layout *l, void *block, struct vheap *h);
/* One row enters or leaves all of them: evaluates arguments and filters, does distinct. Calls with
 * a local group_by are skipped: the statement keeps those apart. */
void agg_block_enter(const struct agg_layout *l, void *block, struct ectx *ctx);
void agg_block_leave(const struct agg_layout *l, void *block, struct ectx *ctx);
struct val agg_block_value(const struct agg_layout *l, void *block, uint32_t slot,
                           struct ectx *ctx);
/* One call alone. */
void agg_call_enter(const struct agg_call *c, void *state, struct ectx *ctx);
void agg_call_leave(const struct agg_call *c, void *state, struct ectx *ctx);
int agg_block_save(const struct agg_layout *l, void *block, struct buf *out);
int agg_block_load(const struct agg_layout *l, void *block, struct slice *in, struct vheap *h);

#endif
