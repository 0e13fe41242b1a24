/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of contexts only.
 *
 * A context is a row of levels (one, or as many as contexts are nested). Running it is a tree: the
 * root part (the instance of `create context`) holds a control of level 0, which opens parts; a
 * part of the last level is a partition and holds the instances of the statements, one of another
 * level holds a control of the next level. A part is an `inst` of its own, so that conditions of
 * levels below it find the properties of those above.
 */
#ifndef OPERATORS_GRAPH_CTX_IMPL_H
#define OPERATORS_GRAPH_CTX_IMPL_H

#include "operators/graph/ctx_plan.h"

struct ctx_leaf { /* of a keyed or hash level */
    struct ctx_ctl *ctl;
    uint32_t num; /* of the stream, or of the beginning */
    struct route_leaf *leaf;
};

struct ctx_ctl {
    struct ctx_part *owner;
    const struct ctx_level *level;
    struct ctx_part *first, *last; /* its parts */
    struct hidx by_key;
    struct ctx_leaf *leaves;
    uint32_t n_leaves;
    struct pat *start;
    struct pat_env env;
    struct tmr timer;
    bool opening;
    const struct ctx_part *ended; /* by the event with which the next begins; NULL */
};

struct ctx_part {
    struct inst in;
    struct ctx_plan *plan;
    struct ctx_ctl *ctl;                  /* NULL: the root */
    struct ctx_ctl *inner;                /* NULL: a partition */
    struct ctx_part *next, *prev;         /* in ctl */
    struct ctx_part *all_next, *all_prev; /* partitions of the plan */
    struct dat key;                       /* kept */
    uint64_t hash;
    bool keyed, closed;
    struct evt *match; /* of the beginning, kept; NULL */
    struct pat *end;
    struct pat_env env;
    struct tmr timer;
    uint64_t nr;              /* of all parts of the context, in order of opening */
    VEC(struct inst *) insts; /* by number of the member */
    uint64_t seq;             /* leaves of its contents are newer */
};

/* ---- ctx_run.c ---- */

/* Without parts, waiting for nothing: to be loaded. */
struct ctx_ctl *ctx_ctl_bare(struct ctx_part *owner, const struct ctx_level *l);
struct ctx_part *ctx_part_bare(struct ctx_ctl *c, struct evt *props, struct evt *match, bool keyed,
                               struct dat key);
void ctx_link(struct ctx_ctl *c, struct ctx_part *p);
struct ctx_ctl *ctx_ctl_new(struct ctx_part *owner, const struct ctx_level *l);
void ctx_ctl_free(struct ctx_ctl *c);
/* `key` may be null for levels without; events are offered by the caller. */
struct ctx_part *ctx_open(struct ctx_ctl *c, struct evt *props, struct evt *match, bool keyed,
                          struct dat key);
void ctx_close(struct ctx_part *p);
struct ctx_part *ctx_find(const struct ctx_ctl *c, struct dat key);
/* Events to leaves added since `seq`. */
void ctx_offer(struct eng *e, uint64_t seq, struct evt **events, size_t n);
/* ... to what came with a part, unless it is cut into categories, which begin with what follows. */
void ctx_show(struct ctx_part *p, struct evt **events, size_t n);
/* Whether its statements have heard of the event under way, and none still will. */
bool ctx_told(const struct ctx_part *p);
/* Properties of a new part, to be filled further. */
struct evt *ctx_new_props(const struct ctx_ctl *c);

/* ---- ctx_time.c: beginnings and ends ---- */
/* A beginning is waited for, or there at once. `first`: no part was before; `again`: the event that
 * ended the one before. */
void ctx_wait(struct ctx_ctl *c, bool first, struct evt *again);
/* Waiting for the part's end begins; its endTime is put into props, which is not shared yet. */
/* The pattern and the timer it waits with, not set off. */
struct pat *ctx_start_pat(struct ctx_ctl *c);
void ctx_start_timer(struct ctx_ctl *c);
int64_t ctx_end_due(const struct ctx_ctl *c, struct evt *match);
void ctx_await_end(struct ctx_part *p, int64_t due);

#endif
