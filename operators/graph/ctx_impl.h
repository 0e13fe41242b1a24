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

#include "operators/expr/cron.h"
#include "operators/graph/ctx.h"

struct ctx_ctl;
struct ctx_part;

enum { /* columns of a level's properties: the first two, then those of the kind */
       CTX_COL_NAME,
       CTX_COL_ID,
       CTX_COL_KIND,
       CTX_COL_START = CTX_COL_KIND, /* startTime, endTime of start-end and initiated */
       CTX_COL_END,
       CTX_COL_TIMED_TAGS,
};

struct ctx_stream { /* of keyed, hash and category levels */
    const struct ast_ctx_stream *ast;
    const struct etype *type;
    struct route_filter filter; /* its own, and the conditions of the levels above */
    struct ex **keys;           /* stream 0 is the event */
    uint32_t n_keys;
};

struct ctx_point {            /* a beginning or an end */
    enum ast_point_kind kind; /* the condition: NOW_AND became what follows it */
    bool now;                 /* at once, too */
    bool inclusive;
    struct pat_plan pat;             /* FILTER, PATTERN; of keyed beginnings unused */
    struct ex *after;                /* AFTER: stream 1 is the match of the beginning */
    struct ex_cron cron;             /* CRON */
    struct route_filter filter;      /* of keyed beginnings */
    const struct ctx_stream *stream; /* likewise: where the keys are */
    int tag;                         /* likewise: column of the match; -1 */
};

struct ctx_level {
    const struct ast_context *ast;
    struct ctx_plan *plan;
    uint32_t depth;
    enum ast_ctx_kind kind;
    const struct etype *props; /* of this level alone */
    const struct etype *match; /* tags of the beginning; may have no columns */
    uint16_t tags;             /* column of props where they begin */
    struct ctx_stream *streams;
    uint32_t n_streams, n_keys;
    struct ctx_point *starts;
    uint32_t n_starts;
    struct ctx_point end;
    struct ex **distinct; /* stream 0 the event of a filter, stream 1 the match */
    uint32_t n_distinct;
    int64_t granularity;
};

struct ctx_plan {
    struct stmt *st;
    struct slice name;
    struct ctx_level *levels;
    uint32_t n_levels;
    const struct etype *props; /* of a partition; of one level: its own */
    /* ---- running ---- */
    struct ctx_part *root;
    VEC(struct stmt *) members;
    struct ctx_part *first, *last; /* partitions, in order of opening */
    int32_t next_id;
};

struct ctx_leaf { /* of a keyed or hash level */
    struct ctx_ctl *ctl;
    uint32_t num; /* of the stream, or of the beginning */
    struct route_leaf *leaf;
};

struct ctx_ctl {
    struct ctx_part *owner;
    const struct ctx_level *level;
    struct ctx_part *first, *last; /* its parts */
    struct ctx_part **buckets;     /* by key */
    size_t n_buckets, n_keyed;
    struct ctx_leaf *leaves;
    uint32_t n_leaves;
    struct pat *start;
    struct pat_env env;
    struct tmr timer;
    bool opening;
};

struct ctx_part {
    struct inst in;
    struct ctx_plan *plan;
    struct ctx_ctl *ctl;                  /* NULL: the root */
    struct ctx_ctl *inner;                /* NULL: a partition */
    struct ctx_part *next, *prev;         /* in ctl */
    struct ctx_part *all_next, *all_prev; /* partitions of the plan */
    struct ctx_part *chain;               /* in its bucket */
    struct val key;                       /* kept */
    uint64_t hash;
    bool keyed, closed;
    struct evt *match; /* of the beginning, kept; NULL */
    struct pat *end;
    struct pat_env env;
    struct tmr timer;
    VEC(struct inst *) insts; /* by number of the member */
    uint64_t seq;             /* leaves of its contents are newer */
};

/* ---- ctx_bind.c ---- */
struct ctx_about { /* an event of `type`, whose columns are found in `row` (often the same) */
    const struct etype *type, *row;
    struct span span;
    bool asked;  /* set: some level has conditions for some types */
    bool listed; /* set: and for this one */
};
/* The condition of the levels before `upto` (the event is stream 0); *ret is NULL if there is none.
 */
int ctx_conds(const struct ctx_plan *p, uint32_t upto, struct bind *b, struct ctx_about *about,
              struct ex **ret, struct err *reterr) NODISCARD;

/* ---- ctx_point.c ---- */
int ctx_bind_points(struct ctx_level *l, struct bind *b, const struct etype *outer_props,
                    struct err *reterr) NODISCARD;
int ctx_bind_end(struct ctx_level *l, struct bind *b, struct err *reterr) NODISCARD;
const struct ctx_stream *ctx_stream_for(const struct ctx_level *l, const struct etype *type);

/* ---- ctx_run.c ---- */
extern const struct stmt_ops ctx_ops;
struct ctx_ctl *ctx_ctl_new(struct ctx_part *owner, const struct ctx_level *l);
void ctx_ctl_free(struct ctx_ctl *c);
/* `key` may be null for levels without; events are offered by the caller. */
struct ctx_part *ctx_open(struct ctx_ctl *c, struct evt *props, struct evt *match, bool keyed,
                          struct val key);
void ctx_close(struct ctx_part *p);
struct ctx_part *ctx_find(const struct ctx_ctl *c, struct val key);
/* Events to leaves added since `seq`. */
void ctx_offer(struct eng *e, uint64_t seq, struct evt **events, size_t n);
/* ... to what came with a part, unless it is cut into categories, which begin with what follows. */
void ctx_show(struct ctx_part *p, struct evt **events, size_t n);
/* Properties of a new part, to be filled further. */
struct evt *ctx_new_props(const struct ctx_ctl *c);

/* ---- ctx_time.c: beginnings and ends ---- */
/* A beginning is waited for, or there at once. `first`: no part was before; `again`: the event that
 * ended the one before. */
void ctx_wait(struct ctx_ctl *c, bool first, struct evt *again);
/* Waiting for the part's end begins; its endTime is put into props, which is not shared yet. */
int64_t ctx_end_due(const struct ctx_ctl *c, struct evt *match);
void ctx_await_end(struct ctx_part *p, int64_t due);

#endif
