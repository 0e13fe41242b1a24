/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements that an event triggers: on-select, -delete, -update, -merge, -set, and the split of a
 * stream. The row of expressions is: 0 the row of the window or table, 1 the trigger, 2 the row as
 * it was before an update (`initial`).
 */
#ifndef OPERATORS_GRAPH_ON_H
#define OPERATORS_GRAPH_ON_H

#include "operators/graph/sel.h"

enum { ON_TARGET, ON_TRIGGER, ON_INITIAL, ON_STREAMS };

struct assign {
    uint16_t col;
    bool as_is;   /* the column takes any value that comes */
    uint8_t kind; /* else values of this kind; DAT_NULL: none */
    struct ex *value;
};

struct assigns {
    struct assign *a;
    uint32_t n;
    bool in_place;       /* of a table: no key is assigned */
    bool whole;          /* the row as it was is asked for, and more of it than columns */
    bool late;           /* a column of it is asked for after it has been assigned; and then */
    struct evt *initial; /* takes for the time of the assignments */
    uint16_t *was;       /* all columns of it that are asked for */
    uint32_t n_was;
};

struct on_action {
    enum ast_action_kind kind;
    struct ex *where;
    struct assigns sets;
    struct sel_plan rows; /* insert: its columns */
    struct ins_plan *ins;
};

struct on_matched {
    bool negated;
    struct ex *cond;
    struct on_action *actions;
    uint32_t n_actions;
};

struct on_branch {
    struct sel_plan rows;
    struct ins_plan *ins;
    struct ex *where;
    struct contained *contained;
    const struct etype *type; /* of what is looked at */
};

struct on_plan {
    struct stmt *st;
    struct sel_stream trigger;
    struct nwin *win; /* the target, or */
    struct table *table;
    const struct etype *type;
    struct slice alias;
    struct ex *where;
    struct ex **key; /* table: values of its primary key, if where says so; else NULL */
    bool key_alone;  /* and says no more */
    struct assigns sets;
    struct on_matched *matched;
    uint32_t n_matched;
    struct set_plan *vars;
    const struct etype *vars_type;
    struct on_branch *branches;
    uint32_t n_branches;
    struct sel_plan select; /* on-select: streams are target and trigger */
};

struct on_inst {
    struct inst in;
    const struct on_plan *p;
    struct route_leaf *leaf;
    struct pat *pat;
    struct pat_env pat_env;
    struct evts found, nw, old, tmp;
    struct sel_inst *sel; /* on-select */
    uint64_t before;      /* number of the last reference when the trigger came */
};

/* on_bind.c */
int on_bind_trigger(struct stmt *st, struct bind *b, struct on_plan *p, struct err *reterr);
int on_bind_target(struct stmt *st, struct bind *b, struct on_plan *p, struct err *reterr);
struct scope *on_scope(struct stmt *st, struct bind *b, const struct on_plan *p, bool target);
int on_bind_sets(struct bind *b, const struct ast_named *sets, uint32_t n, const struct etype *type,
                 struct slice alias, struct assigns *ret, struct err *reterr);
int on_bind_where(struct bind *b, struct on_plan *p, const struct ast_expr *where,
                  struct err *reterr);
int on_bind_merge(struct stmt *st, struct bind *b, struct on_plan *p, struct err *reterr);
int on_bind_split(struct stmt *st, struct bind *b, struct on_plan *p, struct err *reterr);
int on_bind_columns(struct stmt *st, struct bind *b, const struct ast_item *items, uint32_t n,
                    const struct ast_insert *into, struct sel_plan *rows, struct ins_plan **ret,
                    struct err *reterr);

/* on_run.c: what happens at a trigger. */
void on_select(struct on_inst *in, struct evt *trigger);
void on_delete(struct on_inst *in, struct evt *trigger);
void on_update(struct on_inst *in, struct evt *trigger);
void on_merge(struct on_inst *in, struct evt *trigger);
void on_set(struct on_inst *in, struct evt *trigger);
void on_split(struct on_inst *in, struct evt *trigger);
/* Rows of the target for which where holds, into in->found. */
void on_find(struct on_inst *in, struct evt *trigger);
/* A copy of `row` (of a window), or the row itself (of a table), with the assignments done. NULL if
 * a condition of the table forbids it. */
struct evt *on_assign(struct inst *in, const struct assigns *sets, struct table *table,
                      struct evt *row, struct evt *trigger);

#endif
