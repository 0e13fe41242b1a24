/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements and modules of the syntax tree.
 */
#ifndef OPERATORS_EPL_AST_STMT_H
#define OPERATORS_EPL_AST_STMT_H

#include "operators/epl/ast_context.h"

struct ast_type { /* of a column: string, long[], Map<string,float>, count(*), window(*) @type(E) */
    struct span span;
    struct slice name; /* dots included */
    bool array, array2;
    struct slice map_key, map_value;
    struct ast_expr *agg; /* aggregation column of a table: the call */
    struct slice of;      /* @type(X) */
    bool primitive;       /* int[primitive] */
};

struct ast_col {
    struct span span;
    struct slice name;
    struct ast_type type;
    bool primary_key;
};

enum ast_action_kind { ACT_INSERT, ACT_UPDATE, ACT_DELETE };

struct ast_action {
    enum ast_action_kind kind;
    struct span span;
    struct slice into; /* empty: the window itself */
    struct slice *cols;
    uint32_t n_cols;
    struct ast_item *items;
    uint32_t n_items;
    struct ast_named *sets;
    uint32_t n_sets;
    struct ast_expr *where;
};

struct ast_matched {
    bool negated; /* when not matched */
    struct ast_expr *cond;
    struct ast_action *actions;
    uint32_t n_actions;
};

struct ast_branch { /* of a split: insert into X select .. from t[..] where .. */
    struct ast_insert insert;
    struct ast_item *items;
    uint32_t n_items;
    struct ast_stream *from; /* NULL: the trigger */
    struct ast_expr *where;
};

enum ast_stmt_kind {
    STMT_SELECT,
    STMT_CREATE_SCHEMA,
    STMT_CREATE_WINDOW,
    STMT_CREATE_TABLE,
    STMT_CREATE_VARIABLE,
    STMT_CREATE_CONTEXT,
    STMT_CREATE_EXPRESSION,
    STMT_CREATE_INDEX,
    STMT_ON_SELECT,
    STMT_ON_DELETE,
    STMT_ON_UPDATE,
    STMT_ON_MERGE,
    STMT_ON_SET,
    STMT_ON_SPLIT,
    STMT_UPDATE_ISTREAM,
    STMT_FAF_INSERT,
    STMT_FAF_UPDATE,
    STMT_FAF_DELETE, /* on-demand only */
};

enum ast_schema_kind {
    SCHEMA_PLAIN,
    SCHEMA_MAP,
    SCHEMA_OBJECTARRAY,
    SCHEMA_JSON,
    SCHEMA_AVRO,
    SCHEMA_XML,
    SCHEMA_VARIANT
};

struct ast_stmt {
    enum ast_stmt_kind kind;
    struct span span;
    struct ast_annot *annots;
    uint32_t n_annots;
    struct slice context;   /* context X select ... */
    struct ast_decl *decls; /* expression ... before the statement */
    uint32_t n_decls;
    struct slice name;         /* of what is created; the stream of update istream */
    struct slice as;           /* update istream S as s; on-set: none */
    struct ast_select *select; /* SELECT, ON_SELECT (from: the window), FAF */
    /* create schema, window, table */
    enum ast_schema_kind schema_kind;
    struct ast_col *cols;
    uint32_t n_cols;
    struct slice *inherits, *copyfrom;
    uint32_t n_inherits, n_copyfrom;
    struct slice start_col, end_col;
    struct slice *variants; /* of variant schema; "*" for any */
    uint32_t n_variants;
    struct slice class_name;      /* create schema N as a.b.C; create window W#v as Type */
    struct ast_stream window;     /* its views, retain_union */
    struct ast_select *as_select; /* create window W as select ... */
    bool insert_from;             /* create window W as X insert [where] */
    struct ast_expr *insert_where;
    /* create variable, expression, index */
    struct ast_type type;
    struct ast_expr *init;
    bool constant, unique;
    struct ast_decl decl;
    struct slice index_on;
    struct ast_named *index_cols; /* name; e: NULL; target: NULL; text kind in `kinds` */
    uint32_t n_index_cols;
    struct ast_context *ctx;
    /* on ... */
    struct ast_stream *trigger;
    struct ast_stream *target; /* window or table, with alias */
    struct ast_expr *where;
    struct ast_named *sets;
    uint32_t n_sets;
    struct ast_matched *matched;
    uint32_t n_matched;
    bool merge_insert_only; /* on t merge W insert select ... : one unmatched action */
    struct ast_branch *branches;
    uint32_t n_branches;
    bool split_all;
};

struct ast_module {
    struct slice name;
    struct slice *uses;
    uint32_t n_uses;
    struct ast_stmt **stmts;
    uint32_t n_stmts;
};

#endif
