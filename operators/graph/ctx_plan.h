/* SPDX-License-Identifier: Apache-2.0
 *
 * A bound context: its levels, where their partitions begin and end, what they are called.
 */
#ifndef OPERATORS_GRAPH_CTX_PLAN_H
#define OPERATORS_GRAPH_CTX_PLAN_H

#include "operators/expr/cron.h"
#include "operators/graph/ctx.h"

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
    bool named;                /* the last column of match is the match: properties have it alone */
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
    uint64_t next_nr;
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

extern const struct stmt_ops ctx_ops; /* ctx_run.c */

/* ---- ctx_point.c ---- */
int ctx_bind_points(struct ctx_level *l, struct bind *b, const struct etype *outer_props,
                    struct err *reterr) NODISCARD;
int ctx_bind_end(struct ctx_level *l, struct bind *b, struct err *reterr) NODISCARD;
const struct ctx_stream *ctx_stream_for(const struct ctx_level *l, const struct etype *type);

#endif
